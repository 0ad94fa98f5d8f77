// Another current device for a while.
#pragma once

#include <cuda_runtime.h>

#include <optional>

namespace kith::cuda {

/// Makes a device the current one of this thread, and the one before again where it is destroyed. Nothing to do
/// without a device, or if it is the current one. An error shows at the next call that is checked.
class DeviceScope {
 public:
  explicit DeviceScope(std::optional<int> device) {
    int current = 0;
    if (!device || cudaGetDevice(&current) != cudaSuccess || current == *device) return;
    if (cudaSetDevice(*device) == cudaSuccess) before_ = current;
  }
  ~DeviceScope() {
    if (before_) static_cast<void>(cudaSetDevice(*before_));
  }
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  std::optional<int> before_;
};

}  // namespace kith::cuda
