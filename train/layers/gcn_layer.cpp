// GCN's layer.
#include <cmath>
#include <vector>

#include "train/initialization.h"
#include "train/layer.h"
#include "train/layers/layer_input.h"

namespace kith {
namespace {

class GcnLayer final : public Layer {
 public:
  GcnLayer(Backend& backend, const std::string& name, LayerShape shape, std::uint64_t seed)
      : backend_(backend), scalar_(shape.scalar) {
    const double bound = std::sqrt(6.0 / (shape.in_channels + shape.out_channels));
    const ParameterFactory make{backend, shape.scalar, seed};
    parameters_.push_back(make.uniform(name + ".lin.weight", shape.in_channels, shape.out_channels, bound));
    parameters_.push_back(make.uniform(name + ".bias", 1, shape.out_channels, 0));
  }

  Tensor forward(const WeightedBlock& block, const LayerInput& input, LayerContext& context) override {
    context.aggregated = aggregate_input(backend_, block, input, scalar_);
    Tensor out = backend_.empty(block.block.num_destinations(), weight().value.cols(), scalar_);
    backend_.matmul(context.aggregated, false, weight().value, false, 0, out);
    return out;
  }

  Tensor backward(const WeightedBlock& block, const LayerInput& input, const LayerContext& context,
                  const Tensor& grad_output) override {
    backend_.matmul_at_b(context.aggregated, grad_output, 0, weight().gradient);
    backend_.bias_gradient(grad_output, parameters_[1].gradient);
    if (!input.hidden) return Tensor();
    Tensor grad_aggregated = backend_.empty(grad_output.rows(), input.dim(), scalar_);
    backend_.matmul(grad_output, false, weight().value, true, 0, grad_aggregated);
    Tensor grad_input = backend_.zeros(block.block.num_sources, input.dim(), scalar_);
    backend_.aggregate_backward(block.block, block.edge_weights, grad_aggregated, grad_input);
    return grad_input;
  }

  Tensor infer(CsrView graph, std::span<const float> edge_weights, const LayerInput& input) override {
    Tensor out = infer_aggregated(backend_, graph, edge_weights, input, weight().value);
    return out;
  }

  const Tensor& bias() const override { return parameters_[1].value; }
  std::span<Parameter> parameters() override { return parameters_; }

 private:
  Parameter& weight() { return parameters_[0]; }

  Backend& backend_;
  Scalar scalar_;
  std::vector<Parameter> parameters_;
};

}  // namespace

std::unique_ptr<Layer> make_gcn_layer(Backend& backend, const std::string& name, LayerShape shape,
                                      std::uint64_t seed) {
  return std::make_unique<GcnLayer>(backend, name, shape, seed);
}

}  // namespace kith
