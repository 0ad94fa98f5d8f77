#include "partition/hierarchy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include "graph/errors.h"
#include "tests/partition/partition_graphs.h"
#include "tests/support/errors.h"

namespace kith {
namespace {

using test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<EdgeOffset> offsets_of(const Communities& level) {
  return {level.offsets().begin(), level.offsets().end()};
}

/// What every hierarchy must be: a permutation, nested levels over all nodes, hot nodes first, isolated nodes
/// last.
void check_hierarchy(CsrView graph, const Hierarchy& hierarchy) {
  std::vector<NodeId> nodes = hierarchy.old_of_new;
  std::ranges::sort(nodes);
  ASSERT_EQ(nodes.size(), static_cast<std::size_t>(graph.num_nodes()));
  for (NodeId v = 0; v < graph.num_nodes(); ++v) ASSERT_EQ(nodes[v], v);

  ASSERT_FALSE(hierarchy.levels.empty());
  ASSERT_NO_THROW(check_nested(hierarchy.levels, "test"));
  ASSERT_EQ(hierarchy.levels[0].num_nodes(), graph.num_nodes());
  for (std::size_t l = 1; l < hierarchy.levels.size(); ++l) {
    EXPECT_GE(hierarchy.levels[l].num_communities(), 2);
    EXPECT_LT(hierarchy.levels[l].num_communities(), hierarchy.levels[l - 1].num_communities());
  }
  const Communities& finest = hierarchy.levels[0];
  for (NodeId v = 1; v < graph.num_nodes(); ++v) {
    if (finest.community_of(v) != finest.community_of(v - 1)) continue;
    const NodeId before = hierarchy.old_of_new[v - 1], after = hierarchy.old_of_new[v];
    EXPECT_GE(graph.degree(before), graph.degree(after));
    if (graph.degree(before) == graph.degree(after)) {
      EXPECT_LT(before, after);
    }
  }
}

TEST(Hierarchy, OfTwoTrianglesPutsTheJointFirstInEach) {
  const CsrGraph graph = test::two_triangles();
  for (const auto method : {PartitionMethod::metis, PartitionMethod::lpa}) {
    const Hierarchy hierarchy =
        find_hierarchy(graph.view(), {.method = method, .num_communities = 2, .imbalance = 0.03});
    check_hierarchy(graph.view(), hierarchy);
    EXPECT_THAT(hierarchy.old_of_new, ElementsAre(2, 0, 1, 3, 4, 5));
    EXPECT_THAT(offsets_of(hierarchy.levels[0]), ElementsAre(0, 3, 6));
    EXPECT_EQ(hierarchy.levels.size(), 1U) << "a coarser level would be one community";
  }
}

TEST(Hierarchy, CleansDirectedEdgesLoopsAndRepeats) {
  const CsrGraph graph = test::make_graph(
      6, {{0, 1}, {0, 1}, {2, 0}, {1, 2}, {1, 1}, {3, 4}, {5, 3}, {4, 5}, {3, 2}, {5, 5}, {5, 5}});
  const Hierarchy hierarchy = find_hierarchy(graph.view(), {.num_communities = 2, .imbalance = 0.03});
  check_hierarchy(graph.view(), hierarchy);
  // In-degree as given: loops and repeats count.
  EXPECT_THAT(hierarchy.old_of_new, ElementsAre(1, 2, 0, 5, 3, 4));
}

TEST(Hierarchy, PutsIsolatedNodesLastInCommunitiesOfTheirOwn) {
  const CsrGraph graph = test::undirected(11, {{1, 2}, {1, 3}, {2, 3}, {6, 7}, {6, 8}, {7, 8}, {3, 6}});
  for (const auto method : {PartitionMethod::metis, PartitionMethod::lpa}) {
    const Hierarchy hierarchy =
        find_hierarchy(graph.view(), {.method = method, .community_size = 3, .imbalance = 0.03});
    check_hierarchy(graph.view(), hierarchy);
    EXPECT_THAT(std::span(hierarchy.old_of_new).subspan(6), ElementsAre(0, 4, 5, 9, 10));
    const auto offsets = offsets_of(hierarchy.levels[0]);
    EXPECT_THAT(offsets, testing::IsSupersetOf({6, 9, 11}));
  }
}

TEST(Hierarchy, TakesAnIsolatedNodeWithALoopForIsolated) {
  const CsrGraph graph = test::make_graph(4, {{0, 0}, {1, 2}, {2, 1}, {3, 1}});
  const Hierarchy hierarchy = find_hierarchy(graph.view(), {.num_communities = 2});
  check_hierarchy(graph.view(), hierarchy);
  EXPECT_EQ(hierarchy.old_of_new.back(), 0);
}

TEST(Hierarchy, NeverCrashesOnOddGraphs) {
  std::vector<CsrGraph> graphs;
  graphs.emplace_back();
  graphs.push_back(test::undirected(1, {}));
  graphs.push_back(test::make_graph(1, {{0, 0}}));
  graphs.push_back(test::undirected(50, {}));
  graphs.push_back(test::undirected(50, {{20, 40}}));
  graphs.push_back(test::star(300));
  graphs.push_back(test::path(300));
  for (const CsrGraph& graph : graphs) {
    for (const auto method : {PartitionMethod::metis, PartitionMethod::lpa}) {
      for (const std::int32_t size : {1, 2, 5, 1000}) {
        for (const std::int32_t num_levels : {1, 2, 5}) {
          check_hierarchy(graph.view(),
                          find_hierarchy(graph.view(),
                                         {.method = method, .community_size = size, .num_levels = num_levels}));
        }
      }
    }
  }
}

TEST(Hierarchy, FindsPlantedBlocksInNestedLevels) {
  const CsrGraph graph = test::planted_blocks(8000, 250, 8, 1, 1);
  for (const auto method : {PartitionMethod::metis, PartitionMethod::lpa}) {
    const Hierarchy hierarchy = find_hierarchy(graph.view(), {.method = method, .community_size = 32});
    check_hierarchy(graph.view(), hierarchy);
    ASSERT_EQ(hierarchy.levels.size(), method == PartitionMethod::metis ? 2U : hierarchy.levels.size());
    std::vector<EdgeOffset> no_ids;
    const CsrGraph ordered = renumber(graph.view(), hierarchy.old_of_new, no_ids);
    double intra = measure_quality(ordered.view(), hierarchy.levels[0]).intra_edge_fraction;
    EXPECT_GT(intra, 0.7);
    for (const Communities& level : std::span(hierarchy.levels).subspan(1)) {
      const double coarser = measure_quality(ordered.view(), level).intra_edge_fraction;
      EXPECT_GT(coarser, intra);
      intra = coarser;
    }
  }
}

TEST(Hierarchy, NumbersNeighbouringCommunitiesNearEachOther) {
  // A path cut in 40: in a good order most borders join communities whose numbers are one apart.
  const CsrGraph graph = test::path(4000);
  const Hierarchy hierarchy = find_hierarchy(graph.view(), {.num_communities = 40, .num_levels = 1});
  std::vector<EdgeOffset> no_ids;
  const CsrGraph ordered = renumber(graph.view(), hierarchy.old_of_new, no_ids);
  int num_borders = 0, num_near = 0;
  for (NodeId v = 0; v < 4000; ++v) {
    for (const NodeId u : ordered.view().row(v)) {
      const int gap = std::abs(hierarchy.levels[0].community_of(u) - hierarchy.levels[0].community_of(v));
      num_borders += gap > 0;
      num_near += gap == 1;
    }
  }
  EXPECT_GT(num_near, 0.6 * num_borders);
}

TEST(Hierarchy, IsTheSameForAnyNumberOfThreads) {
  const CsrGraph graph = test::planted_blocks(4000, 100, 5, 2, 3);
  for (const auto method : {PartitionMethod::metis, PartitionMethod::lpa}) {
    std::vector<Hierarchy> found;
    for (const std::size_t num_threads : {1, 2}) {
      const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, num_threads);
      found.push_back(find_hierarchy(graph.view(), {.method = method, .community_size = 20, .seed = 4}));
    }
    EXPECT_EQ(found[0].old_of_new, found[1].old_of_new);
    ASSERT_EQ(found[0].levels.size(), found[1].levels.size());
    for (std::size_t l = 0; l < found[0].levels.size(); ++l) {
      EXPECT_EQ(offsets_of(found[0].levels[l]), offsets_of(found[1].levels[l]));
    }
  }
}

TEST(Hierarchy, FromGivenCommunitiesKeepsThem) {
  const CsrGraph graph = test::two_triangles();
  const std::vector<std::int32_t> given{900000000, 5, 5, 7, 7, 900000000};
  const Hierarchy hierarchy = hierarchy_from(graph.view(), given, {});
  check_hierarchy(graph.view(), hierarchy);
  ASSERT_EQ(hierarchy.levels[0].num_communities(), 3);
  for (NodeId v = 1; v < 6; v += 2) {
    EXPECT_EQ(given[hierarchy.old_of_new[v]], given[hierarchy.old_of_new[v - 1]]);
  }
}

TEST(Hierarchy, SaysWhatMetisWillNeedBeforeItStarts) {
  std::vector<std::string> said;
  PartitionOptions options{.num_communities = 2};
  options.progress = [&](const std::string& line) { said.push_back(line); };
  find_hierarchy(test::two_triangles().view(), options);
  ASSERT_FALSE(said.empty());
  EXPECT_THAT(said[0], HasSubstr("2 parts of 6 nodes, 14 adjacency entries; it needs about 1 MiB"));
}

TEST(Hierarchy, SaysWhatIsWrongWithOptions) {
  const CsrGraph graph = test::path(4);
  const auto with = [&](const PartitionOptions& options) {
    return error_of<InvalidArgument>([&] { find_hierarchy(graph.view(), options); });
  };
  EXPECT_THAT(with({.num_communities = 5}), HasSubstr("num_communities must lie in [0, 4]"));
  EXPECT_THAT(with({.num_communities = -1}), HasSubstr("num_communities"));
  EXPECT_THAT(with({.community_size = 0}), HasSubstr("community_size must be > 0, got 0"));
  EXPECT_THAT(with({.num_levels = 0}), HasSubstr("num_levels must be >= 1, got 0"));
  EXPECT_THAT(with({.imbalance = 0}), HasSubstr("imbalance"));
  const auto from = [&](std::vector<std::int32_t> given) {
    return error_of<InvalidArgument>([&] { hierarchy_from(graph.view(), given, {}); });
  };
  EXPECT_THAT(from({0, 1}), HasSubstr("must hold 4 values, got 2"));
  EXPECT_THAT(from({0, 1, -3, 0}), HasSubstr("got -3 for node 2"));
}

}  // namespace
}  // namespace kith
