// A sum over the threads of a block.
#pragma once

#include <cuda_runtime.h>

namespace kith::cuda {

/// Sums `value` over the threads of the block, a power of two in one dimension, in a fixed order. Every thread
/// gets the sum. shared: [blockDim.x].
__device__ inline double block_sum(double value, double* shared) {
  shared[threadIdx.x] = value;
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
    __syncthreads();
  }
  const double sum = shared[0];
  __syncthreads();  // before the next sum overwrites it
  return sum;
}

}  // namespace kith::cuda
