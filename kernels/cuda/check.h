// Turns the status that a CUDA library returns into an exception.
#pragma once

#include <cuda_runtime.h>

#include "graph/errors.h"

namespace kith::cuda {

/// Throws DeviceError that names the call, its place and what to do.
[[noreturn]] void throw_device_error(const char* status, const char* call, const char* file, int line);

inline void check(cudaError_t status, const char* call, const char* file, int line) {
  if (status != cudaSuccess) [[unlikely]] {
    throw_device_error(cudaGetErrorString(status), call, file, line);
  }
}

}  // namespace kith::cuda

/// Throws unless the call succeeds. Other libraries (cuBLAS, cuSPARSE) overload check().
#define CUDA_CHECK(...) ::kith::cuda::check((__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)
