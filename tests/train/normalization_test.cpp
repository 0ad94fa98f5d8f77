#include "train/normalization.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/support/graphs.h"
#include "train/device_batch.h"

namespace kith {
namespace {

using testing::ElementsAre;
using testing::FloatEq;

// The batch of sampler/batch.h's example: root 7 hears from 3 and 9; 3 hears from 7.
MiniBatch example_batch() {
  return {.input_nodes = {7, 3, 9},
          .hop_bounds = {1, 3, 3},
          .offsets = {0, 2, 3, 3},
          .sources = {1, 2, 0},
          .edges = {}};
}

// In-degrees: 7 has 4 (two of them drawn), 3 has 1, 9 has 0.
CsrGraph example_graph() { return test::make_graph(10, {{3, 7}, {9, 7}, {1, 7}, {2, 7}, {7, 3}}); }

/// The batch where the CPU computes: refers to `adjacency`.
DeviceBatch on_cpu(const BatchAdjacency& adjacency) {
  return to_device(*make_cpu_backend(), adjacency, {}, {}, {});
}

TEST(Normalization, TheMeanTakesTheBatchAsItIs) {
  MiniBatch batch = example_batch();
  const BatchAdjacency adjacency = take_mean_adjacency(batch);
  const DeviceBatch blocks = on_cpu(adjacency);
  const WeightedBlock last = blocks.block(1);
  EXPECT_EQ(last.block.num_sources, 3);
  EXPECT_THAT(last.block.offsets, ElementsAre(0, 2));
  EXPECT_THAT(last.block.sources, ElementsAre(1, 2));
  EXPECT_TRUE(last.edge_weights.empty());
  EXPECT_THAT(blocks.block(0).block.offsets, ElementsAre(0, 2, 3, 3));
  EXPECT_EQ(blocks.block(0).block.num_sources, 3);
}

TEST(Normalization, GcnAddsLoopsAndScalesByTheShareOfNeighboursDrawn) {
  const CsrGraph graph = example_graph();
  const BatchAdjacency adjacency = make_gcn_adjacency(example_batch(), graph.view());
  EXPECT_THAT(adjacency.offsets, ElementsAre(0, 3, 5, 6));
  EXPECT_THAT(adjacency.sources, ElementsAre(0, 1, 2, 1, 0, 2));
  const float drawn_half = 2;  // 4 in-neighbours, 2 drawn
  EXPECT_THAT(adjacency.weights, ElementsAre(FloatEq(1.0F / 5), FloatEq(drawn_half / std::sqrt(2.0F * 5)),
                                             FloatEq(drawn_half / std::sqrt(1.0F * 5)), FloatEq(1.0F / 2),
                                             FloatEq(1 / std::sqrt(5.0F * 2)), FloatEq(1)));
  const WeightedBlock last = on_cpu(adjacency).block(1);
  EXPECT_THAT(last.block.sources, ElementsAre(0, 1, 2));
  EXPECT_EQ(last.edge_weights.size(), 3U);
}

TEST(Normalization, TheBatchsWeightsTakeThePlaceOfEqualShares) {
  MiniBatch batch = example_batch();
  batch.weights = {0.9F, 0.1F, 1};
  const CsrGraph graph = example_graph();
  EXPECT_THAT(make_gcn_adjacency(batch, graph.view()).weights,
              ElementsAre(FloatEq(1.0F / 5), FloatEq(0.9F * 4 / std::sqrt(2.0F * 5)),
                          FloatEq(0.1F * 4 / std::sqrt(1.0F * 5)), FloatEq(1.0F / 2),
                          FloatEq(1 / std::sqrt(5.0F * 2)), FloatEq(1)));
  const BatchAdjacency mean = take_mean_adjacency(batch);
  EXPECT_THAT(on_cpu(mean).block(1).edge_weights, ElementsAre(0.9F, 0.1F));
  EXPECT_THAT(on_cpu(mean).block(0).edge_weights, ElementsAre(0.9F, 0.1F, 1));
}

TEST(Normalization, TheWholeGraphCarriesTheWeightsOfABatchThatDrewEverything) {
  const CsrGraph graph = test::random_graph(30, 200, 5);
  MiniBatch batch{.input_nodes = {}, .hop_bounds = {30, 30}, .offsets = {0}, .sources = {}, .edges = {}};
  for (NodeId v = 0; v < 30; ++v) {
    batch.input_nodes.push_back(v);
    for (const NodeId u : graph.view().row(v)) batch.sources.push_back(u);
    batch.offsets.push_back(static_cast<std::int32_t>(batch.sources.size()));
  }
  const BatchAdjacency adjacency = make_gcn_adjacency(batch, graph.view());
  const WeightedGraph whole = make_gcn_graph(graph.view());
  ASSERT_EQ(whole.graph.num_edges(), 230);
  for (NodeId v = 0; v < 30; ++v) {
    std::vector<double> from_batch(30), from_graph(30);
    for (std::int32_t e = adjacency.offsets[v]; e < adjacency.offsets[v + 1]; ++e) {
      from_batch[adjacency.sources[e]] += adjacency.weights[e];
    }
    for (EdgeOffset e = whole.graph.view().offsets[v]; e < whole.graph.view().offsets[v + 1]; ++e) {
      from_graph[whole.graph.view().neighbors[e]] += whole.weights[e];
    }
    EXPECT_EQ(from_batch, from_graph) << "node " << v;
  }
}

}  // namespace
}  // namespace kith
