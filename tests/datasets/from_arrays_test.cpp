#include "datasets/from_arrays.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "graph/errors.h"

namespace kith {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;
using EdgeSet = std::set<std::pair<std::int64_t, std::int64_t>>;

/// Owns the arrays of five nodes: 0->1, 2->1, 2->1 again, 3->3 and 4->0; communities {0, 2, 4} and {1, 3}.
struct Arrays {
  std::vector<std::int64_t> sources{0, 2, 2, 3, 4};
  std::vector<std::int64_t> targets{1, 1, 1, 3, 0};
  std::vector<float> x{0, 10, 1, 11, 2, 12, 3, 13, 4, 14};
  std::vector<std::int32_t> community_of{7, 3, 7, 3, 7};

  ArrayGraph graph() const {
    return {.num_nodes = 5,
            .sources = sources,
            .targets = targets,
            .features = {.data = reinterpret_cast<const std::byte*>(x.data()),
                         .num_rows = 5,
                         .dim = 2,
                         .type = FeatureType::f32},
            .labels = {.of_node = {0, 1, 2, kNoLabel, 0}, .indicator = {}, .num_classes = 3},
            .splits = {.train = {4, 0}, .valid = {3}, .test = {2, 1}},
            .community_of = community_of};
  }
};

Dataset build(const ArrayGraph& arrays, const FromArraysOptions& options = {}) {
  return dataset_from_arrays(arrays, options);
}

/// All edges, in source ids.
EdgeSet edges_of(const Dataset& dataset) {
  EdgeSet edges;
  for (NodeId v = 0; v < dataset.num_nodes(); ++v) {
    for (const NodeId u : dataset.graph.view().row(v)) {
      edges.emplace(dataset.original_id[u], dataset.original_id[v]);
    }
  }
  return edges;
}

TEST(FromArrays, CountsARepeatedEdgeOnceAndKeepsASelfLoop) {
  const Dataset dataset = build(Arrays().graph());
  EXPECT_EQ(dataset.graph.num_edges(), 4);
  EXPECT_EQ(edges_of(dataset), (EdgeSet{{0, 1}, {2, 1}, {3, 3}, {4, 0}}));
}

TEST(FromArrays, MakesEveryGivenCommunityARangeOfIds) {
  const Dataset dataset = build(Arrays().graph());
  std::set<std::set<std::int64_t>> communities;
  for (std::int32_t c = 0; c < dataset.communities(0).num_communities(); ++c) {
    const auto begin = dataset.original_id.begin();
    communities.insert({begin + dataset.communities(0).begin(c), begin + dataset.communities(0).end(c)});
  }
  EXPECT_EQ(communities, (std::set<std::set<std::int64_t>>{{0, 2, 4}, {1, 3}}));
  EXPECT_EQ(dataset.provenance.method, "file");
}

TEST(FromArrays, TakesFeaturesLabelsAndSplitsAlong) {
  const Arrays arrays;
  const Dataset dataset = build(arrays.graph());
  for (NodeId v = 0; v < 5; ++v) {
    const auto old = static_cast<std::size_t>(dataset.original_id[v]);
    float row[2];
    std::memcpy(row, dataset.features.view().row(v), sizeof row);
    EXPECT_EQ(row[0], arrays.x[2 * old]);
    EXPECT_EQ(row[1], arrays.x[2 * old + 1]);
    EXPECT_EQ(dataset.labels.of_node[v], arrays.graph().labels.of_node[old]);
  }
  std::set<std::int64_t> train;
  for (const NodeId v : dataset.splits.train) train.insert(dataset.original_id[v]);
  EXPECT_EQ(train, (std::set<std::int64_t>{0, 4}));
  EXPECT_TRUE(std::is_sorted(dataset.splits.test.begin(), dataset.splits.test.end()));
}

TEST(FromArrays, CarriesThePositionOfTheFirstSuchEdge) {
  const Arrays arrays;
  for (const bool symmetrize : {false, true}) {
    const Dataset dataset = build(arrays.graph(), {.symmetrize = symmetrize, .partition = {}});
    ASSERT_EQ(dataset.edge_id.size(), symmetrize ? 7U : 4U);
    for (NodeId v = 0; v < 5; ++v) {
      for (EdgeOffset e = dataset.graph.view().offsets[v]; e < dataset.graph.view().offsets[v + 1]; ++e) {
        const auto place = static_cast<std::size_t>(dataset.edge_id[e]);
        ASSERT_NE(place, 2U);  // the repeated one
        std::pair edge(dataset.original_id[dataset.graph.view().neighbors[e]], dataset.original_id[v]);
        const std::pair stored(arrays.sources[place], arrays.targets[place]);
        if (edge != stored) std::swap(edge.first, edge.second);
        EXPECT_EQ(edge, stored);
      }
    }
  }
}

TEST(FromArrays, CallsAGraphDirectedIfAnEdgeLacksItsReverse) {
  Arrays arrays;
  EXPECT_TRUE(build(arrays.graph()).provenance.directed);
  EXPECT_FALSE(build(arrays.graph(), {.symmetrize = true, .partition = {}}).provenance.directed);
  arrays.sources = {0, 1, 3, 2, 2};
  arrays.targets = {1, 0, 2, 3, 2};
  EXPECT_FALSE(build(arrays.graph()).provenance.directed);
}

TEST(FromArrays, KeepsRowsOfAMultiLabelTarget) {
  Arrays arrays;
  ArrayGraph graph = arrays.graph();
  graph.labels = {.of_node = {}, .indicator = {0, 0, 0, 1, 1, 0, 1, 1, 1, 0}, .num_classes = 2};
  const Dataset dataset = build(graph);
  for (std::size_t v = 0; v < 5; ++v) {
    const auto old = static_cast<std::size_t>(dataset.original_id[v]);
    EXPECT_EQ(dataset.labels.indicator[2 * v], graph.labels.indicator[2 * old]);
    EXPECT_EQ(dataset.labels.indicator[2 * v + 1], graph.labels.indicator[2 * old + 1]);
  }
}

TEST(FromArrays, BuildsAGraphOfNothing) {
  const Dataset dataset = build({});
  EXPECT_EQ(dataset.num_nodes(), 0);
  EXPECT_EQ(dataset.graph.num_edges(), 0);
}

TEST(FromArrays, FindsCommunitiesOfARandomGraphAndKeepsItsEdges) {
  std::mt19937_64 bits(7);
  std::vector<std::int64_t> sources;
  std::vector<std::int64_t> targets;
  EdgeSet expected;
  for (int i = 0; i < 3000; ++i) {
    sources.push_back(static_cast<std::int64_t>(bits() % 500));
    targets.push_back(static_cast<std::int64_t>(bits() % 500));
    expected.emplace(sources.back(), targets.back());
  }
  for (const PartitionMethod method : {PartitionMethod::metis, PartitionMethod::lpa}) {
    const Dataset dataset = dataset_from_arrays(
        {.num_nodes = 500,
         .sources = sources,
         .targets = targets,
         .features = {},
         .labels = {},
         .splits = {},
         .community_of = {}},
        {.symmetrize = false, .partition = {.method = method, .community_size = 50, .num_levels = 2}});
    EXPECT_EQ(edges_of(dataset), expected);
    EXPECT_GT(dataset.communities(0).num_communities(), 1);
  }
}

void expect_refused(const ArrayGraph& graph, const char* text) {
  EXPECT_THAT([&] { (void)build(graph); }, ThrowsMessage<InvalidArgument>(HasSubstr(text)));
}

TEST(FromArrays, RefusesArraysThatDoNotFit) {
  Arrays arrays;
  ArrayGraph graph = arrays.graph();
  graph.targets = graph.targets.first(3);
  expect_refused(graph, "3 targets");
  graph = arrays.graph();
  graph.features.num_rows = 4;
  expect_refused(graph, "x must have 5 rows");
  graph = arrays.graph();
  graph.community_of = graph.community_of.first(2);
  expect_refused(graph, "communities must have 5 entries");
  graph = arrays.graph();
  graph.labels.of_node.pop_back();
  expect_refused(graph, "5 labels");
  graph = arrays.graph();
  graph.splits.train = {5};
  expect_refused(graph, "ids of train must be in [0, 5), got 5");
  graph.splits.train = {1, 1};
  expect_refused(graph, "ids of train must not repeat");
}

TEST(FromArrays, RefusesIdsOutOfRangeAndValuesThatAreNotFinite) {
  Arrays arrays;
  arrays.sources[3] = 5;
  expect_refused(arrays.graph(), "source of edge 3 must be in [0, 5), got 5");
  arrays = Arrays();
  arrays.targets[0] = -1;
  expect_refused(arrays.graph(), "target of edge 0");
  arrays = Arrays();
  arrays.community_of[1] = -1;
  expect_refused(arrays.graph(), "community of node 1");
  arrays = Arrays();
  arrays.x[5] = std::numeric_limits<float>::infinity();
  expect_refused(arrays.graph(), "row 2");
}

}  // namespace
}  // namespace kith
