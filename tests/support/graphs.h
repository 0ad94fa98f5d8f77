// Small graphs and datasets for tests.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "graph/dataset.h"

namespace kith::test {

/// The graph of the listed edges {source, target}: row v holds the sources of the edges to v, ascending.
/// A repeated pair stays a parallel edge.
inline CsrGraph make_graph(NodeId num_nodes, std::vector<std::pair<NodeId, NodeId>> edges) {
  std::sort(edges.begin(), edges.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second, a.first) < std::pair(b.second, b.first);
  });
  std::vector<EdgeOffset> offsets(static_cast<std::size_t>(num_nodes) + 1, 0);
  std::vector<NodeId> neighbors;
  neighbors.reserve(edges.size());
  for (const auto& [source, target] : edges) {
    ++offsets.at(static_cast<std::size_t>(target) + 1);
    neighbors.push_back(source);
  }
  for (std::size_t v = 1; v < offsets.size(); ++v) offsets[v] += offsets[v - 1];
  return CsrGraph(std::move(offsets), std::move(neighbors), "make_graph");
}

/// Exactly num_edges distinct directed edges without self-loops, uniform; the same for the same seed on every
/// platform. num_edges must not be more than num_nodes * (num_nodes - 1).
inline CsrGraph random_graph(NodeId num_nodes, EdgeOffset num_edges, std::uint64_t seed) {
  std::mt19937_64 bits(seed);
  const auto any_node = [&] { return static_cast<NodeId>(bits() % static_cast<std::uint64_t>(num_nodes)); };
  std::set<std::pair<NodeId, NodeId>> edges;
  while (static_cast<EdgeOffset>(edges.size()) < num_edges) {
    const NodeId source = any_node();
    const NodeId target = any_node();
    if (source != target) edges.emplace(source, target);
  }
  return make_graph(num_nodes, {edges.begin(), edges.end()});
}

/// num_rows x dim values of f32, row-major.
inline FeatureStore make_features(std::span<const float> values, std::int64_t num_rows, std::int32_t dim) {
  std::vector<std::byte> bytes(values.size_bytes());
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return FeatureStore(std::move(bytes), num_rows, dim, FeatureType::f32);
}

/// Two triangles, {0, 1, 2} and {3, 4, 5}, joined by 2-3, node 6 hanging on 5, and node 7 alone; undirected.
/// Communities: {0,1,2} {3,4,5} {6,7} at level 0, {0,1,2} {3..7} at level 1. Feature row v is (v, v + 0.5, -v).
/// Labels (3 classes): 0 0 0 1 1 1 2 none. Train 0 3 6, valid 1 4, test 2 5.
inline Dataset tiny_dataset() {
  constexpr NodeId kNumNodes = 8;
  constexpr std::int32_t kDim = 3;
  constexpr std::array<std::pair<NodeId, NodeId>, 8> kPairs{
      {{0, 1}, {0, 2}, {1, 2}, {2, 3}, {3, 4}, {3, 5}, {4, 5}, {5, 6}}};
  std::vector<std::pair<NodeId, NodeId>> edges;
  for (const auto& [a, b] : kPairs) {
    edges.emplace_back(a, b);
    edges.emplace_back(b, a);
  }
  std::vector<float> values;
  for (NodeId v = 0; v < kNumNodes; ++v) {
    const auto x = static_cast<float>(v);
    values.insert(values.end(), {x, x + 0.5F, -x});
  }
  Dataset dataset;
  dataset.graph = make_graph(kNumNodes, std::move(edges));
  dataset.features = make_features(values, kNumNodes, kDim);
  dataset.labels.of_node = {0, 0, 0, 1, 1, 1, 2, kNoLabel};
  dataset.labels.num_classes = 3;
  dataset.splits.train = {0, 3, 6};
  dataset.splits.valid = {1, 4};
  dataset.splits.test = {2, 5};
  dataset.levels.emplace_back(std::vector<EdgeOffset>{0, 3, 6, 8}, kNumNodes, "tiny_dataset");
  dataset.levels.emplace_back(std::vector<EdgeOffset>{0, 3, 8}, kNumNodes, "tiny_dataset");
  dataset.original_id = {70, 71, 72, 73, 74, 75, 76, 77};
  dataset.provenance = {.source = "tiny", .method = "planted", .seed = 1, .directed = false, .created = {}};
  return dataset;
}

}  // namespace kith::test
