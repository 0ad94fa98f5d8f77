// GIN's layer.
#include <cmath>
#include <vector>

#include "train/initialization.h"
#include "train/layer.h"
#include "train/layers/layer_input.h"

namespace kith {
namespace {

/// The sum is that of GCN with other weights; two linear layers follow, as in torch_geometric.nn.models.GIN.
class GinLayer final : public Layer {
 public:
  GinLayer(Backend& backend, const std::string& name, LayerShape shape, std::uint64_t seed)
      : backend_(backend), scalar_(shape.scalar) {
    const ParameterFactory make{backend, shape.scalar, seed};
    const auto add_linear = [&](const std::string& linear, std::int32_t in_channels) {
      const double bound = 1 / std::sqrt(static_cast<double>(in_channels));
      parameters_.push_back(make.uniform(name + linear + ".weight", in_channels, shape.out_channels, bound));
      parameters_.push_back(make.uniform(name + linear + ".bias", 1, shape.out_channels, bound));
    };
    add_linear(".nn.lins.0", shape.in_channels);
    add_linear(".nn.lins.1", shape.out_channels);
  }

  Tensor forward(const WeightedBlock& block, const LayerInput& input, LayerContext& context) override {
    context.aggregated = aggregate_input(backend_, block, input, scalar_);
    context.hidden = backend_.empty(block.block.num_destinations(), first_weight().value.cols(), scalar_);
    backend_.matmul(context.aggregated, false, first_weight().value, false, 0, context.hidden);
    return finish(context.hidden);
  }

  Tensor backward(const WeightedBlock& block, const LayerInput& input, const LayerContext& context,
                  const Tensor& grad_output) override {
    backend_.matmul_at_b(context.hidden, grad_output, 0, second_weight().gradient);
    backend_.bias_gradient(grad_output, second_bias().gradient);
    Tensor grad_hidden = backend_.empty(grad_output.rows(), context.hidden.cols(), scalar_);
    backend_.matmul(grad_output, false, second_weight().value, true, 0, grad_hidden);
    backend_.relu_dropout_backward({}, context.hidden, grad_hidden);
    backend_.matmul_at_b(context.aggregated, grad_hidden, 0, first_weight().gradient);
    backend_.bias_gradient(grad_hidden, first_bias().gradient);
    if (!input.hidden) return Tensor();
    Tensor grad_aggregated = backend_.empty(grad_output.rows(), input.dim(), scalar_);
    backend_.matmul(grad_hidden, false, first_weight().value, true, 0, grad_aggregated);
    Tensor grad_input = backend_.zeros(block.block.num_sources, input.dim(), scalar_);
    backend_.aggregate_backward(block.block, block.edge_weights, grad_aggregated, grad_input);
    return grad_input;
  }

  Tensor infer(CsrView graph, std::span<const float> edge_weights, const LayerInput& input) override {
    Tensor hidden = infer_aggregated(backend_, graph, edge_weights, input, first_weight().value);
    return finish(hidden);
  }

  const Tensor& bias() const override { return parameters_[3].value; }
  std::span<Parameter> parameters() override { return parameters_; }

 private:
  Parameter& first_weight() { return parameters_[0]; }
  Parameter& first_bias() { return parameters_[1]; }
  Parameter& second_weight() { return parameters_[2]; }
  Parameter& second_bias() { return parameters_[3]; }

  /// hidden = relu(hidden + b_1), and returns hidden W_2.
  Tensor finish(Tensor& hidden) {
    backend_.bias_relu_dropout(&first_bias().value, {}, hidden);
    Tensor out = backend_.empty(hidden.rows(), hidden.cols(), scalar_);
    backend_.matmul(hidden, false, second_weight().value, false, 0, out);
    return out;
  }

  Backend& backend_;
  Scalar scalar_;
  std::vector<Parameter> parameters_;
};

}  // namespace

std::unique_ptr<Layer> make_gin_layer(Backend& backend, const std::string& name, LayerShape shape,
                                      std::uint64_t seed) {
  return std::make_unique<GinLayer>(backend, name, shape, seed);
}

}  // namespace kith
