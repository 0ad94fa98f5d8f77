// The graph of communities: one node a community, edges weighted by the edges between two communities.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/row_blocks.h"
#include "graph/types.h"
#include "graph/views.h"

namespace kith {

/// Owns a weighted graph whose nodes are communities. Symmetric if it was made from a symmetric graph; no
/// self-loops.
struct Quotient {
  std::vector<EdgeOffset> offsets;
  std::vector<NodeId> neighbors;           ///< sorted in each row
  std::vector<std::int64_t> edge_weights;  ///< [num_edges] edges between the two
  std::vector<std::int32_t> node_weights;  ///< [num_nodes] nodes of the original graph

  CsrView view() const { return {offsets, neighbors}; }
  std::int32_t num_communities() const { return static_cast<std::int32_t>(node_weights.size()); }
};

/// Merges the nodes of each community. community_of: [num_nodes] in [0, num_communities). edge_weights:
/// [num_edges] or empty (all 1); node_weights: [num_nodes] or empty (all 1). Parallel, the same for any number
/// of threads. In memory: the result, 12 bytes for every pair of communities that share an edge.
Quotient contract(CsrView graph, std::span<const std::int64_t> edge_weights,
                  std::span<const std::int32_t> node_weights, std::span<const std::int32_t> community_of,
                  std::int32_t num_communities);

/// The same without weights, for a graph that may lie in a file; pairs are counted by an external sort then.
Quotient contract(const RowBlocks& graph, std::span<const std::int32_t> community_of,
                  std::int32_t num_communities);

/// Nodes grouped by community: community c holds members[offsets[c] .. offsets[c + 1]), ascending.
struct Members {
  std::vector<EdgeOffset> offsets;
  std::vector<NodeId> nodes;

  std::span<const NodeId> of(std::int32_t community) const {
    return std::span(nodes).subspan(static_cast<std::size_t>(offsets[community]),
                                    static_cast<std::size_t>(offsets[community + 1] - offsets[community]));
  }
};
Members group_by_community(std::span<const std::int32_t> community_of, std::int32_t num_communities);

/// Renumbers to 0, 1, 2, ... in the order of first appearance, so that no number is unused; returns how many.
std::int32_t compact_numbers(std::span<std::int32_t> community_of);

}  // namespace kith
