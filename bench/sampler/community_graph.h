// The graphs of the sampler's benches: communities of 250 nodes, skewed in-degrees, 80 % of the edges inside.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "graph/communities.h"
#include "graph/csr_graph.h"

namespace kith::bench {

struct CommunityGraph {
  CsrGraph graph;
  Communities communities;
  std::vector<NodeId> nodes;  ///< all of them, as roots
};

/// num_nodes: a multiple of 250. About num_edges directed edges (parallel ones are kept): in-degrees fall as a
/// power of the rank inside the community, hot nodes first. The same for the same arguments.
inline CommunityGraph make_community_graph(NodeId num_nodes, EdgeOffset num_edges, std::uint64_t seed) {
  constexpr NodeId kCommunitySize = 250;
  std::mt19937_64 bits(seed);
  std::vector<double> weights(static_cast<std::size_t>(num_nodes));
  for (NodeId v = 0; v < num_nodes; ++v) {
    weights[v] = std::pow(v % kCommunitySize + 1 + static_cast<double>(bits() % 50), -0.8);
  }
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<EdgeOffset> offsets = {0};
  std::vector<NodeId> neighbors;
  neighbors.reserve(static_cast<std::size_t>(num_edges + num_nodes));
  for (NodeId v = 0; v < num_nodes; ++v) {
    const auto degree =
        static_cast<EdgeOffset>(std::lround(weights[v] / total * static_cast<double>(num_edges)));
    const NodeId home = v / kCommunitySize * kCommunitySize;
    for (EdgeOffset i = 0; i < degree; ++i) {
      const bool is_inside = bits() % 100 < 80;
      neighbors.push_back(is_inside ? home + static_cast<NodeId>(bits() % kCommunitySize)
                                    : static_cast<NodeId>(bits() % static_cast<std::uint64_t>(num_nodes)));
    }
    std::sort(neighbors.begin() + offsets.back(), neighbors.end());
    offsets.push_back(static_cast<EdgeOffset>(neighbors.size()));
  }
  std::vector<EdgeOffset> bounds;
  for (NodeId v = 0; v <= num_nodes; v += kCommunitySize) bounds.push_back(v);
  std::vector<NodeId> nodes(static_cast<std::size_t>(num_nodes));
  std::iota(nodes.begin(), nodes.end(), 0);
  return {CsrGraph(std::move(offsets), std::move(neighbors), "bench"),
          Communities(std::move(bounds), num_nodes, "bench"), std::move(nodes)};
}

}  // namespace kith::bench
