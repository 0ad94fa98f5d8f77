#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include "graph/errors.h"
#include "partition/partition.h"
#include "tests/partition/partition_graphs.h"
#include "tests/support/errors.h"

namespace kith {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(LabelPropagation, FindsTwoTriangles) {
  const CsrGraph graph = test::two_triangles();
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_THAT(label_propagation(graph.view(), 3, seed), ElementsAre(0, 0, 0, 1, 1, 1)) << "seed " << seed;
  }
}

TEST(LabelPropagation, KeepsEveryCommunityWithinTheBound) {
  std::vector<CsrGraph> graphs;
  graphs.push_back(test::star(200));
  graphs.push_back(test::path(200));
  graphs.push_back(test::undirected(200, {{0, 1}}));
  graphs.push_back(test::planted_blocks(200, 4, 4, 1, 1));
  for (const CsrGraph& graph : graphs) {
    for (const std::int32_t bound : {1, 2, 7, 16, 50, 200, 1000}) {
      const auto part = label_propagation(graph.view(), bound, 5);
      EXPECT_LE(test::largest_part(part), bound);
      EXPECT_TRUE(test::is_compact(part));
    }
  }
}

TEST(LabelPropagation, LeavesFewSmallCommunities) {
  // A thousand separate triangles, far below the bound, and nodes without any neighbour.
  std::vector<std::pair<NodeId, NodeId>> pairs;
  for (NodeId v = 0; v < 3000; v += 3) pairs.insert(pairs.end(), {{v, v + 1}, {v, v + 2}, {v + 1, v + 2}});
  const CsrGraph graph = test::undirected(3500, pairs);
  const auto part = label_propagation(graph.view(), 256, 1);
  EXPECT_LE(test::part_sizes(part).size(), 3500U / 64);
  for (NodeId v = 0; v < 3000; v += 3) {
    ASSERT_EQ(part[v], part[v + 1]);
    ASSERT_EQ(part[v], part[v + 2]);
  }
}

TEST(LabelPropagation, FindsPlantedBlocks) {
  const CsrGraph graph = test::planted_blocks(2000, 20, 8, 1, 1);
  const auto part = label_propagation(graph.view(), 200, 1);
  // About 9 in 10 edges were drawn inside a block.
  EXPECT_GT(test::intra_share(graph.view(), part), 0.8);
}

TEST(LabelPropagation, IgnoresSelfLoops) {
  const CsrGraph graph = test::make_graph(2, {{0, 0}, {0, 0}, {0, 1}, {1, 0}, {1, 1}, {1, 1}});
  EXPECT_THAT(label_propagation(graph.view(), 2, 1), ElementsAre(0, 0));
}

TEST(LabelPropagation, TakesAGraphWithoutNodes) {
  EXPECT_TRUE(label_propagation(CsrGraph().view(), 4, 1).empty());
}

TEST(LabelPropagation, IsTheSameForAnyNumberOfThreads) {
  const CsrGraph graph = test::planted_blocks(6000, 60, 5, 3, 9);
  const auto run = [&](std::size_t num_threads, std::uint64_t seed) {
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, num_threads);
    return label_propagation(graph.view(), 300, seed);
  };
  EXPECT_EQ(run(1, 3), run(2, 3));
  EXPECT_EQ(run(2, 3), run(2, 3));
  EXPECT_NE(run(1, 3), run(1, 4));
}

TEST(LabelPropagation, RefusesABoundOfZero) {
  EXPECT_THAT(test::error_of<InvalidArgument>([] { label_propagation(test::path(2).view(), 0, 1); }),
              HasSubstr("max_community_size must be >= 1, got 0"));
}

}  // namespace
}  // namespace kith
