// The edges of a degree-corrected block model with two nested levels of communities.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/csr_graph.h"
#include "graph/types.h"

namespace kith {

/// The nodes of the model: communities are contiguous ranges, and a node meets another in proportion to both
/// weights.
struct BlockModel {
  std::vector<EdgeOffset> fine;    ///< [num_fine + 1] node bounds, strictly rising
  std::vector<EdgeOffset> coarse;  ///< [num_coarse + 1] node bounds, each among those of `fine`
  std::vector<double> weight_sum;  ///< [num_nodes + 1] running sum of the node weights, each > 0

  NodeId num_nodes() const { return static_cast<NodeId>(fine.back()); }
};

/// How many undirected edges run inside a fine community, between fine ones of one coarse one, and between
/// coarse ones.
struct EdgeQuota {
  EdgeOffset fine = 0;
  EdgeOffset coarse = 0;
  EdgeOffset outside = 0;
};

/// Exactly the quota of distinct edges without self-loops, each stored in both directions. Deterministic for
/// the seed and any number of threads. Throws InvalidArgument if the communities cannot hold so many.
CsrGraph draw_edges(const BlockModel& model, const EdgeQuota& quota, std::uint64_t seed);

}  // namespace kith
