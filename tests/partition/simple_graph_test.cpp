#include "partition/simple_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include "tests/partition/partition_graphs.h"

namespace kith {
namespace {

using test::make_graph;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(SimpleGraph, BorrowsAGraphThatIsSimpleAlready) {
  const CsrGraph graph = test::two_triangles();
  const SimpleGraph simple(graph.view());
  EXPECT_FALSE(simple.is_copy());
  EXPECT_EQ(simple.view().neighbors.data(), graph.view().neighbors.data());
}

TEST(SimpleGraph, AddsTheMissingDirection) {
  const CsrGraph graph = make_graph(4, {{0, 1}, {2, 1}, {1, 2}});
  const SimpleGraph simple(graph.view());
  EXPECT_TRUE(simple.is_copy());
  EXPECT_THAT(simple.view().row(0), ElementsAre(1));
  EXPECT_THAT(simple.view().row(1), ElementsAre(0, 2));
  EXPECT_THAT(simple.view().row(2), ElementsAre(1));
  EXPECT_THAT(simple.view().row(3), IsEmpty());
}

TEST(SimpleGraph, DropsLoopsAndParallelEdgesOfASymmetricGraph) {
  const CsrGraph graph = make_graph(3, {{0, 0}, {0, 0}, {0, 1}, {1, 0}, {1, 0}, {2, 2}});
  const SimpleGraph simple(graph.view());
  EXPECT_THAT(simple.view().row(0), ElementsAre(1));
  EXPECT_THAT(simple.view().row(1), ElementsAre(0));
  EXPECT_THAT(simple.view().row(2), IsEmpty());
  EXPECT_EQ(simple.view().num_edges(), 2);
}

TEST(SimpleGraph, TakesAGraphWithoutNodes) {
  const CsrGraph graph;
  EXPECT_EQ(SimpleGraph(graph.view()).view().num_nodes(), 0);
}

TEST(SimpleGraph, AgreesWithASetOfPairsForAnyNumberOfThreads) {
  for (const std::size_t num_threads : {1, 2}) {
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, num_threads);
    std::mt19937_64 bits(7);
    std::vector<std::pair<NodeId, NodeId>> edges;
    std::set<std::pair<NodeId, NodeId>> expected;
    for (int i = 0; i < 20000; ++i) {
      const auto a = static_cast<NodeId>(bits() % 3000), b = static_cast<NodeId>(bits() % 3000);
      edges.emplace_back(a, b);
      if (a == b) continue;
      expected.emplace(a, b);
      expected.emplace(b, a);
    }
    const CsrGraph graph = make_graph(3000, edges);
    const SimpleGraph simple(graph.view());
    std::vector<std::pair<NodeId, NodeId>> found;
    for (NodeId v = 0; v < 3000; ++v) {
      for (const NodeId u : simple.view().row(v)) found.emplace_back(v, u);
    }
    EXPECT_TRUE(std::ranges::equal(found, expected));
  }
}

}  // namespace
}  // namespace kith
