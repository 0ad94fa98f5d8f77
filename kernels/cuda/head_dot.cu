#include <algorithm>
#include <bit>
#include <cstdint>

#include "kernels/cuda/dense.h"
#include "kernels/cuda/head_dot.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/dispatch.h"

namespace kith::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kSumLanes = 8;                // rows that a block of the weight's gradient reads side by side
constexpr std::int32_t kRowsPerSum = 1024;  // fixes the shape of its sums

/// A row is `heads` runs of `columns` values.
struct Heads {
  std::int32_t heads, columns;

  std::int64_t width() const { return std::int64_t{heads} * columns; }
};

/// out[task] = <x[task], weight[task % heads]>, task = row * heads + head, by a group of blockDim.x lanes.
template <typename T>
__global__ void head_dot_kernel(const T* x, const T* weight, Heads row, std::int64_t num_tasks, T* out) {
  const std::int64_t task = static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (task >= num_tasks) return;  // all lanes of the group
  const T* const a = x + task * row.columns;
  const T* const b = weight + task % row.heads * row.columns;
  const int lanes = static_cast<int>(blockDim.x);
  T sum = 0;
  for (std::int32_t j = static_cast<std::int32_t>(threadIdx.x); j < row.columns; j += lanes) sum += a[j] * b[j];
  // Only the lanes of this group: the others of the warp may have no task.
  const unsigned all = lanes == kWarpSize ? ~0U : (1U << lanes) - 1;
  const unsigned mask = all << ((threadIdx.y * blockDim.x) % kWarpSize);
  for (int step = lanes / 2; step > 0; step /= 2) sum += __shfl_xor_sync(mask, sum, step);
  if (threadIdx.x == 0) out[task] = sum;
}

template <typename T>
__global__ void add_weighted_kernel(const T* weight, const T* grad_out, Heads row, std::int64_t count,
                                    T* grad_x) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const std::int64_t width = std::int64_t{row.heads} * row.columns;
  grad_x[i] += grad_out[i / row.columns] * weight[i % width];
}

/// partial[y] = the sum over rows [y * kRowsPerSum, ...) of grad_out[i, head of the column] * x[i]. Block: 32
/// columns x kSumLanes.
template <typename T>
__global__ void weight_sums_kernel(const T* x, const T* grad_out, Heads row, std::int64_t num_rows,
                                   T* partial) {
  T* const sums = shared_memory<T>();  // [kSumLanes x 32]
  const std::int64_t width = std::int64_t{row.heads} * row.columns;
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * kWarpSize + threadIdx.x;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.y) * kRowsPerSum;
  const std::int64_t last = min(first + kRowsPerSum, num_rows);
  T sum = 0;
  if (column < width) {
    const std::int64_t head = column / row.columns;
    for (std::int64_t i = first + threadIdx.y; i < last; i += kSumLanes) {
      sum += grad_out[i * row.heads + head] * x[i * width + column];
    }
  }
  sums[threadIdx.y * kWarpSize + threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || column >= width) return;
  for (int lane = 1; lane < kSumLanes; ++lane) sum += sums[lane * kWarpSize + threadIdx.x];
  partial[static_cast<std::int64_t>(blockIdx.y) * width + column] = sum;
}

Heads heads_of(const Tensor& weight) {
  return {.heads = static_cast<std::int32_t>(weight.rows()),
          .columns = static_cast<std::int32_t>(weight.cols())};
}

}  // namespace

void head_dot(const Context& context, const Tensor& x, const Tensor& weight, Tensor& out) {
  const Heads row = heads_of(weight);
  const unsigned lanes = std::min(std::bit_ceil(static_cast<unsigned>(std::max(row.columns, 1))),
                                  static_cast<unsigned>(kWarpSize));
  const unsigned groups = kThreads / lanes;
  const LaunchShape shape{.grid = dim3(static_cast<unsigned>(ceil_div(out.size(), groups))),
                          .block = dim3(lanes, groups),
                          .stream = context.stream};
  with_scalar(out.scalar(), [&](auto zero) {
    using T = decltype(zero);
    launch(&head_dot_kernel<T>, shape, x.data<T>(), weight.data<T>(), row, out.size(), out.data<T>());
  });
}

void head_dot_backward(const Context& context, const Tensor& x, const Tensor& weight, const Tensor& grad_out,
                       const HeadDotGradients& gradients) {
  const Heads row = heads_of(weight);
  const std::int64_t num_rows = grad_out.rows();
  const std::int64_t num_sums = std::max<std::int64_t>(ceil_div(num_rows, kRowsPerSum), 1);
  Tensor partial = context.memory.acquire(num_sums, row.width(), weight.scalar());
  with_scalar(weight.scalar(), [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t count = num_rows * row.width();
    launch(&add_weighted_kernel<T>,
           LaunchShape{.grid = dim3(static_cast<unsigned>(ceil_div(count, kThreads))),
                       .block = dim3(kThreads),
                       .stream = context.stream},
           weight.data<T>(), grad_out.data<T>(), row, count, gradients.x.data<T>());
    launch(&weight_sums_kernel<T>,
           LaunchShape{.grid = dim3(static_cast<unsigned>(ceil_div(row.width(), kWarpSize)),
                                    static_cast<unsigned>(num_sums)),
                       .block = dim3(kWarpSize, kSumLanes),
                       .shared_bytes = kWarpSize * kSumLanes * sizeof(T),
                       .stream = context.stream},
           x.data<T>(), grad_out.data<T>(), row, num_rows, partial.data<T>());
  });
  bias_gradient(context, partial, gradients.weight);  // its column sums
}

}  // namespace kith::cuda
