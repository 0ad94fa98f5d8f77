// Nested community levels and the node order in which each of their communities is one contiguous range.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "graph/communities.h"
#include "graph/csr_graph.h"
#include "graph/row_blocks.h"
#include "graph/types.h"
#include "graph/views.h"
#include "partition/partition.h"

namespace kith {

/// A node order and the communities that are contiguous in it.
struct Hierarchy {
  std::vector<NodeId> old_of_new;   ///< [num_nodes] permutation
  std::vector<Communities> levels;  ///< in new ids, finest first
};

/// Finds communities of `graph`, groups them into coarser levels, and orders: communities that share many edges
/// get near numbers, isolated nodes come last, and inside a community nodes of high in-degree come first (ties:
/// lower id). graph: any adjacency (directed, self-loops and parallel edges allowed); it is symmetrised and
/// cleaned for METIS. Deterministic for any number of threads. Throws InvalidArgument for options out of range.
Hierarchy find_hierarchy(CsrView graph, const PartitionOptions& options);

/// The same from given finest communities. community_of: [num_nodes], any non-negative numbers.
Hierarchy hierarchy_from(CsrView graph, std::span<const std::int32_t> community_of,
                         const PartitionOptions& options);

/// A graph with its simple graph, either of which may lie in files.
struct FoundGraph {
  std::span<const EdgeOffset> offsets;  ///< [num_nodes + 1] of the graph: its in-degrees order the nodes
  const RowBlocks& simple;              ///< symmetric, no self-loops, no parallel edges
};

/// The same for such a graph. METIS needs the simple graph in memory: throws EnvironmentError if it and METIS
/// need more than available_bytes (unless options say not to check).
Hierarchy find_hierarchy(const FoundGraph& graph, std::optional<std::int64_t> available_bytes,
                         const PartitionOptions& options);
Hierarchy hierarchy_from(const FoundGraph& graph, std::span<const std::int32_t> community_of,
                         const PartitionOptions& options);

/// The graph under new numbers, rows sorted. edge_id, if not empty ([num_edges]), is carried along in place.
CsrGraph renumber(CsrView graph, std::span<const NodeId> old_of_new, std::vector<EdgeOffset>& edge_id);

/// How good one level is.
struct LevelQuality {
  std::int32_t num_communities = 0;
  NodeId smallest = 0, median = 0, largest = 0;  ///< nodes a community
  double intra_edge_fraction = 0;                ///< share of edges that stay inside (self-loops left out)
  double modularity = 0;                         ///< Newman's, of the graph read as undirected
};
LevelQuality measure_quality(const RowBlocks& graph, const Communities& communities);

}  // namespace kith
