// The rows that one aggregation sums over, in a block or in a whole graph.
#pragma once

#include <cstdint>
#include <span>

namespace kith {

/// Rows [first, first + out.rows()) of an adjacency. Offset: int32 in a block, int64 in a whole graph.
template <typename Offset>
struct Adjacency {
  std::span<const Offset> offsets;
  std::span<const std::int32_t> sources;
  std::span<const float> weights;  ///< [num_edges], or empty for the mean
  std::int64_t first = 0;
  std::int64_t num_sources =
      0;  ///< rows that `sources` may name; only how a device cuts its work depends on it
};

}  // namespace kith
