#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "graph/errors.h"
#include "partition/partition.h"
#include "tests/partition/partition_graphs.h"
#include "tests/support/errors.h"

namespace kith {
namespace {

using test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::int32_t> cut(const CsrGraph& graph, MetisOptions options) {
  return metis_partition(graph.view(), {}, {}, options);
}

TEST(MetisPartition, CutsTwoTrianglesAtTheBridge) {
  const CsrGraph graph = test::two_triangles();
  EXPECT_THAT(cut(graph, {.num_parts = 2, .imbalance = 0.03}), ElementsAre(0, 0, 0, 1, 1, 1));
}

TEST(MetisPartition, ObeysEdgeWeights) {
  // A ring of 32 nodes in two halves: the cut goes where the two light edges are, not elsewhere.
  std::vector<std::pair<NodeId, NodeId>> pairs;
  for (NodeId v = 0; v < 32; ++v) pairs.emplace_back(v, (v + 1) % 32);
  const CsrGraph graph = test::undirected(32, pairs);
  std::vector<std::int32_t> weights;
  for (NodeId v = 0; v < 32; ++v) {
    for (const NodeId u : graph.view().row(v)) {
      const bool is_light = std::minmax(u, v) == std::minmax(NodeId{5}, NodeId{6}) ||
                            std::minmax(u, v) == std::minmax(NodeId{21}, NodeId{22});
      weights.push_back(is_light ? 1 : 50);
    }
  }
  const auto part = metis_partition(graph.view(), weights, {}, {.num_parts = 2, .imbalance = 0.03});
  for (NodeId v = 0; v < 32; ++v) EXPECT_EQ(part[v], v >= 6 && v <= 21 ? 1 : 0) << "node " << v;
}

TEST(MetisPartition, ObeysNodeWeights) {
  const CsrGraph graph = test::path(4);
  const auto part = metis_partition(graph.view(), {}, std::vector<std::int32_t>{30, 10, 10, 10},
                                    {.num_parts = 2, .imbalance = 0.03});
  EXPECT_THAT(part, ElementsAre(0, 1, 1, 1));
}

TEST(MetisPartition, PutsIsolatedNodesInPartsOfTheirOwn) {
  // Four isolated nodes among two triangles; of 5 parts of mean size 2, two are for them.
  const CsrGraph graph = test::undirected(10, {{1, 2}, {1, 3}, {2, 3}, {5, 6}, {5, 7}, {6, 7}, {3, 5}});
  const auto part = cut(graph, {.num_parts = 5, .imbalance = 0.5});
  EXPECT_TRUE(test::is_compact(part));
  EXPECT_EQ(part[0], part[4]);
  EXPECT_EQ(part[8], part[9]);
  EXPECT_NE(part[0], part[8]);
  for (const NodeId isolated : {0, 4, 8, 9}) {
    for (const NodeId other : {1, 2, 3, 5, 6, 7}) EXPECT_NE(part[isolated], part[other]);
  }
}

TEST(MetisPartition, NeverCrashesOnOddGraphs) {
  const CsrGraph none, one = test::undirected(1, {}), isolated = test::undirected(7, {});
  EXPECT_TRUE(cut(none, {.num_parts = 3}).empty());
  EXPECT_THAT(cut(one, {.num_parts = 1}), ElementsAre(0));
  EXPECT_THAT(cut(isolated, {.num_parts = 1}), ElementsAre(0, 0, 0, 0, 0, 0, 0));
  EXPECT_EQ(test::part_sizes(cut(isolated, {.num_parts = 7})).size(), 7U);
  EXPECT_EQ(test::part_sizes(cut(test::star(9), {.num_parts = 9})).size(), 9U);
}

TEST(MetisPartition, GivesCompactPartsForEveryCountOnSmallGraphs) {
  std::vector<CsrGraph> graphs;
  graphs.push_back(test::star(40));
  graphs.push_back(test::path(40));
  graphs.push_back(test::undirected(40, {{3, 4}, {10, 11}, {11, 12}}));
  for (const int inside : {0, 1, 3}) graphs.push_back(test::planted_blocks(40, 8, inside, 1, 11));
  for (const CsrGraph& graph : graphs) {
    for (std::int32_t num_parts = 1; num_parts <= 45; ++num_parts) {
      for (const double imbalance : {0.001, 1.0, 50.0}) {
        const auto part = cut(graph, {.num_parts = num_parts, .imbalance = imbalance});
        ASSERT_EQ(part.size(), 40U);
        ASSERT_TRUE(test::is_compact(part)) << num_parts << " parts, imbalance " << imbalance;
        // With two nodes a part or more, few parts may be lost.
        if (num_parts <= 13 && imbalance <= 1) {
          ASSERT_GE(test::part_sizes(part).size(), (2U * num_parts + 2U) / 3U) << imbalance;
        }
      }
    }
  }
}

TEST(MetisPartition, FindsPlantedBlocks) {
  const CsrGraph graph = test::planted_blocks(2000, 10, 8, 1, 1);
  const auto part = cut(graph, {.num_parts = 10, .imbalance = 0.1});
  std::set<std::pair<std::int32_t, NodeId>> seen;
  for (NodeId v = 0; v < 2000; ++v) seen.emplace(part[v], v % 10);
  EXPECT_EQ(seen.size(), 10U) << "each part is one block";
  EXPECT_LE(test::largest_part(part), 220);
}

TEST(MetisPartition, RepeatsItselfForOneSeedAndNotForAnother) {
  const CsrGraph graph = test::planted_blocks(600, 6, 3, 3, 2);
  const auto first = cut(graph, {.num_parts = 12, .seed = 0});
  EXPECT_EQ(first, cut(graph, {.num_parts = 12, .seed = 0}));
  EXPECT_NE(first, cut(graph, {.num_parts = 12, .seed = 1}));
  EXPECT_NO_THROW(cut(graph, {.num_parts = 12, .seed = std::numeric_limits<std::uint64_t>::max()}));
}

TEST(MetisPartition, DoesNotWriteToItsInput) {
  const CsrGraph graph = test::planted_blocks(300, 6, 3, 1, 3);
  const std::vector<NodeId> before(graph.view().neighbors.begin(), graph.view().neighbors.end());
  cut(graph, {.num_parts = 6});
  EXPECT_TRUE(std::ranges::equal(before, graph.view().neighbors));
}

TEST(MetisPartition, SaysWhatIsWrongWithOptionsAndWeights) {
  const CsrGraph graph = test::path(3);
  EXPECT_THAT(error_of<InvalidArgument>([&] { cut(graph, {.num_parts = 0}); }), HasSubstr("num_parts"));
  EXPECT_THAT(error_of<InvalidArgument>([&] { cut(graph, {.imbalance = 0}); }), HasSubstr("imbalance"));
  EXPECT_THAT(error_of<InvalidArgument>([&] { cut(graph, {.imbalance = std::nan("")}); }),
              HasSubstr("imbalance"));
  const auto with = [&](std::vector<std::int32_t> edges, std::vector<std::int32_t> nodes) {
    return error_of<InvalidArgument>([&] { metis_partition(graph.view(), edges, nodes, {}); });
  };
  EXPECT_THAT(with({1, 1}, {}), HasSubstr("edge_weights must hold 4 values, got 2"));
  EXPECT_THAT(with({1, 1, 0, 0}, {}), HasSubstr("edge_weights must be > 0"));
  EXPECT_THAT(with({}, {1, 1, -2}), HasSubstr("node_weights must be > 0"));
  EXPECT_THAT(with({2000000000, 2000000000, 1, 1}, {}), HasSubstr("sum of edge_weights"));
}

TEST(MetisPartition, RefusesMoreEntriesThanItsIndicesHold) {
  // Only the bounds are looked at before the refusal, so no such array is needed.
  const std::vector<EdgeOffset> offsets{0, EdgeOffset{1} << 31};
  const NodeId unused = 0;
  const CsrView graph{offsets, {&unused, std::size_t{1} << 31}};
  EXPECT_THAT(error_of<InvalidArgument>([&] { metis_partition(graph, {}, {}, {}); }),
              HasSubstr("at most 2147483647 adjacency entries"));
}

TEST(MetisPartition, EstimateGrowsWithTheGraph) {
  EXPECT_GT(estimate_metis_bytes(1000, 10000, 10), 10000 * 4);
  EXPECT_GT(estimate_metis_bytes(1000, 20000, 10), estimate_metis_bytes(1000, 10000, 10));
  EXPECT_GT(estimate_metis_bytes(1 << 30, EdgeOffset{1} << 31, 10), EdgeOffset{1} << 32)
      << "no 32-bit overflow";
}

TEST(MetisPartition, SaysHowWideItsIndicesAre) { EXPECT_THAT(metis_index_bits(), testing::AnyOf(32, 64)); }

TEST(PartitionMethod, IsReadFromItsName) {
  EXPECT_EQ(parse_partition_method("metis"), PartitionMethod::metis);
  EXPECT_EQ(parse_partition_method("lpa"), PartitionMethod::lpa);
  EXPECT_THAT(error_of<InvalidArgument>([] { parse_partition_method("louvain"); }), HasSubstr("louvain"));
}

}  // namespace
}  // namespace kith
