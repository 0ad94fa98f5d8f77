// The launch that most tests of threads need.
#pragma once

#include "kernels/cuda/launch.cuh"

namespace kith::emulation {

/// One block in the default stream.
inline cuda::LaunchShape one_block(unsigned threads, std::size_t shared_bytes = 0) {
  return {.grid = 1, .block = threads, .shared_bytes = shared_bytes, .stream = nullptr};
}

}  // namespace kith::emulation
