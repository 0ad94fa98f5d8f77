// Partitions kept on disk under the hash of the graph and the options: METIS on a big graph takes minutes to
// hours.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/row_blocks.h"
#include "graph/types.h"
#include "partition/partition.h"

namespace kith {

/// Names a partition: XXH3 (128 bits, hexadecimal) of the adjacency and of every option that changes the
/// result.
std::string partition_key(const RowBlocks& graph, const PartitionOptions& options);

/// The partition kept as `key` in folder `dir`, or none if there is no such file, it is damaged, or it does not
/// fit a graph of num_nodes nodes.
std::optional<std::vector<std::int32_t>> load_partition(const std::string& dir, const std::string& key,
                                                        NodeId num_nodes);

/// Keeps a partition; creates `dir` if need be. The file appears whole or not at all. Throws IoError.
void store_partition(const std::string& dir, const std::string& key,
                     const std::vector<std::int32_t>& community_of);

}  // namespace kith
