#include "graph/csr_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "graph/errors.h"
#include "tests/support/errors.h"
#include "tests/support/graphs.h"

namespace kith {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string refusal(std::vector<EdgeOffset> offsets, std::vector<NodeId> neighbors) {
  return test::error_of<InvalidArgument>([&] { CsrGraph(std::move(offsets), std::move(neighbors), "here"); });
}

TEST(CsrGraph, ListsTheInNeighboursOfEachNode) {
  const CsrGraph graph = test::make_graph(3, {{2, 0}, {1, 0}, {0, 2}});
  EXPECT_THAT(graph.view().offsets, ElementsAre(0, 2, 2, 3));
  EXPECT_THAT(graph.view().row(0), ElementsAre(1, 2));
  EXPECT_THAT(graph.view().row(1), ElementsAre());
  EXPECT_THAT(graph.view().row(2), ElementsAre(0));
  EXPECT_EQ(graph.view().degree(0), 2);
  EXPECT_EQ(graph.num_nodes(), 3);
  EXPECT_EQ(graph.num_edges(), 3);
}

TEST(CsrGraph, IsEmptyByDefault) {
  const CsrGraph graph;
  EXPECT_EQ(graph.num_nodes(), 0);
  EXPECT_EQ(graph.num_edges(), 0);
}

TEST(CsrGraph, AllowsParallelEdgesAndSelfLoops) {
  const CsrGraph graph({0, 3}, {0, 0, 0}, "here");
  EXPECT_EQ(graph.view().degree(0), 3);
}

TEST(CsrGraph, RefusesOffsetsThatDoNotFit) {
  EXPECT_THAT(refusal({}, {}), HasSubstr("here: offsets must start with 0"));
  EXPECT_THAT(refusal({1, 1}, {0}), HasSubstr("offsets must start with 0"));
  EXPECT_THAT(refusal({0, 2, 1, 2}, {0, 1}), HasSubstr("offsets[2]"));
  EXPECT_THAT(refusal({0, 1}, {}), HasSubstr("must end at 0"));
  EXPECT_THAT(refusal({0, 1}, {0, 0}), HasSubstr("must end at 2"));
  EXPECT_THAT(refusal({0, -1, 0}, {}), HasSubstr("offsets[1]"));
}

TEST(CsrGraph, NamesTheFirstNodeWithBadNeighbours) {
  EXPECT_THAT(refusal({0, 1, 3}, {0, 1, 0}), HasSubstr("neighbours of node 1"));
  EXPECT_THAT(refusal({0, 1, 2}, {2, 2}), HasSubstr("neighbours of node 0"));
  EXPECT_THAT(refusal({0, 0, 1}, {-1}), HasSubstr("neighbours of node 1"));
}

TEST(CsrGraph, FindsTheFirstOfSeveralBadRowsInALargeGraph) {
  constexpr NodeId kNumNodes = 50000;
  std::mt19937 random(7);
  for (int round = 0; round < 5; ++round) {
    std::vector<EdgeOffset> offsets(kNumNodes + 1);
    std::vector<NodeId> neighbors(kNumNodes, 5);
    for (NodeId v = 0; v <= kNumNodes; ++v) offsets[v] = v;
    const auto a = static_cast<NodeId>(random() % kNumNodes);
    const auto b = static_cast<NodeId>(random() % kNumNodes);
    neighbors[a] = kNumNodes;
    neighbors[b] = -1;
    EXPECT_THAT(refusal(offsets, neighbors), HasSubstr(concat("neighbours of node ", std::min(a, b), " ")));
  }
}

TEST(RandomGraph, IsTheSameForTheSameSeedAndHasTheEdgesAskedFor) {
  const CsrGraph a = test::random_graph(50, 200, 3);
  const CsrGraph b = test::random_graph(50, 200, 3);
  const CsrGraph c = test::random_graph(50, 200, 4);
  EXPECT_EQ(a.num_edges(), 200);
  EXPECT_TRUE(std::ranges::equal(a.view().neighbors, b.view().neighbors));
  EXPECT_FALSE(std::ranges::equal(a.view().neighbors, c.view().neighbors));
}

}  // namespace
}  // namespace kith
