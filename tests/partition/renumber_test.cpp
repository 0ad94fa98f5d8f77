#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include <numeric>

#include "graph/errors.h"
#include "partition/hierarchy.h"
#include "tests/partition/partition_graphs.h"
#include "tests/support/errors.h"

namespace kith {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Renumber, MovesRowsAndSortsThem) {
  const CsrGraph graph = test::make_graph(3, {{0, 2}, {1, 2}, {2, 0}});
  std::vector<EdgeOffset> no_ids;
  const CsrGraph moved = renumber(graph.view(), std::vector<NodeId>{2, 1, 0}, no_ids);
  EXPECT_THAT(moved.view().row(0), ElementsAre(1, 2));
  EXPECT_TRUE(moved.view().row(1).empty());
  EXPECT_THAT(moved.view().row(2), ElementsAre(0));
  EXPECT_TRUE(no_ids.empty());
}

TEST(Renumber, CarriesEdgeIdsAndKeepsParallelEdgesInOrder) {
  const CsrGraph graph = test::make_graph(3, {{0, 2}, {0, 2}, {1, 2}});
  std::vector<EdgeOffset> edge_id{50, 40, 30};
  const CsrGraph moved = renumber(graph.view(), std::vector<NodeId>{1, 0, 2}, edge_id);
  EXPECT_THAT(moved.view().row(2), ElementsAre(0, 1, 1));
  EXPECT_THAT(edge_id, ElementsAre(30, 50, 40));
}

TEST(Renumber, KeepsEveryEdgeOfARandomGraphForAnyNumberOfThreads) {
  const CsrGraph graph = test::random_graph(2000, 15000, 6);
  std::vector<NodeId> old_of_new(2000);
  std::iota(old_of_new.begin(), old_of_new.end(), 0);
  std::shuffle(old_of_new.begin(), old_of_new.end(), std::mt19937_64(1));
  for (const std::size_t num_threads : {1, 2}) {
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, num_threads);
    std::vector<EdgeOffset> edge_id(15000);
    std::iota(edge_id.begin(), edge_id.end(), 0);
    const CsrGraph moved = renumber(graph.view(), old_of_new, edge_id);
    std::vector<char> is_seen(15000, 0);
    for (NodeId v = 0; v < 2000; ++v) {
      ASSERT_EQ(moved.view().degree(v), graph.view().degree(old_of_new[v]));
      for (EdgeOffset e = moved.view().offsets[v]; e < moved.view().offsets[v + 1]; ++e) {
        const EdgeOffset old = edge_id[e];
        ASSERT_GE(old, graph.view().offsets[old_of_new[v]]);
        ASSERT_LT(old, graph.view().offsets[old_of_new[v] + 1]);
        ASSERT_EQ(graph.view().neighbors[old], old_of_new[moved.view().neighbors[e]]);
        is_seen[old] = 1;
      }
    }
    EXPECT_EQ(std::ranges::count(is_seen, 1), 15000);
  }
}

TEST(Renumber, RefusesWhatIsNoPermutation) {
  const CsrGraph graph = test::path(3);
  const auto with = [&](std::vector<NodeId> order, std::vector<EdgeOffset> ids) {
    return test::error_of<InvalidArgument>([&] { renumber(graph.view(), order, ids); });
  };
  EXPECT_THAT(with({0, 1}, {}), HasSubstr("must hold 3 nodes, got 2"));
  EXPECT_THAT(with({0, 1, 1}, {}), HasSubstr("permutation"));
  EXPECT_THAT(with({0, 1, 3}, {}), HasSubstr("got 3 at 2"));
  EXPECT_THAT(with({0, -1, 2}, {}), HasSubstr("got -1 at 1"));
  EXPECT_THAT(with({0, 1, 2}, {1, 2}), HasSubstr("edge_id"));
}

}  // namespace
}  // namespace kith
