// What work on a graph that does not fit in memory may use.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

namespace kith {

/// A folder for temporary files and a bound on buffers. One sort, one reader of rows and small files may be at
/// work at the same time, so the memory is shared out between them once and for all.
struct Scratch {
  std::string folder;              ///< exists; files in it have no name as soon as they are made
  std::size_t memory_bytes = 0;    ///< of all buffers together
  std::int64_t written_bytes = 0;  ///< so far, to files of sorted runs

  std::size_t sort_bytes() const { return memory_bytes / 2; }
  std::size_t rows_bytes() const { return memory_bytes / 4; }
  std::size_t append_bytes() const {
    return std::clamp<std::size_t>(memory_bytes / 16, 4096, std::size_t{1} << 20);
  }
};

}  // namespace kith
