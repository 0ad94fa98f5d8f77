// A kernel in a .cu file of its own, to show that the emulation compiles one.
#pragma once

#include <cuda_runtime_api.h>

namespace kith::cuda {

inline constexpr int kBlockSumThreads = 64;

/// out[b] = sum of in[64 b, 64 b + 64) as far as n goes; both in device memory. out: [ceil(n / 64)].
void block_sum(const float* in, int n, float* out, cudaStream_t stream);

}  // namespace kith::cuda
