// Emulated: takes the place of the project's kernels/cuda/launch.cuh, with the same interface.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <source_location>
#include <tuple>
#include <type_traits>
#include <utility>

#include "graph/errors.h"
#include "tests/support/cuda/emulated/runtime.h"

namespace kith::cuda {

struct LaunchShape {
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;
  cudaStream_t stream;
  std::source_location site = std::source_location::current();  ///< for messages of the emulation
};

/// Queues a kernel, whose arguments are converted to its parameters and copied now.
template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), const LaunchShape& shape, Arguments&&... arguments) {
  static_assert((std::is_trivially_copyable_v<Parameters> && ...),
                "a kernel gets a copy of the bytes of its arguments");
  if (shape.grid.x == 0 || shape.grid.y == 0 || shape.grid.z == 0) {
    return;
  }
  // A call of a function converts as a launch does: implicitly.
  const auto pack = [](Parameters... values) { return std::tuple<Parameters...>(std::move(values)...); };
  emulation::Activity activity;
  activity.function = reinterpret_cast<const void*>(kernel);
  activity.site = shape.site;
  emulation::launch_kernel(
      activity,
      {.grid = shape.grid, .block = shape.block, .shared_bytes = shape.shared_bytes, .stream = shape.stream},
      [kernel, values = pack(std::forward<Arguments>(arguments)...)] { std::apply(kernel, values); });
  const cudaError_t error = cudaGetLastError();
  KITH_CHECK(error == cudaSuccess, DeviceError, "launch: ", cudaGetErrorString(error));
}

/// Dynamic shared memory of the block. Every call gives the same address.
template <typename T>
T* shared_memory() {
  return static_cast<T*>(emulation::shared_memory_of_block());
}

}  // namespace kith::cuda
