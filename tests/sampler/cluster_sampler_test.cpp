#include "sampler/cluster_sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <oneapi/tbb/global_control.h>

#include <map>
#include <set>

#include "graph/errors.h"
#include "sampler/sampler.h"
#include "tests/sampler/random_graphs.h"

namespace kith {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

SamplerOptions options(std::size_t num_hops) {
  return {.kind = SamplerKind::cluster, .fanouts = std::vector<std::int32_t>(num_hops, 5), .keep_edges = true};
}

// Communities {0, 1, 2} {3, 4} {5, 6}; the root 4 brings 3 along, the root 1 brings 0 and 2.
TEST(ClusterSampler, TakesTheRootsCommunitiesAndTheEdgesBetweenThem) {
  const CsrGraph graph = test::make_graph(7, {{0, 1}, {3, 1}, {5, 1}, {1, 4}, {4, 0}, {6, 3}, {2, 6}});
  const Communities communities({0, 3, 5, 7}, 7, "test");
  const ClusterSampler sampler(graph.view(), communities, options(2));
  const std::vector<NodeId> roots = {4, 1};
  const MiniBatch batch = sampler.sample(roots);
  EXPECT_THAT(batch.input_nodes, ElementsAre(4, 1, 0, 2, 3));
  EXPECT_THAT(batch.hop_bounds, ElementsAre(2, 5, 5));
  EXPECT_THAT(batch.offsets, ElementsAre(0, 1, 3, 4, 4, 4));  // 4 <- 1; 1 <- 0, 3; 0 <- 4; 3 <- 6 is outside
  EXPECT_THAT(batch.sources, ElementsAre(1, 2, 4, 0));
  EXPECT_EQ(batch.num_intra_edges, 1);
  EXPECT_EQ(batch.block(1).num_destinations(), 2);
  EXPECT_EQ(batch.block(0).num_destinations(), 5);
}

TEST(ClusterSampler, NeedsTheRowsOfTheRootsAloneForOneHop) {
  const CsrGraph graph = test::make_graph(4, {{0, 1}, {1, 0}, {1, 2}});
  const MiniBatch batch =
      ClusterSampler(graph.view(), Communities(4), options(1)).sample(std::vector<NodeId>{1});
  EXPECT_THAT(batch.input_nodes, ElementsAre(1, 0, 2, 3));
  EXPECT_THAT(batch.hop_bounds, ElementsAre(1, 4));
  EXPECT_THAT(batch.offsets, ElementsAre(0, 1));
}

TEST(ClusterSampler, InducesTheSubGraphOnMessyGraphs) {
  const Communities communities = test::equal_communities(200, 20);
  for (const std::uint64_t seed : {1, 2, 3}) {
    const CsrGraph graph = test::messy_graph(seed);
    const std::vector<NodeId> roots = {5, 30, 31, 199};
    const MiniBatch batch = Sampler(graph.view(), communities, options(3)).sample(roots, 0, 0);
    std::multiset<std::pair<NodeId, NodeId>> expected, found;
    for (NodeId v = 0; v < 200; ++v) {
      const auto is_inside = [](NodeId u) { return u < 40 || u >= 180; };
      for (const NodeId u : graph.view().row(v)) {
        if (is_inside(u) && is_inside(v)) expected.emplace(u, v);
      }
    }
    for (std::size_t i = 0; i + 1 < batch.offsets.size(); ++i) {
      for (std::int32_t e = batch.offsets[i]; e < batch.offsets[i + 1]; ++e) {
        found.emplace(batch.input_nodes[batch.sources[e]], batch.input_nodes[i]);
        EXPECT_EQ(graph.view().neighbors[batch.edges[e]], batch.input_nodes[batch.sources[e]]);
      }
    }
    EXPECT_EQ(found, expected);
    EXPECT_EQ(batch.input_nodes.size(), 60U);
  }
}

TEST(ClusterSampler, GivesTheSameBitsOnOneThreadAndOnMany) {
  const CsrGraph graph = test::random_graph(6000, 60'000, 6);
  const Communities communities = test::equal_communities(6000, 1500);
  const ClusterSampler sampler(graph.view(), communities, options(2));
  const std::vector<NodeId> roots = {7, 1600};
  const auto with_threads = [&](std::size_t num_threads) {
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, num_threads);
    return sampler.sample(roots);
  };
  const MiniBatch one = with_threads(1), four = with_threads(4);
  EXPECT_EQ(one.input_nodes, four.input_nodes);
  EXPECT_EQ(one.sources, four.sources);
  EXPECT_EQ(one.edges, four.edges);
  EXPECT_GT(one.sources.size(), 10'000U);
}

TEST(ClusterSampler, TakesNoRootsAndRefusesBadOnes) {
  const CsrGraph graph = test::messy_graph(5);
  const Communities communities = test::equal_communities(200, 20);
  const ClusterSampler sampler(graph.view(), communities, options(2));
  EXPECT_THAT(sampler.sample({}).input_nodes, IsEmpty());
  EXPECT_THROW(sampler.sample(std::vector<NodeId>{3, 3}), InvalidArgument);
  EXPECT_THROW(sampler.sample(std::vector<NodeId>{200}), InvalidArgument);
  EXPECT_THROW(ClusterSampler(graph.view(), Communities(199), options(2)), InvalidArgument);
}

}  // namespace
}  // namespace kith
