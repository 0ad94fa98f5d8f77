// Whether the edges of a graph that is prepared stay in memory, and how much the buffers may take if not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "graph/types.h"

namespace kith {

/// What decides how much memory a graph takes.
struct GraphSize {
  NodeId num_nodes = 0;
  EdgeOffset num_entries = 0;  ///< edges, both directions counted if they are symmetrised
  bool has_edge_ids = false;
  bool is_directed = false;
  std::int64_t label_bytes = 0;
};

/// Bytes of the arrays that hold something for each node: they are in memory in any case.
std::int64_t node_bytes(const GraphSize& size);

/// Bytes at the peak if the edges are in memory too: the adjacency twice. What METIS needs is not counted.
std::int64_t bytes_in_memory(const GraphSize& size);

/// Bytes for the buffers of a run whose edges lie in files, or nothing if they fit in memory. wanted_bytes: the
/// limit that the user gave, 0 = half of what is available beside the nodes. Throws InvalidArgument (the user's
/// limit) or EnvironmentError if it does not hold the nodes.
std::optional<std::size_t> plan_buffers(const GraphSize& size, std::int64_t wanted_bytes,
                                        std::optional<std::int64_t> available_bytes);

}  // namespace kith
