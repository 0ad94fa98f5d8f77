// Loops in fixed tiles: what a tile covers never depends on the number of threads, so neither do results.
#pragma once

#include <tbb/parallel_for.h>

#include <algorithm>
#include <cstdint>

namespace kith::cpu {

/// Number of tiles of `tile` items that cover `total`.
inline std::int64_t count_tiles(std::int64_t total, std::int64_t tile) { return (total + tile - 1) / tile; }

/// Calls body(tile index, first, last) for every tile of [0, total), in parallel. A single tile runs in the
/// caller.
template <typename Body>
void for_tiles(std::int64_t total, std::int64_t tile, const Body& body) {
  const std::int64_t num_tiles = count_tiles(total, tile);
  const auto run = [&](std::int64_t i) { body(i, i * tile, std::min(total, (i + 1) * tile)); };
  if (num_tiles == 1) {
    run(0);
  } else if (num_tiles > 1) {
    tbb::parallel_for(std::int64_t{0}, num_tiles, run);
  }
}

}  // namespace kith::cpu
