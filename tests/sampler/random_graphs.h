// Graphs with everything that a sampler may trip over.
#pragma once

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "graph/communities.h"
#include "tests/support/graphs.h"

namespace kith::test {

/// Communities of `size` nodes, the last one maybe smaller.
inline Communities equal_communities(NodeId num_nodes, NodeId size) {
  std::vector<EdgeOffset> offsets = {0};
  while (offsets.back() < num_nodes) offsets.push_back(std::min<EdgeOffset>(num_nodes, offsets.back() + size));
  return Communities(std::move(offsets), num_nodes, "equal_communities");
}

/// 200 nodes in communities of 20: isolated nodes (every seventh), a hub that hears from all (node 5),
/// self-loops, parallel edges, nodes with only inner and with only outer neighbours.
inline CsrGraph messy_graph(std::uint64_t seed) {
  constexpr NodeId kNumNodes = 200;
  std::mt19937_64 bits(seed);
  std::vector<std::pair<NodeId, NodeId>> edges;
  for (NodeId v = 0; v < kNumNodes; ++v) {
    if (v % 7 == 0) continue;
    const NodeId home = v / 20 * 20;
    const auto degree = static_cast<NodeId>(bits() % 24);
    for (NodeId i = 0; i < degree; ++i) {
      const bool is_inside = v % 3 == 0 || (v % 3 == 1 && bits() % 2 == 0);
      const auto offset = static_cast<NodeId>(bits() % (is_inside ? 20 : 180));
      edges.emplace_back(is_inside ? home + offset : (home + 20 + offset) % kNumNodes, v);
    }
    if (v % 11 == 0) edges.insert(edges.end(), 2, {v, v});
  }
  for (NodeId u = 0; u < kNumNodes; ++u) edges.emplace_back(u, 5);
  return make_graph(kNumNodes, std::move(edges));
}

/// Node 0 has in-neighbours 1..degree, and there is nothing else.
inline CsrGraph star_graph(NodeId degree) {
  std::vector<EdgeOffset> offsets(static_cast<std::size_t>(degree) + 2, degree);
  offsets[0] = 0;
  std::vector<NodeId> neighbors(static_cast<std::size_t>(degree));
  std::iota(neighbors.begin(), neighbors.end(), 1);
  return CsrGraph(std::move(offsets), std::move(neighbors), "star_graph");
}

}  // namespace kith::test
