#include "kernels/cpu/cpu_backend.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/errors.h"
#include "kernels/cpu/aggregate.h"
#include "kernels/cpu/aggregate_max.h"
#include "kernels/cpu/dense.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/dropout.h"
#include "kernels/cpu/edge_ops.h"
#include "kernels/cpu/head_dot.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/training.h"

namespace kith::cpu {
namespace {

constexpr std::int64_t kValuesPerTile = 1 << 18;  // a fill or copy is bound by memory: few, large tiles

// A reused buffer has no guarded end, so a sanitizer would miss a kernel that runs past it.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kIsReusing = false;
#else
constexpr bool kIsReusing = true;
#endif

std::string shape_of(const Tensor& x) {
  return concat("[", x.rows(), " x ", x.cols(), x.scalar() == Scalar::f32 ? "] f32" : "] f64");
}

void check_shape(const char* who, const char* what, const Tensor& x, std::int64_t rows, std::int64_t cols,
                 Scalar scalar) {
  KITH_CHECK(x.rows() == rows && x.cols() == cols && x.scalar() == scalar, InvalidArgument, who, ": ", what,
             " must be [", rows, " x ", cols, scalar == Scalar::f32 ? "] f32" : "] f64", ", got ", shape_of(x));
}

void check_same(const char* who, const char* what, const Tensor& x, const Tensor& expected) {
  check_shape(who, what, x, expected.rows(), expected.cols(), expected.scalar());
}

/// At least `rows` rows of `cols` values.
void check_prefix(const char* who, const char* what, const Tensor& x, std::int64_t rows, std::int64_t cols,
                  Scalar scalar) {
  KITH_CHECK(x.rows() >= rows, InvalidArgument, who, ": ", what, " must have at least ", rows, " rows, got ",
             shape_of(x));
  check_shape(who, what, x, x.rows(), cols, scalar);
}

/// A block here may have more destinations than sources: no kernel reads a destination's own row.
void check_block(const char* who, BlockCsrView block, std::span<const float> weights = {}) {
  KITH_CHECK(!block.offsets.empty() && block.num_sources >= 0, InvalidArgument, who,
             ": a block needs row bounds and a number of sources, got ", block.offsets.size(), " bounds and ",
             block.num_sources, " sources");
  KITH_CHECK(weights.empty() || weights.size() == block.sources.size(), InvalidArgument, who,
             ": weights must be empty or one per edge (", block.sources.size(), "), got ", weights.size());
}

void check_graph_rows(CsrView graph, std::span<const float> weights, NodeId first, std::int64_t num_inputs,
                      const Tensor& out) {
  KITH_CHECK(!graph.offsets.empty() && first >= 0 && first + out.rows() <= graph.num_nodes(), InvalidArgument,
             "aggregate_rows: rows must lie in [0, ", graph.num_nodes(), "), got [", first, ", ",
             first + out.rows(), ")");
  KITH_CHECK(num_inputs == graph.num_nodes(), InvalidArgument, "aggregate_rows: x must have one row per node (",
             graph.num_nodes(), "), got ", num_inputs);
  KITH_CHECK(weights.empty() || weights.size() == graph.neighbors.size(), InvalidArgument,
             "aggregate_rows: weights must be empty or one per edge (", graph.neighbors.size(), "), got ",
             weights.size());
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

CpuBackend::CpuBackend() : pool_(BufferPool::create({.is_reusing = kIsReusing})) {
  make_blas_single_threaded();
}

CpuBackend::~CpuBackend() = default;

Tensor CpuBackend::empty(std::int64_t rows, std::int64_t cols, Scalar scalar) {
  constexpr std::int64_t kMaxValues = std::numeric_limits<std::int64_t>::max() / 16;
  KITH_CHECK(rows >= 0 && cols >= 0 && (cols == 0 || rows <= kMaxValues / cols), InvalidArgument,
             "Backend::empty: a shape must not be negative or beyond memory, got [", rows, " x ", cols, "]");
  return pool_->acquire(rows, cols, scalar);
}

void CpuBackend::fill(Tensor& x, double value) {
  with_scalar(x.scalar(), [&](auto zero) {
    using T = decltype(zero);
    for_tiles(x.size(), kValuesPerTile, [&](std::int64_t, std::int64_t first, std::int64_t last) {
      std::fill(x.data<T>() + first, x.data<T>() + last, static_cast<T>(value));
    });
  });
}

void CpuBackend::copy(const Tensor& from, Tensor& to) {
  check_same("Backend::copy", "to", to, from);
  with_scalar(to.scalar(), [&](auto zero) {
    using T = decltype(zero);
    for_tiles(to.size(), kValuesPerTile, [&](std::int64_t, std::int64_t first, std::int64_t last) {
      std::copy(from.data<T>() + first, from.data<T>() + last, to.data<T>() + first);
    });
  });
}

void CpuBackend::upload(std::span<const double> values, Tensor& to) {
  KITH_CHECK(static_cast<std::int64_t>(values.size()) == to.size(), InvalidArgument,
             "Backend::upload: expected ", to.size(), " values, got ", values.size());
  with_scalar(to.scalar(), [&](auto zero) {
    using T = decltype(zero);
    std::transform(values.begin(), values.end(), to.data<T>(), [](double x) { return static_cast<T>(x); });
  });
}

void CpuBackend::download(const Tensor& from, std::span<double> values) {
  KITH_CHECK(static_cast<std::int64_t>(values.size()) == from.size(), InvalidArgument,
             "Backend::download: expected room for ", from.size(), " values, got ", values.size());
  with_scalar(from.scalar(), [&](auto zero) {
    using T = decltype(zero);
    std::copy_n(from.data<T>(), from.size(), values.begin());
  });
}

void CpuBackend::gather(FeatureView table, std::span<const NodeId> ids, Tensor& out) {
  check_shape("gather", "out", out, static_cast<std::int64_t>(ids.size()), table.dim, out.scalar());
  cpu::gather(Rows::of(table, ids.data()), out);
}

void CpuBackend::aggregate(BlockCsrView block, std::span<const float> weights, const Tensor& x, Tensor& out) {
  check_block("aggregate", block, weights);
  check_prefix("aggregate", "x", x, block.num_sources, x.cols(), out.scalar());
  check_shape("aggregate", "out", out, block.num_destinations(), x.cols(), x.scalar());
  cpu::aggregate<std::int32_t>({.offsets = block.offsets, .sources = block.sources, .weights = weights},
                               Rows::of(x), out);
}

void CpuBackend::aggregate(BlockCsrView block, std::span<const float> weights, FeatureView table,
                           std::span<const NodeId> ids, Tensor& out) {
  check_block("aggregate", block, weights);
  KITH_CHECK(static_cast<std::int64_t>(ids.size()) >= block.num_sources, InvalidArgument,
             "aggregate: ids must name a row for each of the ", block.num_sources, " sources, got ",
             ids.size());
  check_shape("aggregate", "out", out, block.num_destinations(), table.dim, out.scalar());
  cpu::aggregate<std::int32_t>({.offsets = block.offsets, .sources = block.sources, .weights = weights},
                               Rows::of(table, ids.data()), out);
}

void CpuBackend::aggregate_backward(BlockCsrView block, std::span<const float> weights, const Tensor& grad_out,
                                    Tensor& grad_x) {
  check_block("aggregate_backward", block, weights);
  check_prefix("aggregate_backward", "grad_out", grad_out, block.num_destinations(), grad_x.cols(),
               grad_x.scalar());
  check_prefix("aggregate_backward", "grad_x", grad_x, block.num_sources, grad_out.cols(), grad_out.scalar());
  cpu::aggregate_backward(block, weights, grad_out, *pool_, grad_x);
}

void CpuBackend::aggregate_heads(BlockCsrView block, const Tensor& weights, const Tensor& x, Tensor& out) {
  check_block("aggregate_heads", block);
  check_edge_values("aggregate_heads", "weights", weights, block, out.scalar());
  check_prefix("aggregate_heads", "x", x, block.num_sources, x.cols(), out.scalar());
  check_heads("aggregate_heads", x, weights.cols());
  check_shape("aggregate_heads", "out", out, block.num_destinations(), x.cols(), x.scalar());
  cpu::aggregate_heads(block, weights, x, out);
}

void CpuBackend::aggregate_heads_backward(BlockCsrView block, const Tensor& weights, const Tensor& grad_out,
                                          Tensor& grad_x) {
  const char* const who = "aggregate_heads_backward";
  check_block(who, block);
  check_edge_values(who, "weights", weights, block, grad_x.scalar());
  check_heads(who, grad_x, weights.cols());
  check_prefix(who, "grad_out", grad_out, block.num_destinations(), grad_x.cols(), grad_x.scalar());
  check_prefix(who, "grad_x", grad_x, block.num_sources, grad_out.cols(), grad_out.scalar());
  cpu::aggregate_heads_backward(block, weights, grad_out, *pool_, grad_x);
}

void CpuBackend::edge_dot(BlockCsrView block, const Tensor& x, const Tensor& y, Tensor& out) {
  check_block("edge_dot", block);
  check_edge_values("edge_dot", "out", out, block, x.scalar());
  check_heads("edge_dot", x, out.cols());
  check_prefix("edge_dot", "x", x, block.num_sources, y.cols(), out.scalar());
  check_prefix("edge_dot", "y", y, block.num_destinations(), x.cols(), out.scalar());
  cpu::edge_dot(block, x, y, out);
}

void CpuBackend::head_dot(const Tensor& x, const Tensor& weight, Tensor& out) {
  check_head_dot("head_dot", x, weight, out);
  cpu::head_dot(x, weight, out);
}

void CpuBackend::head_dot_backward(const Tensor& x, const Tensor& weight, const Tensor& grad_out,
                                   Tensor& grad_x, Tensor& grad_weight) {
  check_head_dot("head_dot_backward", x, weight, grad_out);
  check_prefix("head_dot_backward", "grad_x", grad_x, grad_out.rows(), weight.size(), weight.scalar());
  check_same("head_dot_backward", "grad_weight", grad_weight, weight);
  cpu::head_dot_backward(x, weight, grad_out, *pool_, {.x = grad_x, .weight = grad_weight});
}

void CpuBackend::edge_scores(BlockCsrView block, const Tensor& at_source, const Tensor& at_destination,
                             double negative_slope, Tensor& out) {
  check_block("edge_scores", block);
  check_slope("edge_scores", negative_slope);
  check_edge_values("edge_scores", "out", out, block, out.scalar());
  check_prefix("edge_scores", "at_source", at_source, block.num_sources, out.cols(), out.scalar());
  check_prefix("edge_scores", "at_destination", at_destination, block.num_destinations(), out.cols(),
               out.scalar());
  cpu::edge_scores(block, at_source, at_destination, negative_slope, out);
}

void CpuBackend::edge_scores_backward(BlockCsrView block, double negative_slope, const Tensor& scores,
                                      const Tensor& grad_scores, const EndGradients& gradients) {
  const char* const who = "edge_scores_backward";
  check_block(who, block);
  check_slope(who, negative_slope);
  check_edge_values(who, "scores", scores, block, scores.scalar());
  check_same(who, "grad_scores", grad_scores, scores);
  check_shape(who, "gradient at_source", *gradients.at_source, block.num_sources, scores.cols(),
              scores.scalar());
  check_shape(who, "gradient at_destination", *gradients.at_destination, block.num_destinations(),
              scores.cols(), scores.scalar());
  cpu::edge_scores_backward(
      block, {.scores = scores, .gradient = grad_scores, .negative_slope = negative_slope}, *pool_, gradients);
}

void CpuBackend::aggregate_max(BlockCsrView block, const Tensor& x, Tensor& out,
                               std::span<std::int32_t> argmax) {
  check_block("aggregate_max", block);
  check_prefix("aggregate_max", "x", x, block.num_sources, x.cols(), out.scalar());
  check_shape("aggregate_max", "out", out, block.num_destinations(), x.cols(), x.scalar());
  check_argmax("aggregate_max", argmax.size(), out);
  cpu::aggregate_max(block, x, out, argmax);
}

void CpuBackend::aggregate_max_backward(BlockCsrView block, std::span<const std::int32_t> argmax,
                                        const Tensor& grad_out, Tensor& grad_x) {
  const char* const who = "aggregate_max_backward";
  check_block(who, block);
  check_shape(who, "grad_out", grad_out, block.num_destinations(), grad_x.cols(), grad_x.scalar());
  check_prefix(who, "grad_x", grad_x, block.num_sources, grad_out.cols(), grad_out.scalar());
  check_argmax(who, argmax.size(), grad_out);
  cpu::aggregate_max_backward(block, argmax, grad_out, *pool_, grad_x);
}

void CpuBackend::edge_softmax(BlockCsrView block, const Tensor& scores, Tensor& out) {
  check_block("edge_softmax", block);
  check_edge_values("edge_softmax", "scores", scores, block, scores.scalar());
  check_same("edge_softmax", "out", out, scores);
  cpu::edge_softmax(block, scores, out);
}

void CpuBackend::edge_softmax_backward(BlockCsrView block, const Tensor& out, const Tensor& grad_out,
                                       Tensor& grad_scores) {
  check_block("edge_softmax_backward", block);
  check_edge_values("edge_softmax_backward", "out", out, block, out.scalar());
  check_same("edge_softmax_backward", "grad_out", grad_out, out);
  check_same("edge_softmax_backward", "grad_scores", grad_scores, out);
  cpu::edge_softmax_backward(block, out, grad_out, grad_scores);
}

void CpuBackend::aggregate_rows(CsrView graph, std::span<const float> weights, NodeId first, const Tensor& x,
                                Tensor& out) {
  check_graph_rows(graph, weights, first, x.rows(), out);
  check_shape("aggregate_rows", "out", out, out.rows(), x.cols(), x.scalar());
  cpu::aggregate<std::int64_t>(
      {.offsets = graph.offsets, .sources = graph.neighbors, .weights = weights, .first = first}, Rows::of(x),
      out);
}

void CpuBackend::aggregate_rows(CsrView graph, std::span<const float> weights, NodeId first, FeatureView x,
                                Tensor& out) {
  check_graph_rows(graph, weights, first, x.num_rows, out);
  check_shape("aggregate_rows", "out", out, out.rows(), x.dim, out.scalar());
  cpu::aggregate<std::int64_t>(
      {.offsets = graph.offsets, .sources = graph.neighbors, .weights = weights, .first = first},
      Rows::of(x, nullptr), out);
}

RowsBlock CpuBackend::rows_as_block(CsrView graph, NodeId first, std::int64_t count) {
  KITH_CHECK(!graph.offsets.empty() && first >= 0 && count >= 0 && first + count <= graph.num_nodes(),
             InvalidArgument, "rows_as_block: rows must lie in [0, ", graph.num_nodes(), "), got [", first,
             ", ", first + count, ")");
  const EdgeOffset* const bounds = graph.offsets.data() + first;
  const EdgeOffset num_edges = bounds[count] - bounds[0];
  KITH_CHECK(num_edges <= std::numeric_limits<std::int32_t>::max(), InvalidArgument,
             "rows_as_block: fewer rows are needed, ", count, " rows hold ", num_edges, " edges");
  RowsBlock rows{.offsets = pool_->acquire((static_cast<std::size_t>(count) + 1) * sizeof(std::int32_t)),
                 .block = {}};
  auto* const offsets = reinterpret_cast<std::int32_t*>(rows.offsets.get());
  for_tiles(count + 1, kValuesPerTile, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      offsets[i] = static_cast<std::int32_t>(bounds[i] - bounds[0]);
    }
  });
  rows.block = {.num_sources = graph.num_nodes(),
                .offsets = {offsets, static_cast<std::size_t>(count) + 1},
                .sources = graph.neighbors.subspan(static_cast<std::size_t>(bounds[0]),
                                                   static_cast<std::size_t>(num_edges))};
  return rows;
}

void CpuBackend::matmul(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b, double beta,
                        Tensor& c) {
  const std::int64_t inner = transpose_a ? a.rows() : a.cols();
  if (transpose_a) {
    check_shape("matmul", "a", a, inner, c.rows(), c.scalar());
  } else {
    check_prefix("matmul", "a", a, c.rows(), inner, c.scalar());
  }
  check_shape("matmul", "b", b, transpose_b ? c.cols() : inner, transpose_b ? inner : c.cols(), c.scalar());
  cpu::matmul(a, transpose_a, b, transpose_b, beta, c);
}

void CpuBackend::matmul_at_b(const Tensor& a, const Tensor& g, double beta, Tensor& grad_w) {
  check_prefix("matmul_at_b", "a", a, g.rows(), a.cols(), g.scalar());
  check_shape("matmul_at_b", "grad_w", grad_w, a.cols(), g.cols(), g.scalar());
  cpu::matmul_at_b(a, g, beta, *pool_, grad_w);
}

void CpuBackend::add_bias(const Tensor& bias, Tensor& x) {
  check_shape("add_bias", "bias", bias, 1, x.cols(), x.scalar());
  cpu::add_bias(bias, x);
}

void CpuBackend::bias_gradient(const Tensor& grad, Tensor& grad_bias) {
  check_shape("bias_gradient", "grad_bias", grad_bias, 1, grad.cols(), grad.scalar());
  cpu::bias_gradient(grad, *pool_, grad_bias);
}

void CpuBackend::relu_dropout(const Dropout& dropout, Tensor& x) {
  check_rate("relu_dropout", dropout);
  cpu::relu_dropout(dropout, x);
}

void CpuBackend::relu_dropout_backward(const Dropout& dropout, const Tensor& y, Tensor& grad) {
  check_rate("relu_dropout_backward", dropout);
  check_same("relu_dropout_backward", "grad", grad, y);
  cpu::relu_dropout_backward(dropout, y, grad);
}

LossResult CpuBackend::softmax_cross_entropy(const Tensor& logits, std::span<const std::int32_t> labels,
                                             Tensor* gradient) {
  KITH_CHECK(static_cast<std::int64_t>(labels.size()) == logits.rows(), InvalidArgument,
             "softmax_cross_entropy: expected a label for each of the ", logits.rows(), " rows, got ",
             labels.size());
  if (gradient != nullptr) {
    check_same("softmax_cross_entropy", "gradient", *gradient, logits);
  }
  for (const std::int32_t label : labels) {
    KITH_CHECK(label == kNoLabel || (label >= 0 && label < logits.cols()), InvalidArgument,
               "softmax_cross_entropy: labels must be in [0, ", logits.cols(), ") or ", kNoLabel, ", got ",
               label);
  }
  return cpu::softmax_cross_entropy(logits, labels, gradient);
}

void CpuBackend::adam(std::span<const AdamParameter> parameters, const AdamOptions& options,
                      std::int64_t step) {
  KITH_CHECK(step >= 1, InvalidArgument, "adam: steps count from 1, got ", step);
  for (const AdamParameter& parameter : parameters) {
    check_same("adam", "gradient", *parameter.gradient, *parameter.value);
    check_same("adam", "first_moment", *parameter.first_moment, *parameter.value);
    check_same("adam", "second_moment", *parameter.second_moment, *parameter.value);
  }
  cpu::adam(parameters, options, step);
}

}  // namespace kith::cpu

namespace kith {

std::unique_ptr<Backend> make_cpu_backend() { return std::make_unique<cpu::CpuBackend>(); }

}  // namespace kith
