// A dataset that a GNN learns in a few epochs.
#pragma once

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "graph/dataset.h"
#include "tests/support/graphs.h"

namespace kith::test {

/// 20 communities of 20 nodes, undirected; a node has about 6 neighbours inside and 1 outside. Class =
/// community mod 4; 8 features: noise of unit variance plus 1 at the class's place. Nodes go to train, valid
/// and test in turn (2:1:1).
inline Dataset learnable_dataset(std::uint64_t seed = 1) {
  constexpr NodeId kSize = 20, kNumNodes = 20 * kSize;
  constexpr std::int32_t kDim = 8, kNumClasses = 4;
  std::mt19937_64 bits(seed);
  const auto below = [&](NodeId bound) {
    return static_cast<NodeId>(bits() % static_cast<std::uint64_t>(bound));
  };
  std::vector<std::pair<NodeId, NodeId>> edges;
  const auto join = [&](NodeId a, NodeId b) {
    if (a == b) return;
    edges.emplace_back(a, b);
    edges.emplace_back(b, a);
  };
  for (NodeId v = 0; v < kNumNodes; ++v) {
    for (int i = 0; i < 3; ++i) join(v, v / kSize * kSize + below(kSize));
    if (v % 2 == 0) join(v, below(kNumNodes));
  }
  Dataset dataset;
  dataset.graph = make_graph(kNumNodes, std::move(edges));
  std::vector<float> values;
  for (NodeId v = 0; v < kNumNodes; ++v) {
    const std::int32_t label = v / kSize % kNumClasses;
    dataset.labels.of_node.push_back(label);
    for (std::int32_t i = 0; i < kDim; ++i) {
      // The sum of twelve uniforms: close enough to a Gaussian, and the same on every platform.
      double noise = -6;
      for (int k = 0; k < 12; ++k) noise += static_cast<double>(bits() >> 11) * 0x1p-53;
      values.push_back(static_cast<float>(noise + (i == label ? 1 : 0)));
    }
    auto& part = v % 4 < 2 ? dataset.splits.train : v % 4 == 2 ? dataset.splits.valid : dataset.splits.test;
    part.push_back(v);
    dataset.original_id.push_back(v);
  }
  dataset.labels.num_classes = kNumClasses;
  dataset.features = make_features(values, kNumNodes, kDim);
  std::vector<EdgeOffset> offsets;
  for (NodeId v = 0; v <= kNumNodes; v += kSize) offsets.push_back(v);
  dataset.levels.emplace_back(std::move(offsets), kNumNodes, "learnable_dataset");
  dataset.provenance = {
      .source = "learnable", .method = "planted", .seed = seed, .directed = false, .created = "-"};
  return dataset;
}

}  // namespace kith::test
