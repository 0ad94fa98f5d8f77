#include <algorithm>
#include <bit>
#include <cstdint>

#include "kernels/cuda/column_sums.cuh"
#include "kernels/cuda/head_dot.h"
#include "kernels/cuda/threads.cuh"
#include "kernels/dispatch.h"

namespace kith::cuda {
namespace {

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
  const std::int64_t i = thread_index();
  if (i >= count) return;
  const std::int64_t width = std::int64_t{row.heads} * row.columns;
  grad_x[i] += grad_out[i / row.columns] * weight[i % width];
}

/// grad_out[row, head of the column] * x[row, column].
template <typename T>
struct WeightedValues {
  const T* x;
  const T* grad_out;
  Heads row_shape;

  __device__ T operator()(std::int64_t row, std::int64_t column) const {
    const std::int64_t width = std::int64_t{row_shape.heads} * row_shape.columns;
    return grad_out[row * row_shape.heads + column / row_shape.columns] * x[row * width + column];
  }
};

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
  with_scalar(weight.scalar(), [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t count = num_rows * row.width();
    launch(&add_weighted_kernel<T>, shape_for(context, count), weight.data<T>(), grad_out.data<T>(), row, count,
           gradients.x.data<T>());
    column_sums(context, WeightedValues<T>{.x = x.data<T>(), .grad_out = grad_out.data<T>(), .row_shape = row},
                num_rows, static_cast<std::int32_t>(row.width()), gradients.weight.data<T>());
  });
}

}  // namespace kith::cuda
