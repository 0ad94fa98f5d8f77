// A stream that a backend runs on without owning it.
#pragma once

#include <cstdint>

namespace kith {

/// A CUDA stream that somebody else made and waits for: torch's current one, say.
struct LentStream {
  int device = 0;             ///< number of the device that it belongs to
  std::uintptr_t handle = 0;  ///< a cudaStream_t; 0 is the device's default stream
};

}  // namespace kith
