// Devices for tests that compare with the CPU.
#pragma once

#include <string>
#include <vector>

#include "kernels/backend.h"

namespace kith::test {

/// Those that this machine, or the emulation, has besides the CPU.
inline std::vector<std::string> other_devices() {
  std::vector<std::string> devices = available_devices();
  std::erase(devices, "cpu");
  return devices;
}

}  // namespace kith::test
