// A graph that evaluation goes through in several parts.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "graph/dataset.h"
#include "tests/support/graphs.h"
#include "tests/train/staging/stored_features.h"

namespace kith::test {

/// A ring whose nodes hear from the next one, the seventh after them and the one half around; node 5 hears from
/// 300 others. Features are f32; 100 nodes each train, validate and test.
inline Dataset ring_dataset(NodeId num_nodes, std::int32_t dim) {
  constexpr NodeId kCommunity = 500, kHubEdges = 300, kSplit = 100;
  Dataset dataset;
  std::vector<std::pair<NodeId, NodeId>> edges;
  for (NodeId v = 0; v < num_nodes; ++v) {
    for (const NodeId step : {1, 7, num_nodes / 2}) edges.emplace_back((v + step) % num_nodes, v);
    dataset.labels.of_node.push_back(v / 3 % 4);
    dataset.original_id.push_back(v);
  }
  for (NodeId i = 0; i < kHubEdges; ++i) edges.emplace_back(20 + 50 * i, 5);
  dataset.graph = make_graph(num_nodes, std::move(edges));
  dataset.labels.num_classes = 4;
  dataset.features = random_features(num_nodes, dim, FeatureType::f32);
  for (NodeId i = 0; i < kSplit; ++i) {
    dataset.splits.train.push_back(i * 3);
    dataset.splits.valid.push_back(i * 3 + 1);
    dataset.splits.test.push_back(num_nodes - kSplit + i);
  }
  std::vector<EdgeOffset> offsets;
  for (NodeId v = 0; v < num_nodes; v += kCommunity) offsets.push_back(v);
  offsets.push_back(num_nodes);
  dataset.levels.emplace_back(std::move(offsets), num_nodes, "ring_dataset");
  dataset.provenance = {.source = "ring", .method = "planted", .seed = 0, .directed = true, .created = "-"};
  return dataset;
}

}  // namespace kith::test
