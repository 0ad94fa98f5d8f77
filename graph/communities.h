// Which nodes belong together. How they were found (METIS, label propagation, a file) is not known here.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "graph/types.h"

namespace kith {

/// The communities of one level: community c holds the node ids [offsets[c], offsets[c + 1]).
class Communities {
 public:
  /// One community that holds every node.
  explicit Communities(NodeId num_nodes = 0);

  /// offsets: [num_communities + 1], from 0 to num_nodes, strictly rising (for num_nodes = 0: {0}).
  /// Throws InvalidArgument, naming `who`, otherwise.
  Communities(std::vector<EdgeOffset> offsets, NodeId num_nodes, const char* who);

  NodeId num_nodes() const { return static_cast<NodeId>(community_of_.size()); }
  std::int32_t num_communities() const { return static_cast<std::int32_t>(offsets_.size()) - 1; }
  NodeId begin(std::int32_t community) const { return static_cast<NodeId>(offsets_[community]); }
  NodeId end(std::int32_t community) const { return static_cast<NodeId>(offsets_[community + 1]); }
  std::int32_t community_of(NodeId node) const { return community_of_[node]; }

  std::span<const EdgeOffset> offsets() const { return offsets_; }              ///< [num_communities + 1]
  std::span<const std::int32_t> community_of() const { return community_of_; }  ///< [num_nodes]

 private:
  std::vector<EdgeOffset> offsets_;
  std::vector<std::int32_t> community_of_;
};

/// Throws InvalidArgument, naming `who`, unless every level covers the same nodes and the bounds of
/// each coarser level are among those of the finer one. levels: finest first, at least one.
void check_nested(std::span<const Communities> levels, const char* who);

}  // namespace kith
