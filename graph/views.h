// Non-owning views of adjacency. Row v always lists the in-neighbours of v: the sources of the edges
// that point to v (CSC by destination).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "graph/types.h"

namespace kith {

/// Belongs to the owner of a view's arrays: operations keep there what they derive from them (kernels/memo.h).
class Memo;

/// A whole graph: global ids, 64-bit row bounds.
///
/// Example, edges 1->0, 2->0, 0->2:
///   offsets   = [0, 2, 2, 3]
///   neighbors = [1, 2, 0]
struct CsrView {
  std::span<const EdgeOffset> offsets;  ///< [num_nodes + 1], offsets[0] == 0, never falling
  std::span<const NodeId> neighbors;    ///< [num_edges], sorted in each row
  Memo* memo = nullptr;                 ///< null: nothing is kept from one operation to the next

  NodeId num_nodes() const { return static_cast<NodeId>(offsets.size()) - 1; }
  EdgeOffset num_edges() const { return static_cast<EdgeOffset>(neighbors.size()); }
  NodeId degree(NodeId v) const { return static_cast<NodeId>(offsets[v + 1] - offsets[v]); }
  std::span<const NodeId> row(NodeId v) const {
    return neighbors.subspan(static_cast<std::size_t>(offsets[v]),
                             static_cast<std::size_t>(offsets[v + 1] - offsets[v]));
  }
};

/// One hop of a batch: bipartite, ids local to the batch, destinations are a prefix of the sources.
///
/// Example, destinations {0, 1} of sources {0, 1, 2}; 0 hears from 2, and 1 from 0 and 2:
///   num_sources = 3, offsets = [0, 1, 3], sources = [2, 0, 2]
struct BlockCsrView {
  std::int32_t num_sources = 0;
  std::span<const std::int32_t> offsets;  ///< [num_destinations + 1]
  std::span<const std::int32_t> sources;  ///< [num_edges], each in [0, num_sources)
  Memo* memo = nullptr;                   ///< null: nothing is kept from one operation to the next

  std::int32_t num_destinations() const { return static_cast<std::int32_t>(offsets.size()) - 1; }
  std::int32_t num_edges() const { return static_cast<std::int32_t>(sources.size()); }
};

}  // namespace kith
