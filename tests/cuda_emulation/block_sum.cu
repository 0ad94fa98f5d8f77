// Sums each run of blockDim.x values: what a kernel and its launcher look like.
#include "kernels/cuda/launch.cuh"
#include "tests/cuda_emulation/block_sum.h"

namespace kith::cuda {

namespace {

// in: [n]; out: [gridDim.x]; shared memory: one value a thread, whose number is a power of two.
__global__ void block_sum_kernel(const float* __restrict__ in, int n, float* __restrict__ out) {
  auto* values = shared_memory<float>();
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  values[threadIdx.x] = i < n ? in[i] : 0.0F;
  __syncthreads();
#pragma unroll 1
  for (unsigned width = blockDim.x / 2; width > 0; width /= 2) {
    if (threadIdx.x < width) {
      values[threadIdx.x] += values[threadIdx.x + width];
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    out[blockIdx.x] = values[0];
  }
}

}  // namespace

void block_sum(const float* in, int n, float* out, cudaStream_t stream) {
  launch(block_sum_kernel,
         {.grid = dim3((n + kBlockSumThreads - 1) / kBlockSumThreads),
          .block = dim3(kBlockSumThreads),
          .shared_bytes = kBlockSumThreads * sizeof(float),
          .stream = stream},
         in, n, out);
}

}  // namespace kith::cuda
