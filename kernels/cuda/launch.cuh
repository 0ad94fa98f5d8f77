// The one place that launches kernels, and what every kernel may use.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <utility>

#include "kernels/cuda/check.h"

namespace kith::cuda {

struct LaunchShape {
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;  ///< dynamic shared memory a block
  cudaStream_t stream = nullptr;
};

/// Runs kernel(arguments...) on the stream; nothing for an empty grid. Throws DeviceError if it cannot start.
template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), const LaunchShape& shape, Arguments&&... arguments) {
  if (shape.grid.x == 0 || shape.grid.y == 0 || shape.grid.z == 0) return;
  kernel<<<shape.grid, shape.block, shape.shared_bytes, shape.stream>>>(std::forward<Arguments>(arguments)...);
  CUDA_CHECK(cudaGetLastError());
}

/// The dynamic shared memory of the block, 16-byte aligned. The only shared memory that kernels use, so that
/// its end can be guarded when they run on the host.
template <typename T>
__device__ T* shared_memory() {
  extern __shared__ __align__(16) unsigned char bytes[];
  return reinterpret_cast<T*>(bytes);
}

}  // namespace kith::cuda
