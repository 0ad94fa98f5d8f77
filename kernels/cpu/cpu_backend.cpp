#include "kernels/cpu/cpu_backend.h"

#include <algorithm>

#include "graph/errors.h"
#include "kernels/cpu/aggregate.h"
#include "kernels/cpu/aggregate_max.h"
#include "kernels/cpu/dense.h"
#include "kernels/cpu/dropout.h"
#include "kernels/cpu/edge_ops.h"
#include "kernels/cpu/head_dot.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/recurrent.h"
#include "kernels/cpu/training.h"
#include "kernels/dispatch.h"
#include "kernels/op_check.h"

namespace kith::cpu {
namespace {

constexpr std::int64_t kValuesPerTile = 1 << 18;  // a fill or copy is bound by memory: few, large tiles

// A reused buffer has no guarded end, so a sanitizer would miss a kernel that runs past it.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kIsReusing = false;
#else
constexpr bool kIsReusing = true;
#endif

}  // namespace

CpuBackend::CpuBackend() : pool_(BufferPool::create({.is_reusing = kIsReusing})) {
  make_blas_single_threaded();
}

CpuBackend::~CpuBackend() = default;

Tensor CpuBackend::empty(std::int64_t rows, std::int64_t cols, Scalar scalar) {
  op_check::empty(rows, cols);
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
  op_check::same_shape("Backend::copy", "to", to, from);
  with_scalar(to.scalar(), [&](auto zero) {
    using T = decltype(zero);
    for_tiles(to.size(), kValuesPerTile, [&](std::int64_t, std::int64_t first, std::int64_t last) {
      std::copy(from.data<T>() + first, from.data<T>() + last, to.data<T>() + first);
    });
  });
}

void CpuBackend::upload(std::span<const double> values, Tensor& to) {
  op_check::same_size("Backend::upload", values.size(), to);
  with_scalar(to.scalar(), [&](auto zero) {
    using T = decltype(zero);
    std::transform(values.begin(), values.end(), to.data<T>(), [](double x) { return static_cast<T>(x); });
  });
}

void CpuBackend::download(const Tensor& from, std::span<double> values) {
  op_check::same_size("Backend::download", values.size(), from);
  with_scalar(from.scalar(), [&](auto zero) {
    using T = decltype(zero);
    std::copy_n(from.data<T>(), from.size(), values.begin());
  });
}

DeviceArrays CpuBackend::to_device(std::span<const std::span<const std::byte>> arrays) {
  return DeviceArrays({arrays.begin(), arrays.end()});
}

void CpuBackend::read_rows(FeatureView table, std::int64_t first, Tensor& out) {
  op_check::read_rows(table, first, out);
  cpu::gather(Rows::of(table.rows(first, out.rows()), nullptr), out);
}

void CpuBackend::gather(FeatureView table, std::span<const NodeId> ids, Tensor& out) {
  op_check::gather(table, ids, out);
  cpu::gather(Rows::of(table, ids.data()), out);
}

void CpuBackend::aggregate(BlockCsrView block, std::span<const float> weights, const Tensor& x, Tensor& out) {
  op_check::aggregate(block, weights, x, out);
  cpu::aggregate(adjacency_of(block, weights), Rows::of(x), out);
}

void CpuBackend::aggregate(BlockCsrView block, std::span<const float> weights, FeatureView table,
                           std::span<const NodeId> ids, Tensor& out) {
  op_check::aggregate(block, weights, table, ids, out);
  cpu::aggregate(adjacency_of(block, weights), Rows::of(table, ids.data()), out);
}

void CpuBackend::aggregate_backward(BlockCsrView block, std::span<const float> weights, const Tensor& grad_out,
                                    Tensor& grad_x) {
  op_check::aggregate_backward(block, weights, grad_out, grad_x);
  cpu::aggregate_backward(block, weights, grad_out, *pool_, grad_x);
}

void CpuBackend::aggregate_heads(BlockCsrView block, const Tensor& weights, const Tensor& x, Tensor& out) {
  op_check::aggregate_heads(block, weights, x, out);
  cpu::aggregate_heads(block, weights, x, out);
}

void CpuBackend::aggregate_heads_backward(BlockCsrView block, const Tensor& weights, const Tensor& grad_out,
                                          Tensor& grad_x) {
  op_check::aggregate_heads_backward(block, weights, grad_out, grad_x);
  cpu::aggregate_heads_backward(block, weights, grad_out, *pool_, grad_x);
}

void CpuBackend::edge_dot(BlockCsrView block, const Tensor& x, const Tensor& y, Tensor& out) {
  op_check::edge_dot(block, x, y, out);
  cpu::edge_dot(block, x, y, out);
}

void CpuBackend::head_dot(const Tensor& x, const Tensor& weight, Tensor& out) {
  op_check::head_dot(x, weight, out);
  cpu::head_dot(x, weight, out);
}

void CpuBackend::head_dot_backward(const Tensor& x, const Tensor& weight, const Tensor& grad_out,
                                   Tensor& grad_x, Tensor& grad_weight) {
  op_check::head_dot_backward(x, weight, grad_out, grad_x, grad_weight);
  cpu::head_dot_backward(x, weight, grad_out, *pool_, {.x = grad_x, .weight = grad_weight});
}

void CpuBackend::edge_scores(BlockCsrView block, const Tensor& at_source, const Tensor& at_destination,
                             double negative_slope, Tensor& out) {
  op_check::edge_scores(block, at_source, at_destination, negative_slope, out);
  cpu::edge_scores(block, at_source, at_destination, negative_slope, out);
}

void CpuBackend::edge_scores_backward(BlockCsrView block, double negative_slope, const Tensor& scores,
                                      const Tensor& grad_scores, const EndGradients& gradients) {
  op_check::edge_scores_backward(block, negative_slope, scores, grad_scores, gradients);
  cpu::edge_scores_backward(
      block, {.scores = scores, .gradient = grad_scores, .negative_slope = negative_slope}, *pool_, gradients);
}

void CpuBackend::aggregate_max(BlockCsrView block, const Tensor& x, Tensor& out,
                               std::span<std::int32_t> argmax) {
  op_check::aggregate_max(block, x, out, argmax.size());
  cpu::aggregate_max(block, x, out, argmax);
}

void CpuBackend::aggregate_max_backward(BlockCsrView block, std::span<const std::int32_t> argmax,
                                        const Tensor& grad_out, Tensor& grad_x) {
  op_check::aggregate_max_backward(block, argmax.size(), grad_out, grad_x);
  cpu::aggregate_max_backward(block, argmax, grad_out, *pool_, grad_x);
}

void CpuBackend::edge_softmax(BlockCsrView block, const Tensor& scores, Tensor& out) {
  op_check::edge_softmax(block, scores, out);
  cpu::edge_softmax(block, scores, out);
}

void CpuBackend::edge_softmax_backward(BlockCsrView block, const Tensor& out, const Tensor& grad_out,
                                       Tensor& grad_scores) {
  op_check::edge_softmax_backward(block, out, grad_out, grad_scores);
  cpu::edge_softmax_backward(block, out, grad_out, grad_scores);
}

void CpuBackend::aggregate_rows(CsrView graph, std::span<const float> weights, NodeId first, const Tensor& x,
                                Tensor& out) {
  op_check::aggregate_rows(graph, weights, first, x, out);
  cpu::aggregate(adjacency_of(graph, weights, first), Rows::of(x), out);
}

void CpuBackend::aggregate_rows(CsrView graph, std::span<const float> weights, NodeId first, const TableRows& x,
                                Tensor& out) {
  op_check::aggregate_rows(graph, weights, first, x, out);
  cpu::aggregate(adjacency_of(graph, weights, first), Rows::of(x.table, x.ids.data()), out);
}

void CpuBackend::aggregate_slice(CsrView graph, std::span<const float> weights, const TableSlice& x,
                                 std::span<EdgeOffset> next, Tensor& out) {
  op_check::aggregate_slice(graph, weights, x, next.size(), out);
  cpu::aggregate_slice(adjacency_of(graph, weights, 0), x, next, out);
}

void CpuBackend::number_rows(std::span<const NodeId> ids, std::span<std::int32_t> out) {
  for (std::size_t i = 0; i < ids.size(); ++i) out[ids[i]] = static_cast<std::int32_t>(i);
}

RowsBlock CpuBackend::rows_as_block(CsrView graph, NodeId first, std::int64_t count) {
  op_check::rows_as_block(graph, first, count);
  const EdgeOffset* const bounds = graph.offsets.data() + first;
  const EdgeOffset num_edges = bounds[count] - bounds[0];
  op_check::rows_as_block_edges(count, num_edges);
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
  op_check::matmul(a, transpose_a, b, transpose_b, c);
  cpu::matmul(a, transpose_a, b, transpose_b, beta, c);
}

void CpuBackend::matmul_at_b(const Tensor& a, const Tensor& g, double beta, Tensor& grad_w) {
  op_check::matmul_at_b(a, g, grad_w);
  cpu::matmul_at_b(a, g, beta, *pool_, grad_w);
}

void CpuBackend::add_bias(const Tensor& bias, Tensor& x) {
  op_check::add_bias(bias, x);
  cpu::add_bias(bias, x);
}

void CpuBackend::bias_gradient(const Tensor& grad, Tensor& grad_bias) {
  op_check::bias_gradient(grad, grad_bias);
  cpu::bias_gradient(grad, *pool_, grad_bias);
}

void CpuBackend::bias_relu_dropout(const Tensor* bias, const Dropout& dropout, Tensor& x) {
  op_check::bias_relu_dropout(bias, dropout, x);
  cpu::bias_relu_dropout(bias, dropout, x);
}

void CpuBackend::relu_dropout_backward(const Dropout& dropout, const Tensor& y, Tensor& grad) {
  op_check::relu_dropout_backward(dropout, y, grad);
  cpu::relu_dropout_backward(dropout, y, grad);
}

void CpuBackend::softmax_cross_entropy(const Tensor& logits, std::span<const std::int32_t> labels,
                                       Tensor* gradient, Tensor& totals) {
  op_check::softmax_cross_entropy(logits, labels.size(), gradient, totals);
  for (const std::int32_t label : labels) {
    KITH_CHECK(label == kNoLabel || (label >= 0 && label < logits.cols()), InvalidArgument,
               "softmax_cross_entropy: labels must be in [0, ", logits.cols(), ") or ", kNoLabel, ", got ",
               label);
  }
  const LossResult result = cpu::softmax_cross_entropy(logits, labels, gradient);
  double* const sums = totals.data<double>();
  sums[0] += result.loss;
  sums[1] += static_cast<double>(result.correct);
  sums[2] += static_cast<double>(result.counted);
}

void CpuBackend::embed(const Tensor& table, std::span<const std::int32_t> ids, Tensor& out) {
  op_check::embed(table, ids.size(), out);
  cpu::embed(table, ids, out);
}

void CpuBackend::embed_backward(std::span<const std::int32_t> ids, const Tensor& grad_out, Tensor& grad_table) {
  op_check::embed_backward(ids.size(), grad_out, grad_table);
  cpu::embed_backward(ids, grad_out, grad_table);
}

void CpuBackend::lstm_cell(Tensor& gates, const Tensor& previous_cell, Tensor& cell, Tensor& hidden) {
  op_check::lstm_cell(gates, previous_cell, cell, hidden);
  cpu::lstm_cell(gates, previous_cell, cell, hidden);
}

void CpuBackend::lstm_cell_backward(const Tensor& gates, const Tensor& previous_cell, const Tensor& cell,
                                    const Tensor& grad_hidden, Tensor& grad_cell, Tensor& grad_gates) {
  op_check::lstm_cell(gates, previous_cell, cell, grad_hidden);
  op_check::same_shape("lstm_cell_backward", "grad_cell", grad_cell, cell);
  op_check::same_shape("lstm_cell_backward", "grad_gates", grad_gates, gates);
  cpu::lstm_cell_backward(
      {.gates = gates, .previous_cell = previous_cell, .cell = cell, .grad_hidden = grad_hidden}, grad_cell,
      grad_gates);
}

double CpuBackend::clip_gradients(std::span<Tensor* const> gradients, double max_norm) {
  op_check::clip_gradients(max_norm);
  return cpu::clip_gradients(gradients, max_norm);
}

void CpuBackend::adam(std::span<const AdamParameter> parameters, const AdamOptions& options,
                      std::int64_t step) {
  op_check::adam(parameters, step);
  cpu::adam(parameters, options, step);
}

}  // namespace kith::cpu

namespace kith {

std::unique_ptr<Backend> make_cpu_backend() { return std::make_unique<cpu::CpuBackend>(); }

}  // namespace kith
