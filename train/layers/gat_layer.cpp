// GAT's layer.
#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>
#include <vector>

#include "train/initialization.h"
#include "train/layer.h"
#include "train/layers/layer_input.h"

namespace kith {
namespace {

constexpr double kNegativeSlope = 0.2;
constexpr std::int64_t kChunkEdges = 1 << 20;  // evaluation keeps two values an edge and head of a chunk

/// [heads * columns x columns] that turns rows of heads into their mean. Empty for one head.
Tensor make_head_mean(Backend& backend, std::int64_t heads, std::int64_t columns, Scalar scalar) {
  if (heads == 1) return Tensor();
  std::vector<double> values(static_cast<std::size_t>(heads * columns * columns));
  for (std::int64_t row = 0; row < heads * columns; ++row) {
    values[static_cast<std::size_t>(row * columns + row % columns)] = 1 / static_cast<double>(heads);
  }
  Tensor mean = backend.empty(heads * columns, columns, scalar);
  backend.upload(values, mean);
  return mean;
}

class GatLayer final : public Layer {
 public:
  GatLayer(Backend& backend, const std::string& name, LayerShape shape, AttentionHeads heads,
           std::uint64_t seed)
      : backend_(backend), scalar_(shape.scalar) {
    assert(!heads.is_concat || shape.out_channels % heads.count == 0);
    const std::int32_t columns = heads.is_concat ? shape.out_channels / heads.count : shape.out_channels;
    const std::int32_t width = heads.count * columns;
    const ParameterFactory make{backend, shape.scalar, seed};
    const auto glorot = [](std::int32_t rows, std::int32_t cols) { return std::sqrt(6.0 / (rows + cols)); };
    parameters_.push_back(
        make.uniform(name + ".lin.weight", shape.in_channels, width, glorot(shape.in_channels, width)));
    for (const char* const end : {".att_src", ".att_dst"}) {
      parameters_.push_back(make.uniform(name + end, heads.count, columns, glorot(heads.count, columns)));
    }
    parameters_.push_back(make.uniform(name + ".bias", 1, shape.out_channels, 0));
    if (!heads.is_concat) head_mean_ = make_head_mean(backend, heads.count, columns, shape.scalar);
  }

  Tensor forward(const WeightedBlock& block, const LayerInput& input, LayerContext& context) override {
    assert(block.edge_weights.empty());
    AttentionContext& kept = context.attention;
    const std::int64_t num_sources = block.block.num_sources;
    if (!input.hidden) {
      kept.input = backend_.empty(num_sources, input.dim(), scalar_);
      backend_.gather(input.features, input.ids.first(static_cast<std::size_t>(num_sources)), kept.input);
    }
    kept.projected = backend_.empty(num_sources, weight().value.cols(), scalar_);
    backend_.matmul(input_of(input, kept), false, weight().value, false, 0, kept.projected);
    const Tensor at_source = dot_with(at_source_weight(), kept.projected, num_sources);
    const Tensor at_destination =
        dot_with(at_destination_weight(), kept.projected, block.block.num_destinations());
    kept.scores = backend_.empty(block.block.num_edges(), heads(), scalar_);
    backend_.edge_scores(block.block, at_source, at_destination, kNegativeSlope, kept.scores);
    kept.weights = backend_.empty(kept.scores.rows(), heads(), scalar_);
    backend_.edge_softmax(block.block, kept.scores, kept.weights);
    if (kept.dropout.rate > 0) {
      kept.dropped = backend_.clone(kept.weights);
      backend_.relu_dropout(kept.dropout, kept.dropped);  // weights are not negative: relu does nothing
    }
    Tensor out = backend_.empty(block.block.num_destinations(), bias().cols(), scalar_);
    combine(block.block, kept.used_weights(), kept.projected, out);
    return out;
  }

  Tensor backward(const WeightedBlock& block, const LayerInput& input, const LayerContext& context,
                  const Tensor& grad_output) override {
    const AttentionContext& kept = context.attention;
    backend_.bias_gradient(grad_output, parameters_[3].gradient);
    Tensor grad_heads;
    if (!head_mean_.empty()) {
      grad_heads = backend_.empty(grad_output.rows(), weight().value.cols(), scalar_);
      backend_.matmul(grad_output, false, head_mean_, true, 0, grad_heads);
    }
    const Tensor& grad_combined = head_mean_.empty() ? grad_output : grad_heads;
    Tensor grad_projected = backend_.zeros(kept.projected.rows(), kept.projected.cols(), scalar_);
    backend_.aggregate_heads_backward(block.block, kept.used_weights(), grad_combined, grad_projected);
    Tensor grad_weights = backend_.empty(kept.weights.rows(), heads(), scalar_);
    backend_.edge_dot(block.block, kept.projected, grad_combined, grad_weights);
    if (kept.dropout.rate > 0) backend_.relu_dropout_backward(kept.dropout, kept.dropped, grad_weights);
    backward_of_scores(block.block, kept, grad_weights, grad_projected);
    backend_.matmul_at_b(input_of(input, kept), grad_projected, 0, weight().gradient);
    if (!input.hidden) return Tensor();
    Tensor grad_input = backend_.empty(block.block.num_sources, input.dim(), scalar_);
    backend_.matmul(grad_projected, false, weight().value, true, 0, grad_input);
    return grad_input;
  }

