// The rows that the edges of an adjacency read.
#pragma once

#include <algorithm>
#include <cstdint>

#include "graph/types.h"
#include "kernels/cpu/multiversion.h"

namespace kith::cpu {

constexpr std::int64_t kCacheLine = 64;
constexpr std::int64_t kPrefetchEdges =
    12;  // rows asked for ahead of use; asking for none took a third longer at 100 features
constexpr std::int64_t kPrefetchBytes = 1024;  // of a row, so that wide rows do not flood the memory system

/// Asks for `width` values from `begin` on, or for the first of them.
template <typename Source>
KITH_INLINE void prefetch_columns(const Source* begin, std::int64_t width) {
  const std::int64_t bytes = std::min<std::int64_t>(width * sizeof(Source), kPrefetchBytes);
  for (std::int64_t byte = 0; byte < bytes; byte += kCacheLine) {
    __builtin_prefetch(reinterpret_cast<const char*>(begin) + byte);
  }
}

/// Row-major rows of `dim` values, one for every edge: data[sources[edge] - first], or
/// data[ids[sources[edge]] - first].
template <typename Source>
struct EdgeRows {
  const Source* data;
  std::int64_t dim;
  const NodeId* ids;  ///< or null
  const std::int32_t* sources;
  std::int64_t num_edges;  ///< end of `sources`
  std::int64_t first = 0;  ///< number of the row that data begins with

  KITH_INLINE const Source* row(std::int64_t edge) const {
    const std::int64_t u = sources[edge];
    return data + ((ids == nullptr ? u : static_cast<std::int64_t>(ids[u])) - first) * dim;
  }
  /// Asks for the columns [column, column + width) of the row kPrefetchEdges after `edge`, if there is one.
  KITH_INLINE void prefetch_after(std::int64_t edge, std::int64_t column, std::int64_t width) const {
    if (edge + kPrefetchEdges < num_edges) prefetch_columns(row(edge + kPrefetchEdges) + column, width);
  }
};

}  // namespace kith::cpu
