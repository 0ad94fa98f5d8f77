#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "kernels/cuda/aggregate.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/edge_scores.h"
#include "kernels/cuda/search.cuh"
#include "kernels/cuda/threads.cuh"
#include "kernels/cuda/transpose.h"
#include "kernels/dispatch.h"
#include "kernels/op_check.h"

namespace kith::cuda {
namespace {

/// One call of edge_scores_kernel.
template <typename T>
struct ScoreCall {
  const std::int32_t* offsets;
  const std::int32_t* sources;
  std::int32_t num_rows;
  std::int32_t heads;
  const T* at_source;
  const T* at_destination;
  T negative_slope;
};

template <typename T>
__global__ void edge_scores_kernel(ScoreCall<T> call, std::int64_t count, T* out) {
  const std::int64_t i = thread_index();
  if (i >= count) return;
  const auto e = static_cast<std::int32_t>(i / call.heads);
  const auto head = static_cast<std::int32_t>(i % call.heads);
  const std::int64_t v = row_of_edge(call.offsets, call.num_rows, e);
  const std::int64_t u = call.sources[e];
  const T score = call.at_source[u * call.heads + head] + call.at_destination[v * call.heads + head];
  out[i] = score > T{0} ? score : score * call.negative_slope;
}

template <typename T>
__global__ void leaky_relu_backward_kernel(const T* scores, const T* grad_out, T negative_slope,
                                           std::int64_t count, T* grad) {
  const std::int64_t i = thread_index();
  if (i < count) grad[i] = scores[i] > T{0} ? grad_out[i] : grad_out[i] * negative_slope;
}

/// numbers[e] = e, ones[e] = 1.
__global__ void number_edges_kernel(std::int32_t num_edges, std::int32_t* numbers, float* ones) {
  const std::int64_t e = thread_index();
  if (e >= num_edges) return;
  numbers[e] = static_cast<std::int32_t>(e);
  ones[e] = 1;
}

__global__ void rebase_kernel(const EdgeOffset* bounds, std::int64_t count, std::int32_t* offsets) {
  const std::int64_t i = thread_index();
  if (i < count) offsets[i] = static_cast<std::int32_t>(bounds[i] - bounds[0]);
}

}  // namespace

void edge_scores(const Context& context, BlockCsrView block, const ScoreEnds& ends, Tensor& out) {
  with_scalar(out.scalar(), [&](auto zero) {
    using T = decltype(zero);
    const ScoreCall<T> call{.offsets = block.offsets.data(),
                            .sources = block.sources.data(),
                            .num_rows = block.num_destinations(),
                            .heads = static_cast<std::int32_t>(out.cols()),
                            .at_source = ends.at_source.data<T>(),
                            .at_destination = ends.at_destination.data<T>(),
                            .negative_slope = static_cast<T>(ends.negative_slope)};
    launch(&edge_scores_kernel<T>, shape_for(context, out.size()), call, out.size(), out.data<T>());
  });
}

void edge_scores_backward(const Context& context, BlockCsrView block, const ScoredEdges& edges,
                          const EndGradients& gradients) {
  const std::int32_t num_edges = block.num_edges();
  Tensor grad = context.memory.acquire(num_edges, edges.scores.cols(), edges.scores.scalar());
  with_scalar(grad.scalar(), [&](auto zero) {
    using T = decltype(zero);
    launch(&leaky_relu_backward_kernel<T>, shape_for(context, grad.size()), edges.scores.data<T>(),
           edges.gradient.data<T>(), static_cast<T>(edges.negative_slope), grad.size(), grad.data<T>());
  });
  const Tensor::Buffer numbers = context.memory.acquire_array<std::int32_t>(num_edges);
  const Tensor::Buffer ones = context.memory.acquire_array<float>(num_edges);
  launch(&number_edges_kernel, shape_for(context, num_edges), num_edges, array_of<std::int32_t>(numbers),
         array_of<float>(ones));
  // Either gradient sums the rows of `grad` that belong to a node's edges.
  const auto num = static_cast<std::size_t>(num_edges);
  const std::span<const float> weights(array_of<float>(ones), num);
  aggregate<std::int32_t>(
      context,
      {.offsets = block.offsets, .sources = {array_of<std::int32_t>(numbers), num}, .weights = weights},
      Rows::of(grad), *gradients.at_destination);
  std::optional<Transposed> own;
  const Transposed& transposed = transposed_of(context, block, own);
  aggregate<std::int32_t>(context,
                          {.offsets = {transposed.offsets(), static_cast<std::size_t>(block.num_sources) + 1},
                           .sources = {transposed.edges(), num},
                           .weights = weights},
                          Rows::of(grad), *gradients.at_source);
}

RowsBlock rows_as_block(const Context& context, CsrView graph, NodeId first, std::int64_t count) {
  const EdgeOffset* const bounds = graph.offsets.data() + first;
  EdgeOffset begin = 0;
  EdgeOffset end = 0;
  for (const auto& [to, from] : {std::pair{&begin, bounds}, std::pair{&end, bounds + count}}) {
    CUDA_CHECK(cudaMemcpyAsync(to, from, sizeof(EdgeOffset), cudaMemcpyDeviceToHost, context.stream));
  }
  CUDA_CHECK(cudaStreamSynchronize(context.stream));
  op_check::rows_as_block_edges(count, end - begin);
  RowsBlock rows{.offsets = context.memory.acquire_array<std::int32_t>(count + 1), .block = {}};
  auto* const offsets = array_of<std::int32_t>(rows.offsets);
  launch(&rebase_kernel, shape_for(context, count + 1), bounds, count + 1, offsets);
  rows.block = {.num_sources = graph.num_nodes(),
                .offsets = {offsets, static_cast<std::size_t>(count) + 1},
                .sources = graph.neighbors.subspan(static_cast<std::size_t>(begin),
                                                   static_cast<std::size_t>(end - begin))};
  return rows;
}

}  // namespace kith::cuda
