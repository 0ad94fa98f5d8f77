#include <algorithm>
#include <bit>
#include <type_traits>

#include "kernels/cuda/columns.cuh"
#include "kernels/cuda/edge_ops.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/rows.cuh"
#include "kernels/cuda/tiling.h"
#include "kernels/dispatch.h"

namespace kith::cuda {
namespace {

constexpr int kUnroll =
    4;  // edges that a group has under way: the row of the destination is read once for them

/// Everything that is the same for all rows of one call.
template <typename T>
struct DotCall {
  const T* x;  ///< [sources x num_heads * head_columns]
  const T* y;  ///< [num_rows x num_heads * head_columns]
  const std::int32_t* offsets;
  const std::int32_t* sources;
  T* out;  ///< [num_edges x num_heads]
  std::int32_t num_rows;
  std::int32_t num_heads;
  std::int32_t head_columns;
};

/// out[e, head] for the edges [edge, min(edge + kUnroll, end)) of `row`, by a group of blockDim.x lanes.
template <typename T, int kVector>
__device__ void dot_edges(const DotCall<T>& call, std::int64_t row, std::int32_t head, std::int32_t edge,
                          std::int32_t end) {
  const std::int64_t row_columns = std::int64_t{call.num_heads} * call.head_columns;
  const std::int64_t head_column = std::int64_t{head} * call.head_columns;
  const T* const y = call.y + row * row_columns + head_column;
  const T* x[kUnroll];
  T sum[kUnroll] = {};
#pragma unroll
  for (int i = 0; i < kUnroll; ++i) {
    x[i] = call.x + __ldcs(call.sources + min(edge + i, end - 1)) * row_columns + head_column;
  }
  const int lanes = static_cast<int>(blockDim.x);
  for (int column = static_cast<int>(threadIdx.x) * kVector; column < call.head_columns;
       column += lanes * kVector) {
    const Packed<T, kVector> b = load_read_only<kVector>(y + column);
    Packed<T, kVector> a[kUnroll];
#pragma unroll
    for (int i = 0; i < kUnroll; ++i) a[i] = load_read_only<kVector>(x[i] + column);
#pragma unroll
    for (int i = 0; i < kUnroll; ++i) {
#pragma unroll
      for (int j = 0; j < kVector; ++j) sum[i] += a[i].values[j] * b.values[j];
    }
  }
  // Lanes of one group and no others are in the mask: its neighbours in the warp may be at other edges.
  const unsigned all = lanes == kWarpSize ? ~0U : (1U << lanes) - 1;
  const unsigned mask = all << ((threadIdx.y * blockDim.x) % kWarpSize);
#pragma unroll
  for (int i = 0; i < kUnroll; ++i) {
    for (int step = lanes / 2; step > 0; step /= 2) sum[i] += __shfl_xor_sync(mask, sum[i], step);
    if (threadIdx.x == 0 && edge + i < end) call.out[std::int64_t{edge + i} * call.num_heads + head] = sum[i];
  }
}

/// Block: [lanes x groups]; a group takes one row and head. A hub is shared out among the groups of its block.
template <typename T, int kVector>
__global__ void __launch_bounds__(kBlockThreads, 3) edge_dot_kernel(DotCall<T> call) {
  const std::int64_t num_tasks = std::int64_t{call.num_rows} * call.num_heads;
  const std::int64_t first_task = static_cast<std::int64_t>(blockIdx.x) * blockDim.y;
  const std::int64_t task = first_task + threadIdx.y;
  bool is_hub = false;
  if (task < num_tasks) {
    const std::int64_t row = task / call.num_heads;
    const auto head = static_cast<std::int32_t>(task % call.num_heads);
    const std::int32_t end = call.offsets[row + 1];
    std::int32_t edge = call.offsets[row];
    is_hub = end - edge > kHubEdges;
    for (; !is_hub && edge < end; edge += kUnroll) dot_edges<T, kVector>(call, row, head, edge, end);
  }
  if (__syncthreads_or(is_hub ? 1 : 0) == 0) return;
  for (std::int64_t hub = first_task; hub < min(first_task + blockDim.y, num_tasks); ++hub) {
    const std::int64_t row = hub / call.num_heads;
    const auto head = static_cast<std::int32_t>(hub % call.num_heads);
    const std::int32_t begin = call.offsets[row];
    const std::int32_t end = call.offsets[row + 1];
    if (end - begin <= kHubEdges) continue;
    const auto step = static_cast<std::int32_t>(blockDim.y) * kUnroll;
    for (std::int64_t edge = begin + static_cast<std::int32_t>(threadIdx.y) * kUnroll; edge < end;
         edge += step) {
      dot_edges<T, kVector>(call, row, head, static_cast<std::int32_t>(edge), end);
    }
  }
}

}  // namespace

void edge_dot(const Context& context, BlockCsrView block, const Tensor& x, const Tensor& y, Tensor& out) {
  with_scalar(out.scalar(), [&](auto zero) {
    using T = decltype(zero);
    constexpr int kWidest = std::is_same_v<T, double> ? 1 : 4;
    const DotCall<T> call{.x = x.data<T>(),
                          .y = y.data<T>(),
                          .offsets = block.offsets.data(),
                          .sources = block.sources.data(),
                          .out = out.data<T>(),
                          .num_rows = block.num_destinations(),
                          .num_heads = static_cast<std::int32_t>(out.cols()),
                          .head_columns = static_cast<std::int32_t>(x.cols() / out.cols())};
    const int vector = widest_vector(kWidest, call.head_columns, {{call.x, sizeof(T)}, {call.y, sizeof(T)}});
    const auto loads = static_cast<unsigned>(std::max<std::int64_t>(ceil_div(call.head_columns, vector), 1));
    const unsigned lanes = std::min(std::bit_ceil(loads), static_cast<unsigned>(kWarpSize));
    const unsigned groups = kBlockThreads / lanes;
    const std::int64_t num_tasks = std::int64_t{call.num_rows} * call.num_heads;
    const LaunchShape shape{.grid = dim3(static_cast<unsigned>(ceil_div(num_tasks, groups))),
                            .block = dim3(lanes, groups),
                            .stream = context.stream};
    with_vector<kWidest>(vector,
                         [&](auto width) { launch(&edge_dot_kernel<T, decltype(width)::value>, shape, call); });
  });
}

}  // namespace kith::cuda
