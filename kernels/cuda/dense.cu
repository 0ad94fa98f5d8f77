#include <algorithm>
#include <cstdint>

#include "kernels/cuda/check.h"
#include "kernels/cuda/dense.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/dispatch.h"

namespace kith::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kSumLanes = 8;       // rows that a block of the column sums reads side by side
constexpr int kRowsPerSum = 1024;  // fixes the shape of a column's sum

template <typename T>
__global__ void fill_kernel(T value, std::int64_t count, T* out) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < count) out[i] = value;
}

template <typename T>
__global__ void scale_kernel(T factor, std::int64_t count, T* x) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < count) x[i] *= factor;
}

template <typename T>
__global__ void add_bias_kernel(const T* bias, std::int64_t count, std::int32_t cols, T* x) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < count) x[i] += bias[i % cols];
}

/// out[blockIdx.y] = sum of rows [y * rows_per_sum, ...) of the columns of this block. Block: 32 columns x
/// kSumLanes.
template <typename T>
__global__ void column_sums_kernel(const T* x, std::int64_t rows, std::int32_t cols, std::int32_t rows_per_sum,
                                   T* out) {
  T* const partial = shared_memory<T>();  // [kSumLanes x 32]
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * kWarpSize + threadIdx.x;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.y) * rows_per_sum;
  const std::int64_t last = min(first + rows_per_sum, rows);
  T sum = 0;
  if (column < cols) {
    for (std::int64_t row = first + threadIdx.y; row < last; row += kSumLanes) sum += x[row * cols + column];
  }
  partial[threadIdx.y * kWarpSize + threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || column >= cols) return;
  for (int lane = 1; lane < kSumLanes; ++lane) sum += partial[lane * kWarpSize + threadIdx.x];
  out[static_cast<std::int64_t>(blockIdx.y) * cols + column] = sum;
}

template <typename T>
void column_sums(const Context& context, const T* x, std::int64_t rows, std::int64_t cols, T* out) {
  const std::int64_t num_sums = std::max<std::int64_t>(ceil_div(rows, kRowsPerSum), 1);
  const auto columns = static_cast<unsigned>(ceil_div(cols, kWarpSize));
  const auto width = static_cast<std::int32_t>(cols);
  const LaunchShape shape{.grid = dim3(columns, static_cast<unsigned>(num_sums)),
                          .block = dim3(kWarpSize, kSumLanes),
                          .shared_bytes = kWarpSize * kSumLanes * sizeof(T),
                          .stream = context.stream};
  if (num_sums == 1) return launch(&column_sums_kernel<T>, shape, x, rows, width, kRowsPerSum, out);
  const Tensor::Buffer sums = context.memory.acquire_array<T>(num_sums * cols);
  launch(&column_sums_kernel<T>, shape, x, rows, width, kRowsPerSum, array_of<T>(sums));
  column_sums(context, static_cast<const T*>(array_of<T>(sums)), num_sums, cols, out);
}

/// A thread for each of `count` values.
LaunchShape shape_for(const Context& context, std::int64_t count) {
  return {.grid = dim3(static_cast<unsigned>(ceil_div(count, kThreads))),
          .block = dim3(kThreads),
          .stream = context.stream};
}

}  // namespace

void fill(const Context& context, double value, Tensor& x) {
  if (x.empty()) return;
  if (value == 0) {
    const std::size_t bytes = static_cast<std::size_t>(x.size()) * size_of(x.scalar());
    CUDA_CHECK(cudaMemsetAsync(x.data<std::byte>(), 0, bytes, context.stream));
    return;
  }
  with_scalar(x.scalar(), [&](auto zero) {
    using T = decltype(zero);
    launch(&fill_kernel<T>, shape_for(context, x.size()), static_cast<T>(value), x.size(), x.data<T>());
  });
}

void scale(const Context& context, double factor, Tensor& x) {
  if (factor == 0) return fill(context, 0, x);
  with_scalar(x.scalar(), [&](auto zero) {
    using T = decltype(zero);
    launch(&scale_kernel<T>, shape_for(context, x.size()), static_cast<T>(factor), x.size(), x.data<T>());
  });
}

void add_bias(const Context& context, const Tensor& bias, Tensor& x) {
  with_scalar(x.scalar(), [&](auto zero) {
    using T = decltype(zero);
    launch(&add_bias_kernel<T>, shape_for(context, x.size()), bias.data<T>(), x.size(),
           static_cast<std::int32_t>(x.cols()), x.data<T>());
  });
}

void bias_gradient(const Context& context, const Tensor& grad, Tensor& grad_bias) {
  with_scalar(grad.scalar(), [&](auto zero) {
    using T = decltype(zero);
    column_sums(context, grad.data<T>(), grad.rows(), grad.cols(), grad_bias.data<T>());
  });
}

}  // namespace kith::cuda
