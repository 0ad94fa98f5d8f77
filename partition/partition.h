// What the community finders have in common: their input is a simple undirected graph, their output one
// community number a node.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/row_blocks.h"
#include "graph/types.h"
#include "graph/views.h"

namespace kith {

/// Where the communities come from.
enum class PartitionMethod : std::uint8_t { metis, lpa };

/// "metis" or "lpa". Throws InvalidArgument for another name.
PartitionMethod parse_partition_method(std::string_view name);

/// How a graph is cut into communities.
struct PartitionOptions {
  PartitionMethod method = PartitionMethod::metis;
  std::int32_t num_communities = 0;   ///< finest level; 0 = as community_size says
  std::int32_t community_size = 256;  ///< mean nodes a community at the finest level, > 0
  std::int32_t num_levels = 3;  ///< >= 1; each about 16 times coarser; levels of one community are left out
  double imbalance = 1.0;       ///< largest part may hold (1 + imbalance) x the mean size, >= 0.001;
                                ///< coarser levels use at most 0.3
  std::uint64_t seed = 0;
  bool checks_memory = true;   ///< METIS is not started where there seems to be too little memory for it
  std::string cache_dir = {};  ///< partitions are kept here by graph hash and options; empty = no cache
  std::function<void(const std::string&)> progress = {};  ///< told one line a stage; may be empty
};

/// How METIS is called; see PartitionOptions.
struct MetisOptions {
  std::int32_t num_parts = 2;
  double imbalance = 1.0;
  std::uint64_t seed = 0;
};

/// METIS k-way on `graph` into num_parts parts. graph: symmetric, simple, no self-loops (checked by the
/// caller), isolated nodes allowed (set aside, spread over parts of their own afterwards). edge_weights:
/// [num_edges] or empty; node_weights: [num_nodes] or empty. Returns [num_nodes] parts in [0, parts used);
/// where parts would hold but one or two nodes, fewer than num_parts may be used. Calls run one at a time
/// (METIS draws from the C library's random state). Throws InvalidArgument for 32-bit overflow,
/// EnvironmentError if METIS runs out of memory.
std::vector<std::int32_t> metis_partition(CsrView graph, std::span<const std::int32_t> edge_weights,
                                          std::span<const std::int32_t> node_weights,
                                          const MetisOptions& options);

/// Bytes that METIS is expected to need for a graph of this size, from measurements.
std::int64_t estimate_metis_bytes(NodeId num_nodes, EdgeOffset num_edges, std::int32_t num_parts);

/// Width of the integers that the METIS in use counts nodes and edges with: 32 or 64.
int metis_index_bits();

/// Size-bounded label propagation, parallel, the same result for any number of threads. A graph in a file is
/// read up to a hundred times from front to back (once, if its rows fit in the memory for them); 28 bytes a
/// node are in memory.
std::vector<std::int32_t> label_propagation(const RowBlocks& graph, std::int32_t max_community_size,
                                            std::uint64_t seed);

}  // namespace kith
