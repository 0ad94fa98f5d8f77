// The rows that one aggregation sums over, in a block or in a whole graph.
#pragma once

#include <cstdint>
#include <span>

#include "graph/types.h"
#include "graph/views.h"

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

inline Adjacency<std::int32_t> adjacency_of(BlockCsrView block, std::span<const float> weights) {
  return {
      .offsets = block.offsets, .sources = block.sources, .weights = weights, .num_sources = block.num_sources};
}

/// Rows from `first` on.
inline Adjacency<std::int64_t> adjacency_of(CsrView graph, std::span<const float> weights, NodeId first) {
  return {.offsets = graph.offsets,
          .sources = graph.neighbors,
          .weights = weights,
          .first = first,
          .num_sources = graph.num_nodes()};
}

}  // namespace kith
