// Binary searches in sorted arrays.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace kith::cuda {

/// The first of values[0:count], never falling, that is not less than `value`; count if there is none.
__device__ inline std::int32_t lower_bound(const std::int32_t* values, std::int32_t count, std::int32_t value) {
  std::int32_t low = 0;
  while (count > 0) {
    const std::int32_t half = count / 2;
    if (__ldg(values + low + half) < value) {
      low += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return low;
}

/// The row that an edge belongs to: offsets[row] <= edge < offsets[row + 1]. offsets: [num_rows + 1].
__device__ inline std::int32_t row_of_edge(const std::int32_t* offsets, std::int32_t num_rows,
                                           std::int32_t edge) {
  return lower_bound(offsets + 1, num_rows, edge + 1);  // edge < 2^31 - 1: num_edges is an int32 itself
}

}  // namespace kith::cuda
