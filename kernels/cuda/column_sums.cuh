// Sums over the rows of a matrix, in a fixed order.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cuda/threads.cuh"

namespace kith::cuda {

inline constexpr int kSumLanes = 8;                ///< rows that a block reads side by side
inline constexpr std::int32_t kRowsPerSum = 1024;  ///< fixes the shape of a column's sum

/// The values of a matrix as they are stored, row-major.
template <typename T>
struct StoredValues {
  const T* values;
  std::int32_t cols;

  __device__ T operator()(std::int64_t row, std::int64_t column) const { return values[row * cols + column]; }
};

/// out[blockIdx.y, column] = the sum of value(row, column) over rows [y * kRowsPerSum, ...), for the columns of
/// this block. Block: 32 columns x kSumLanes.
template <typename T, typename Value>
__global__ void column_sums_kernel(Value value, std::int64_t rows, std::int32_t cols, T* out) {
  T* const partial = shared_memory<T>();  // [kSumLanes x 32]
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * kWarpSize + threadIdx.x;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.y) * kRowsPerSum;
  const std::int64_t last = min(first + kRowsPerSum, rows);
  T sum = 0;
  if (column < cols) {
    for (std::int64_t row = first + threadIdx.y; row < last; row += kSumLanes) sum += value(row, column);
  }
  partial[threadIdx.y * kWarpSize + threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || column >= cols) return;
  for (int lane = 1; lane < kSumLanes; ++lane) sum += partial[lane * kWarpSize + threadIdx.x];
  out[static_cast<std::int64_t>(blockIdx.y) * cols + column] = sum;
}

/// out[column] = the sum of value(row, column) over all rows. out: [cols]. Scratch: a row for every
/// kRowsPerSum.
template <typename T, typename Value>
void column_sums(const Context& context, const Value& value, std::int64_t rows, std::int32_t cols, T* out) {
  const std::int64_t num_sums = std::max<std::int64_t>(ceil_div(rows, kRowsPerSum), 1);
  const LaunchShape shape{
      .grid = dim3(static_cast<unsigned>(ceil_div(cols, kWarpSize)), static_cast<unsigned>(num_sums)),
      .block = dim3(kWarpSize, kSumLanes),
      .shared_bytes = kWarpSize * kSumLanes * sizeof(T),
      .stream = context.stream};
  if (num_sums == 1) return launch(&column_sums_kernel<T, Value>, shape, value, rows, cols, out);
  const Tensor::Buffer sums = context.memory.acquire_array<T>(num_sums * cols);
  launch(&column_sums_kernel<T, Value>, shape, value, rows, cols, array_of<T>(sums));
  column_sums(context, StoredValues<T>{.values = array_of<T>(sums), .cols = cols}, num_sums, cols, out);
}

}  // namespace kith::cuda
