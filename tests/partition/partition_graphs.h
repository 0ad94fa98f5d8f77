// Graphs whose communities are known, and what the tests ask of a partition.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "graph/csr_graph.h"
#include "tests/support/graphs.h"

namespace kith::test {

/// Both directions of each listed pair.
inline CsrGraph undirected(NodeId num_nodes, const std::vector<std::pair<NodeId, NodeId>>& pairs) {
  std::vector<std::pair<NodeId, NodeId>> edges;
  for (const auto& [a, b] : pairs) {
    edges.emplace_back(a, b);
    edges.emplace_back(b, a);
  }
  return make_graph(num_nodes, std::move(edges));
}

/// {0, 1, 2} and {3, 4, 5}, joined by 2-3.
inline CsrGraph two_triangles() {
  return undirected(6, {{0, 1}, {0, 2}, {1, 2}, {3, 4}, {3, 5}, {4, 5}, {2, 3}});
}

inline CsrGraph path(NodeId num_nodes) {
  std::vector<std::pair<NodeId, NodeId>> pairs;
  for (NodeId v = 1; v < num_nodes; ++v) pairs.emplace_back(v - 1, v);
  return undirected(num_nodes, pairs);
}

/// Node 0 in the middle.
inline CsrGraph star(NodeId num_nodes) {
  std::vector<std::pair<NodeId, NodeId>> pairs;
  for (NodeId v = 1; v < num_nodes; ++v) pairs.emplace_back(0, v);
  return undirected(num_nodes, pairs);
}

/// Simple and undirected: node v belongs to block v % num_blocks; each node draws `inside` partners in its
/// block and `outside` anywhere.
inline CsrGraph planted_blocks(NodeId num_nodes, NodeId num_blocks, int inside, int outside,
                               std::uint64_t seed) {
  std::mt19937_64 bits(seed);
  const auto below = [&](NodeId n) { return static_cast<NodeId>(bits() % static_cast<std::uint64_t>(n)); };
  std::set<std::pair<NodeId, NodeId>> pairs;
  const auto join = [&](NodeId a, NodeId b) {
    if (a != b) pairs.emplace(std::min(a, b), std::max(a, b));
  };
  for (NodeId v = 0; v < num_nodes; ++v) {
    for (int i = 0; i < inside; ++i) join(v, v % num_blocks + num_blocks * below(num_nodes / num_blocks));
    for (int i = 0; i < outside; ++i) join(v, below(num_nodes));
  }
  return undirected(num_nodes, {pairs.begin(), pairs.end()});
}

/// Nodes of each part. Fails nothing: the caller compares.
inline std::map<std::int32_t, std::int32_t> part_sizes(std::span<const std::int32_t> part) {
  std::map<std::int32_t, std::int32_t> sizes;
  for (const std::int32_t p : part) ++sizes[p];
  return sizes;
}

inline std::int32_t largest_part(std::span<const std::int32_t> part) {
  std::int32_t largest = 0;
  for (const auto& [number, size] : part_sizes(part)) largest = std::max(largest, size);
  return largest;
}

/// True if the numbers are exactly 0 .. number of parts - 1.
inline bool is_compact(std::span<const std::int32_t> part) {
  const auto sizes = part_sizes(part);
  return sizes.empty() ||
         (sizes.begin()->first == 0 && sizes.rbegin()->first == static_cast<std::int32_t>(sizes.size()) - 1);
}

/// Share of edges between nodes of one part.
inline double intra_share(CsrView graph, std::span<const std::int32_t> part) {
  std::int64_t inside = 0;
  for (NodeId v = 0; v < graph.num_nodes(); ++v) {
    for (const NodeId u : graph.row(v)) inside += part[u] == part[v];
  }
  return static_cast<double>(inside) / static_cast<double>(graph.num_edges());
}

}  // namespace kith::test
