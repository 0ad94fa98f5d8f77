#include "kernels/op_check.h"

#include <limits>
#include <string>

#include "graph/errors.h"

namespace kith::op_check {
namespace {

std::string shape_of(const Tensor& x) {
  return concat("[", x.rows(), " x ", x.cols(), x.scalar() == Scalar::f32 ? "] f32" : "] f64");
}

void check_shape(const char* who, const char* what, const Tensor& x, std::int64_t rows, std::int64_t cols,
                 Scalar scalar) {
  KITH_CHECK(x.rows() == rows && x.cols() == cols && x.scalar() == scalar, InvalidArgument, who, ": ", what,
             " must be [", rows, " x ", cols, scalar == Scalar::f32 ? "] f32" : "] f64", ", got ", shape_of(x));
}

/// At least `rows` rows of `cols` values.
void check_prefix(const char* who, const char* what, const Tensor& x, std::int64_t rows, std::int64_t cols,
                  Scalar scalar) {
  KITH_CHECK(x.rows() >= rows, InvalidArgument, who, ": ", what, " must have at least ", rows, " rows, got ",
             shape_of(x));
  check_shape(who, what, x, x.rows(), cols, scalar);
}

/// A block here may have more destinations than sources: no kernel reads a destination's own row.
void check_sizes(const char* who, BlockCsrView block, std::span<const float> weights = {}) {
  KITH_CHECK(!block.offsets.empty() && block.num_sources >= 0, InvalidArgument, who,
             ": a block needs row bounds and a number of sources, got ", block.offsets.size(), " bounds and ",
             block.num_sources, " sources");
  KITH_CHECK(weights.empty() || weights.size() == block.sources.size(), InvalidArgument, who,
             ": weights must be empty or one per edge (", block.sources.size(), "), got ", weights.size());
}

void check_edge_weights(const char* who, CsrView graph, std::span<const float> weights) {
  KITH_CHECK(weights.empty() || weights.size() == graph.neighbors.size(), InvalidArgument, who,
             ": weights must be empty or one per edge (", graph.neighbors.size(), "), got ", weights.size());
}

void check_graph_rows(CsrView graph, std::span<const float> weights, NodeId first, std::int64_t num_inputs,
                      const Tensor& out) {
  KITH_CHECK(!graph.offsets.empty() && first >= 0 && first + out.rows() <= graph.num_nodes(), InvalidArgument,
             "aggregate_rows: rows must lie in [0, ", graph.num_nodes(), "), got [", first, ", ",
             first + out.rows(), ")");
  KITH_CHECK(num_inputs == graph.num_nodes(), InvalidArgument, "aggregate_rows: x must have one row per node (",
             graph.num_nodes(), "), got ", num_inputs);
  check_edge_weights("aggregate_rows", graph, weights);
}

/// One row an edge and at least one head.
void check_edge_values(const char* who, const char* what, const Tensor& values, BlockCsrView block,
                       Scalar scalar) {
  check_shape(who, what, values, block.num_edges(), values.cols(), scalar);
  KITH_CHECK(values.cols() > 0, InvalidArgument, who, ": ", what, " must have a column for each head, got ",
             shape_of(values));
}

void check_heads(const char* who, const Tensor& x, std::int64_t heads) {
  KITH_CHECK(x.cols() % heads == 0, InvalidArgument, who, ": a row must be ", heads,
             " heads of equal length, got ", shape_of(x));
}

/// What head_dot and its gradient read: rows of x for `out`, and a vector a head.
void check_head_dot(const char* who, const Tensor& x, const Tensor& weight, const Tensor& out) {
  check_shape(who, "weight", weight, out.cols(), weight.cols(), out.scalar());
  check_prefix(who, "x", x, out.rows(), weight.size(), out.scalar());
}

void check_slope(const char* who, double negative_slope) {
  KITH_CHECK(negative_slope > 0, InvalidArgument, who, ": negative_slope must be > 0, got ", negative_slope);
}

void check_argmax(const char* who, std::size_t size, const Tensor& out) {
  KITH_CHECK(static_cast<std::int64_t>(size) == out.size(), InvalidArgument, who, ": argmax must have ",
             out.size(), " values, got ", size);
}

void check_rate(const char* who, const Dropout& dropout) {
  KITH_CHECK(dropout.rate >= 0 && dropout.rate < 1, InvalidArgument, who, ": rate must be in [0, 1), got ",
             dropout.rate);
}

}  // namespace

void empty(std::int64_t rows, std::int64_t cols) {
  constexpr std::int64_t kMaxValues = std::numeric_limits<std::int64_t>::max() / 16;
  KITH_CHECK(rows >= 0 && cols >= 0 && (cols == 0 || rows <= kMaxValues / cols), InvalidArgument,
             "Backend::empty: a shape must not be negative or beyond memory, got [", rows, " x ", cols, "]");
}

void same_size(const char* who, std::size_t num_values, const Tensor& x) {
  KITH_CHECK(static_cast<std::int64_t>(num_values) == x.size(), InvalidArgument, who, ": expected ", x.size(),
             " values, got ", num_values);
}

void same_shape(const char* who, const char* what, const Tensor& x, const Tensor& expected) {
  check_shape(who, what, x, expected.rows(), expected.cols(), expected.scalar());
}

void gather(FeatureView table, std::span<const NodeId> ids, const Tensor& out) {
  check_shape("gather", "out", out, static_cast<std::int64_t>(ids.size()), table.dim, out.scalar());
}

void read_rows(FeatureView table, std::int64_t first, const Tensor& out) {
  KITH_CHECK(first >= 0 && first <= table.num_rows - out.rows(), InvalidArgument,
             "read_rows: rows must lie in [0, ", table.num_rows, "), got [", first, ", ", first + out.rows(),
             ")");
  check_shape("read_rows", "out", out, out.rows(), table.dim, out.scalar());
}

void aggregate(BlockCsrView block, std::span<const float> weights, const Tensor& x, const Tensor& out) {
  check_sizes("aggregate", block, weights);
  check_prefix("aggregate", "x", x, block.num_sources, x.cols(), out.scalar());
  check_shape("aggregate", "out", out, block.num_destinations(), x.cols(), x.scalar());
}

void aggregate(BlockCsrView block, std::span<const float> weights, FeatureView table,
               std::span<const NodeId> ids, const Tensor& out) {
  check_sizes("aggregate", block, weights);
  KITH_CHECK(static_cast<std::int64_t>(ids.size()) >= block.num_sources, InvalidArgument,
             "aggregate: ids must name a row for each of the ", block.num_sources, " sources, got ",
             ids.size());
  check_shape("aggregate", "out", out, block.num_destinations(), table.dim, out.scalar());
}

void aggregate_backward(BlockCsrView block, std::span<const float> weights, const Tensor& grad_out,
                        const Tensor& grad_x) {
  check_sizes("aggregate_backward", block, weights);
  check_prefix("aggregate_backward", "grad_out", grad_out, block.num_destinations(), grad_x.cols(),
               grad_x.scalar());
  check_prefix("aggregate_backward", "grad_x", grad_x, block.num_sources, grad_out.cols(), grad_out.scalar());
}

void aggregate_heads(BlockCsrView block, const Tensor& weights, const Tensor& x, const Tensor& out) {
  check_sizes("aggregate_heads", block);
  check_edge_values("aggregate_heads", "weights", weights, block, out.scalar());
  check_prefix("aggregate_heads", "x", x, block.num_sources, x.cols(), out.scalar());
  check_heads("aggregate_heads", x, weights.cols());
  check_shape("aggregate_heads", "out", out, block.num_destinations(), x.cols(), x.scalar());
}

void aggregate_heads_backward(BlockCsrView block, const Tensor& weights, const Tensor& grad_out,
                              const Tensor& grad_x) {
  const char* const who = "aggregate_heads_backward";
  check_sizes(who, block);
  check_edge_values(who, "weights", weights, block, grad_x.scalar());
  check_heads(who, grad_x, weights.cols());
  check_prefix(who, "grad_out", grad_out, block.num_destinations(), grad_x.cols(), grad_x.scalar());
  check_prefix(who, "grad_x", grad_x, block.num_sources, grad_out.cols(), grad_out.scalar());
}

void edge_dot(BlockCsrView block, const Tensor& x, const Tensor& y, const Tensor& out) {
  check_sizes("edge_dot", block);
  check_edge_values("edge_dot", "out", out, block, x.scalar());
  check_heads("edge_dot", x, out.cols());
  check_prefix("edge_dot", "x", x, block.num_sources, y.cols(), out.scalar());
  check_prefix("edge_dot", "y", y, block.num_destinations(), x.cols(), out.scalar());
}

void head_dot(const Tensor& x, const Tensor& weight, const Tensor& out) {
  check_head_dot("head_dot", x, weight, out);
}

void head_dot_backward(const Tensor& x, const Tensor& weight, const Tensor& grad_out, const Tensor& grad_x,
                       const Tensor& grad_weight) {
  check_head_dot("head_dot_backward", x, weight, grad_out);
  check_prefix("head_dot_backward", "grad_x", grad_x, grad_out.rows(), weight.size(), weight.scalar());
  same_shape("head_dot_backward", "grad_weight", grad_weight, weight);
}

void edge_scores(BlockCsrView block, const Tensor& at_source, const Tensor& at_destination,
                 double negative_slope, const Tensor& out) {
  check_sizes("edge_scores", block);
  check_slope("edge_scores", negative_slope);
  check_edge_values("edge_scores", "out", out, block, out.scalar());
  check_prefix("edge_scores", "at_source", at_source, block.num_sources, out.cols(), out.scalar());
  check_prefix("edge_scores", "at_destination", at_destination, block.num_destinations(), out.cols(),
               out.scalar());
}

void edge_scores_backward(BlockCsrView block, double negative_slope, const Tensor& scores,
                          const Tensor& grad_scores, const EndGradients& gradients) {
  const char* const who = "edge_scores_backward";
  check_sizes(who, block);
  check_slope(who, negative_slope);
  check_edge_values(who, "scores", scores, block, scores.scalar());
  same_shape(who, "grad_scores", grad_scores, scores);
  check_shape(who, "gradient at_source", *gradients.at_source, block.num_sources, scores.cols(),
              scores.scalar());
  check_shape(who, "gradient at_destination", *gradients.at_destination, block.num_destinations(),
              scores.cols(), scores.scalar());
}

void rows_as_block(CsrView graph, NodeId first, std::int64_t count) {
  KITH_CHECK(!graph.offsets.empty() && first >= 0 && count >= 0 && first + count <= graph.num_nodes(),
             InvalidArgument, "rows_as_block: rows must lie in [0, ", graph.num_nodes(), "), got [", first,
             ", ", first + count, ")");
}

void rows_as_block_edges(std::int64_t count, EdgeOffset num_edges) {
  KITH_CHECK(num_edges <= std::numeric_limits<std::int32_t>::max(), InvalidArgument,
             "rows_as_block: fewer rows are needed, ", count, " rows hold ", num_edges, " edges");
}

void aggregate_max(BlockCsrView block, const Tensor& x, const Tensor& out, std::size_t argmax_size) {
  check_sizes("aggregate_max", block);
  check_prefix("aggregate_max", "x", x, block.num_sources, x.cols(), out.scalar());
  check_shape("aggregate_max", "out", out, block.num_destinations(), x.cols(), x.scalar());
  check_argmax("aggregate_max", argmax_size, out);
}

void aggregate_max_backward(BlockCsrView block, std::size_t argmax_size, const Tensor& grad_out,
                            const Tensor& grad_x) {
  const char* const who = "aggregate_max_backward";
  check_sizes(who, block);
  check_shape(who, "grad_out", grad_out, block.num_destinations(), grad_x.cols(), grad_x.scalar());
  check_prefix(who, "grad_x", grad_x, block.num_sources, grad_out.cols(), grad_out.scalar());
  check_argmax(who, argmax_size, grad_out);
}

void edge_softmax(BlockCsrView block, const Tensor& scores, const Tensor& out) {
  check_sizes("edge_softmax", block);
  check_edge_values("edge_softmax", "scores", scores, block, scores.scalar());
  same_shape("edge_softmax", "out", out, scores);
}

void edge_softmax_backward(BlockCsrView block, const Tensor& out, const Tensor& grad_out,
                           const Tensor& grad_scores) {
  check_sizes("edge_softmax_backward", block);
  check_edge_values("edge_softmax_backward", "out", out, block, out.scalar());
  same_shape("edge_softmax_backward", "grad_out", grad_out, out);
  same_shape("edge_softmax_backward", "grad_scores", grad_scores, out);
}

void aggregate_rows(CsrView graph, std::span<const float> weights, NodeId first, const Tensor& x,
                    const Tensor& out) {
  check_graph_rows(graph, weights, first, x.rows(), out);
  check_shape("aggregate_rows", "out", out, out.rows(), x.cols(), x.scalar());
}

void aggregate_rows(CsrView graph, std::span<const float> weights, NodeId first, const TableRows& x,
                    const Tensor& out) {
  const auto num_ids = static_cast<std::int64_t>(x.ids.size());
  check_graph_rows(graph, weights, first, num_ids > 0 ? num_ids : x.table.num_rows, out);
  check_shape("aggregate_rows", "out", out, out.rows(), x.table.dim, out.scalar());
}

void aggregate_slice(CsrView graph, std::span<const float> weights, const TableSlice& x, std::size_t num_next,
                     const Tensor& out) {
  const std::int64_t num_nodes = graph.offsets.empty() ? 0 : graph.num_nodes();
  KITH_CHECK(x.first >= 0 && x.first + x.table.num_rows <= num_nodes, InvalidArgument,
             "aggregate_slice: the rows of x must lie in [0, ", num_nodes, "), got [", x.first, ", ",
             x.first + x.table.num_rows, ")");
  KITH_CHECK(static_cast<std::int64_t>(num_next) == num_nodes, InvalidArgument,
             "aggregate_slice: next must have one edge per node (", num_nodes, "), got ", num_next);
  check_edge_weights("aggregate_slice", graph, weights);
  check_shape("aggregate_slice", "out", out, num_nodes, x.table.dim, out.scalar());
}

void matmul(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b, const Tensor& c) {
  const std::int64_t inner = transpose_a ? a.rows() : a.cols();
  if (transpose_a) {
    check_shape("matmul", "a", a, inner, c.rows(), c.scalar());
  } else {
    check_prefix("matmul", "a", a, c.rows(), inner, c.scalar());
  }
  check_shape("matmul", "b", b, transpose_b ? c.cols() : inner, transpose_b ? inner : c.cols(), c.scalar());
}

void matmul_at_b(const Tensor& a, const Tensor& g, const Tensor& grad_w) {
  check_prefix("matmul_at_b", "a", a, g.rows(), a.cols(), g.scalar());
  check_shape("matmul_at_b", "grad_w", grad_w, a.cols(), g.cols(), g.scalar());
}

void add_bias(const Tensor& bias, const Tensor& x) {
  check_shape("add_bias", "bias", bias, 1, x.cols(), x.scalar());
}

void bias_gradient(const Tensor& grad, const Tensor& grad_bias) {
  check_shape("bias_gradient", "grad_bias", grad_bias, 1, grad.cols(), grad.scalar());
}

void bias_relu_dropout(const Tensor* bias, const Dropout& dropout, const Tensor& x) {
  check_rate("relu_dropout", dropout);
  if (bias != nullptr) check_shape("relu_dropout", "bias", *bias, 1, x.cols(), x.scalar());
}

void relu_dropout_backward(const Dropout& dropout, const Tensor& y, const Tensor& grad) {
  check_rate("relu_dropout_backward", dropout);
  same_shape("relu_dropout_backward", "grad", grad, y);
}

void softmax_cross_entropy(const Tensor& logits, std::size_t num_labels, const Tensor* gradient,
                           const Tensor& totals) {
  KITH_CHECK(static_cast<std::int64_t>(num_labels) == logits.rows(), InvalidArgument,
             "softmax_cross_entropy: expected a label for each of the ", logits.rows(), " rows, got ",
             num_labels);
  if (gradient != nullptr) same_shape("softmax_cross_entropy", "gradient", *gradient, logits);
  check_shape("softmax_cross_entropy", "totals", totals, 1, 3, Scalar::f64);
}

void embed(const Tensor& table, std::size_t num_ids, const Tensor& out) {
  check_shape("embed", "out", out, static_cast<std::int64_t>(num_ids), table.cols(), table.scalar());
}

void embed_backward(std::size_t num_ids, const Tensor& grad_out, const Tensor& grad_table) {
  check_shape("embed_backward", "grad_out", grad_out, static_cast<std::int64_t>(num_ids), grad_table.cols(),
              grad_table.scalar());
}

void lstm_cell(const Tensor& gates, const Tensor& previous_cell, const Tensor& cell, const Tensor& hidden) {
  check_shape("lstm_cell", "gates", gates, cell.rows(), 4 * cell.cols(), cell.scalar());
  same_shape("lstm_cell", "previous_cell", previous_cell, cell);
  same_shape("lstm_cell", "hidden", hidden, cell);
}

void clip_gradients(double max_norm) {
  KITH_CHECK(max_norm > 0, InvalidArgument, "clip_gradients: max_norm must be > 0, got ", max_norm);
}

void adam(std::span<const AdamParameter> parameters, std::int64_t step) {
  KITH_CHECK(step >= 1, InvalidArgument, "adam: steps count from 1, got ", step);
  for (const AdamParameter& parameter : parameters) {
    same_shape("adam", "gradient", *parameter.gradient, *parameter.value);
    same_shape("adam", "first_moment", *parameter.first_moment, *parameter.value);
    same_shape("adam", "second_moment", *parameter.second_moment, *parameter.value);
    if (parameter.average != nullptr) same_shape("adam", "average", *parameter.average, *parameter.value);
  }
}

}  // namespace kith::op_check
