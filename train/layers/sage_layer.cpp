// GraphSAGE's layer.
#include <algorithm>
#include <cmath>
#include <vector>

#include "train/initialization.h"
#include "train/layer.h"
#include "train/layers/layer_input.h"

namespace kith {
namespace {

class SageLayer final : public Layer {
 public:
  SageLayer(Backend& backend, const std::string& name, LayerShape shape, std::uint64_t seed)
      : backend_(backend), scalar_(shape.scalar) {
    const double bound = 1 / std::sqrt(static_cast<double>(shape.in_channels));
    const ParameterFactory make{backend, shape.scalar, seed};
    parameters_.push_back(make.uniform(name + ".lin_l.weight", shape.in_channels, shape.out_channels, bound));
    parameters_.push_back(make.uniform(name + ".lin_l.bias", 1, shape.out_channels, bound));
    parameters_.push_back(make.uniform(name + ".lin_r.weight", shape.in_channels, shape.out_channels, bound));
  }

  Tensor forward(const WeightedBlock& block, const LayerInput& input, LayerContext& context) override {
    const std::int32_t num_destinations = block.block.num_destinations();
    context.aggregated = aggregate_input(backend_, block, input, scalar_);
    if (!input.hidden) {
      context.self = backend_.empty(num_destinations, input.dim(), scalar_);
      backend_.gather(input.features, input.ids.first(static_cast<std::size_t>(num_destinations)),
                      context.self);
    }
    Tensor out = backend_.empty(num_destinations, neighbor_weight().value.cols(), scalar_);
    backend_.matmul(context.aggregated, false, neighbor_weight().value, false, 0, out);
    backend_.matmul(self_rows(input, context), false, self_weight().value, false, 1, out);
    return out;
  }

  Tensor backward(const WeightedBlock& block, const LayerInput& input, const LayerContext& context,
                  const Tensor& grad_output) override {
    backend_.matmul_at_b(context.aggregated, grad_output, 0, neighbor_weight().gradient);
    backend_.matmul_at_b(self_rows(input, context), grad_output, 0, self_weight().gradient);
    backend_.bias_gradient(grad_output, parameters_[1].gradient);
    if (!input.hidden) return Tensor();
    Tensor grad_input = backend_.zeros(block.block.num_sources, input.dim(), scalar_);
    Tensor grad_self = grad_input.view_rows(0, grad_output.rows());
    backend_.matmul(grad_output, false, self_weight().value, true, 0, grad_self);
    Tensor grad_aggregated = backend_.empty(grad_output.rows(), input.dim(), scalar_);
    backend_.matmul(grad_output, false, neighbor_weight().value, true, 0, grad_aggregated);
    backend_.aggregate_backward(block.block, block.edge_weights, grad_aggregated, grad_input);
    return grad_input;
  }

  Tensor infer(CsrView graph, std::span<const float> edge_weights, const LayerInput& input) override {
    Tensor out = infer_aggregated(backend_, graph, edge_weights, input, neighbor_weight().value);
    const std::int64_t chunk = chunk_rows(input);
    for (std::int64_t first = 0; first < out.rows(); first += chunk) {
      Tensor out_rows = out.view_rows(first, std::min(chunk, out.rows() - first));
      const Tensor self = input_rows(backend_, input, first, out_rows.rows(), scalar_);
      backend_.matmul(self, false, self_weight().value, false, 1, out_rows);
    }
    return out;
  }

  const Tensor& bias() const override { return parameters_[1].value; }
  std::span<Parameter> parameters() override { return parameters_; }

 private:
  Parameter& neighbor_weight() { return parameters_[0]; }
  Parameter& self_weight() { return parameters_[2]; }

  /// The destinations are a prefix of the sources, and matmul uses just the rows it needs.
  static const Tensor& self_rows(const LayerInput& input, const LayerContext& context) {
    return input.hidden ? *input.hidden : context.self;
  }

  Backend& backend_;
  Scalar scalar_;
  std::vector<Parameter> parameters_;
};

}  // namespace

std::unique_ptr<Layer> make_sage_layer(Backend& backend, const std::string& name, LayerShape shape,
                                       std::uint64_t seed) {
  return std::make_unique<SageLayer>(backend, name, shape, seed);
}

}  // namespace kith
