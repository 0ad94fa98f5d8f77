// Where a thread is, and how many are launched.
#pragma once

#include <cstdint>

#include "kernels/cuda/context.h"
#include "kernels/cuda/launch.cuh"

namespace kith::cuda {

inline constexpr int kThreads = 256;  ///< a block, of kernels whose threads work alone
inline constexpr unsigned kFullWarp = 0xffffffff;

/// At least `count` threads in whole blocks.
inline LaunchShape shape_for(const Context& context, std::int64_t count, int threads = kThreads) {
  return {.grid = dim3(static_cast<unsigned>(ceil_div(count, threads))),
          .block = dim3(static_cast<unsigned>(threads)),
          .stream = context.stream};
}

inline __device__ std::int64_t thread_index() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

}  // namespace kith::cuda
