// What launchers need: where to run, where scratch comes from, and what the device is like.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/memory.h"

namespace kith::cuda {

inline constexpr int kWarpSize = 32;

/// Measures of the device, read from it.
struct DeviceTraits {
  std::size_t l2_bytes = 0;
  int num_multiprocessors = 0;
  std::size_t shared_bytes_per_block = 0;  ///< at most, with opt-in
};

/// Everything of one launcher's call that is not data. Scratch taken from `memory` may be given back as soon as
/// the last kernel that uses it is launched: it is freed in the order of the stream.
struct Context {
  cudaStream_t stream = nullptr;
  StreamMemory& memory;
  DeviceTraits traits;
};

/// Blocks of `size` that cover `count`.
constexpr std::int64_t ceil_div(std::int64_t count, std::int64_t size) { return (count + size - 1) / size; }

}  // namespace kith::cuda