  Tensor infer(CsrView graph, std::span<const float> edge_weights, const LayerInput& input) override {
    assert(edge_weights.empty());
    (void)edge_weights;
    const std::int64_t num_nodes = graph.num_nodes();
    const Tensor projected = project(backend_, input, weight().value, num_nodes);
    const Tensor at_source = dot_with(at_source_weight(), projected, num_nodes);
    const Tensor at_destination = dot_with(at_destination_weight(), projected, num_nodes);
    Tensor out = backend_.empty(num_nodes, bias().cols(), scalar_);
    const std::int64_t mean_degree = graph.num_edges() / std::max<std::int64_t>(num_nodes, 1) + 1;
    const std::int64_t chunk_rows = std::clamp<std::int64_t>(kChunkEdges / mean_degree, 1, kChunkRows);
    for (std::int64_t first = 0; first < num_nodes; first += chunk_rows) {
      const std::int64_t count = std::min(chunk_rows, num_nodes - first);
      const RowsBlock rows = backend_.rows_as_block(graph, static_cast<NodeId>(first), count);
      Tensor scores = backend_.empty(rows.block.num_edges(), heads(), scalar_);
      backend_.edge_scores(rows.block, at_source, at_destination.view_rows(first, count), kNegativeSlope,
                           scores);
      Tensor weights = backend_.empty(scores.rows(), heads(), scalar_);
      backend_.edge_softmax(rows.block, scores, weights);
      Tensor out_rows = out.view_rows(first, count);
      combine(rows.block, weights, projected, out_rows);
    }
    return out;
  }

  const Tensor& bias() const override { return parameters_[3].value; }
  std::span<Parameter> parameters() override { return parameters_; }

 private:
  Parameter& weight() { return parameters_[0]; }
  Parameter& at_source_weight() { return parameters_[1]; }
  Parameter& at_destination_weight() { return parameters_[2]; }
  std::int64_t heads() const { return parameters_[1].value.rows(); }

  static const Tensor& input_of(const LayerInput& input, const AttentionContext& kept) {
    return input.hidden ? *input.hidden : kept.input;
  }

  /// [count x heads]: the first `count` rows of `projected` with a weight of the attention.
  Tensor dot_with(const Parameter& attention, const Tensor& projected, std::int64_t count) {
    Tensor dots = backend_.empty(count, heads(), scalar_);
    backend_.head_dot(projected, attention.value, dots);
    return dots;
  }

  /// out = the rows of `projected` summed by the attention, heads side by side or their mean.
  void combine(BlockCsrView block, const Tensor& weights, const Tensor& projected, Tensor& out) {
    if (head_mean_.empty()) return backend_.aggregate_heads(block, weights, projected, out);
    Tensor side_by_side = backend_.empty(out.rows(), projected.cols(), scalar_);
    backend_.aggregate_heads(block, weights, projected, side_by_side);
    backend_.matmul(side_by_side, false, head_mean_, false, 0, out);
  }

  /// From d(loss)/d(attention weights) to the gradients of att_src and att_dst, and into grad_projected.
  void backward_of_scores(BlockCsrView block, const AttentionContext& kept, const Tensor& grad_weights,
                          Tensor& grad_projected) {
    Tensor grad_scores = backend_.empty(grad_weights.rows(), heads(), scalar_);
    backend_.edge_softmax_backward(block, kept.weights, grad_weights, grad_scores);
    Tensor grad_source = backend_.empty(block.num_sources, heads(), scalar_);
    Tensor grad_destination = backend_.empty(block.num_destinations(), heads(), scalar_);
    backend_.edge_scores_backward(block, kNegativeSlope, kept.scores, grad_scores,
                                  {.at_source = &grad_source, .at_destination = &grad_destination});
    backend_.head_dot_backward(kept.projected, at_source_weight().value, grad_source, grad_projected,
                               at_source_weight().gradient);
    backend_.head_dot_backward(kept.projected, at_destination_weight().value, grad_destination, grad_projected,
                               at_destination_weight().gradient);
  }

  Backend& backend_;
  Scalar scalar_;
  Tensor head_mean_;  ///< empty: heads stay side by side
  std::vector<Parameter> parameters_;
};

}  // namespace

std::unique_ptr<Layer> make_gat_layer(Backend& backend, const std::string& name, LayerShape shape,
                                      AttentionHeads heads, std::uint64_t seed) {
  return std::make_unique<GatLayer>(backend, name, shape, heads, seed);
}

}  // namespace kith
