#include "train/layer.h"

#include <algorithm>
#include <cmath>

#include "graph/errors.h"
#include "train/initialization.h"

namespace kith {
namespace {

/// Rows that evaluation handles at a time: bounds its buffers, and is the same for any number of threads.
constexpr std::int64_t kChunkRows = 16384;

/// Rows [first, first + count) of the input as a matrix.
const Tensor input_rows(Backend& backend, const LayerInput& input, std::int64_t first, std::int64_t count,
                        Scalar scalar) {
  if (input.hidden) return input.hidden->view_rows(first, count);
  Tensor rows = backend.empty(count, input.dim(), scalar);
  backend.read_rows(input.features, first, rows);
  return rows;
}

/// input @ weight for every node.
Tensor project(Backend& backend, const LayerInput& input, const Tensor& weight, std::int64_t num_nodes) {
  Tensor projected = backend.empty(num_nodes, weight.cols(), weight.scalar());
  for (std::int64_t first = 0; first < num_nodes; first += kChunkRows) {
    const std::int64_t count = std::min(kChunkRows, num_nodes - first);
    const Tensor rows = input_rows(backend, input, first, count, weight.scalar());
    Tensor out = projected.view_rows(first, count);
    backend.matmul(rows, false, weight, false, 0, out);
  }
  return projected;
}

/// out = aggregate(input) @ weight for all nodes. The two commute, so the narrower side is aggregated.
Tensor infer_aggregated(Backend& backend, CsrView graph, std::span<const float> edge_weights,
                        const LayerInput& input, const Tensor& weight) {
  const std::int64_t num_nodes = graph.num_nodes();
  const bool project_first = weight.cols() < weight.rows();
  const Tensor projected = project_first ? project(backend, input, weight, num_nodes) : Tensor();
  Tensor out = backend.empty(num_nodes, weight.cols(), weight.scalar());
  for (std::int64_t first = 0; first < num_nodes; first += kChunkRows) {
    const std::int64_t count = std::min(kChunkRows, num_nodes - first);
    const auto first_node = static_cast<NodeId>(first);
    Tensor out_rows = out.view_rows(first, count);
    if (project_first) {
      backend.aggregate_rows(graph, edge_weights, first_node, projected, out_rows);
      continue;
    }
    Tensor aggregated = backend.empty(count, input.dim(), weight.scalar());
    if (input.hidden) {
      backend.aggregate_rows(graph, edge_weights, first_node, *input.hidden, aggregated);
    } else {
      backend.aggregate_rows(graph, edge_weights, first_node, input.features, aggregated);
    }
    backend.matmul(aggregated, false, weight, false, 0, out_rows);
  }
  return out;
}

Tensor aggregate_input(Backend& backend, const WeightedBlock& block, const LayerInput& input, Scalar scalar) {
  Tensor aggregated = backend.empty(block.block.num_destinations(), input.dim(), scalar);
  if (input.hidden) {
    backend.aggregate(block.block, block.edge_weights, *input.hidden, aggregated);
  } else {
    backend.aggregate(block.block, block.edge_weights, input.features, input.ids, aggregated);
  }
  return aggregated;
}

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
    backend_.add_bias(bias().value, out);
    return out;
  }

  Tensor backward(const WeightedBlock& block, const LayerInput& input, const LayerContext& context,
                  const Tensor& grad_output) override {
    backend_.matmul_at_b(context.aggregated, grad_output, 0, neighbor_weight().gradient);
    backend_.matmul_at_b(self_rows(input, context), grad_output, 0, self_weight().gradient);
    backend_.bias_gradient(grad_output, bias().gradient);
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
    for (std::int64_t first = 0; first < out.rows(); first += kChunkRows) {
      Tensor out_rows = out.view_rows(first, std::min(kChunkRows, out.rows() - first));
      const Tensor self = input_rows(backend_, input, first, out_rows.rows(), scalar_);
      backend_.matmul(self, false, self_weight().value, false, 1, out_rows);
    }
    backend_.add_bias(bias().value, out);
    return out;
  }

  std::span<Parameter> parameters() override { return parameters_; }

 private:
  Parameter& neighbor_weight() { return parameters_[0]; }
  Parameter& bias() { return parameters_[1]; }
  Parameter& self_weight() { return parameters_[2]; }

  /// The destinations are a prefix of the sources, and matmul uses just the rows it needs.
  static const Tensor& self_rows(const LayerInput& input, const LayerContext& context) {
    return input.hidden ? *input.hidden : context.self;
  }

  Backend& backend_;
  Scalar scalar_;
  std::vector<Parameter> parameters_;
};

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
    backend_.add_bias(bias().value, out);
    return out;
  }

  Tensor backward(const WeightedBlock& block, const LayerInput& input, const LayerContext& context,
                  const Tensor& grad_output) override {
    backend_.matmul_at_b(context.aggregated, grad_output, 0, weight().gradient);
    backend_.bias_gradient(grad_output, bias().gradient);
    if (!input.hidden) return Tensor();
    Tensor grad_aggregated = backend_.empty(grad_output.rows(), input.dim(), scalar_);
    backend_.matmul(grad_output, false, weight().value, true, 0, grad_aggregated);
    Tensor grad_input = backend_.zeros(block.block.num_sources, input.dim(), scalar_);
    backend_.aggregate_backward(block.block, block.edge_weights, grad_aggregated, grad_input);
    return grad_input;
  }

  Tensor infer(CsrView graph, std::span<const float> edge_weights, const LayerInput& input) override {
    Tensor out = infer_aggregated(backend_, graph, edge_weights, input, weight().value);
    backend_.add_bias(bias().value, out);
    return out;
  }

  std::span<Parameter> parameters() override { return parameters_; }

 private:
  Parameter& weight() { return parameters_[0]; }
  Parameter& bias() { return parameters_[1]; }

  Backend& backend_;
  Scalar scalar_;
  std::vector<Parameter> parameters_;
};

}  // namespace

std::unique_ptr<Layer> make_sage_layer(Backend& backend, const std::string& name, LayerShape shape,
                                       std::uint64_t seed) {
  return std::make_unique<SageLayer>(backend, name, shape, seed);
}

std::unique_ptr<Layer> make_gcn_layer(Backend& backend, const std::string& name, LayerShape shape,
                                      std::uint64_t seed) {
  return std::make_unique<GcnLayer>(backend, name, shape, seed);
}

}  // namespace kith
