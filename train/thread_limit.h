// The --threads of a command.
#pragma once

#include <tbb/global_control.h>

#include <cstddef>
#include <optional>

namespace kith {

/// While it lives, oneTBB uses at most `threads` threads; 0 = all cores.
class ThreadLimit {
 public:
  explicit ThreadLimit(int threads) {
    if (threads > 0) {
      limit_.emplace(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads));
    }
  }

 private:
  std::optional<tbb::global_control> limit_;
};

}  // namespace kith
