#include <gtest/gtest.h>

#include "graph/errors.h"
#include "partition/hierarchy.h"
#include "tests/partition/partition_graphs.h"
#include "tests/support/errors.h"

namespace kith {
namespace {

Communities make_communities(std::vector<EdgeOffset> offsets) {
  const auto num_nodes = static_cast<NodeId>(offsets.back());
  return Communities(std::move(offsets), num_nodes, "test");
}

TEST(Quality, OfTwoTrianglesIsAsByHand) {
  const CsrGraph graph = test::two_triangles();
  const LevelQuality quality = measure_quality(graph.view(), make_communities({0, 3, 6}));
  EXPECT_EQ(quality.num_communities, 2);
  EXPECT_EQ(quality.smallest, 3);
  EXPECT_EQ(quality.largest, 3);
  EXPECT_DOUBLE_EQ(quality.intra_edge_fraction, 6.0 / 7);
  EXPECT_DOUBLE_EQ(quality.modularity, 6.0 / 7 - 0.5);
}

TEST(Quality, LeavesSelfLoopsOut) {
  const CsrGraph graph = test::make_graph(3, {{0, 0}, {1, 1}, {0, 1}, {1, 2}});
  const LevelQuality quality = measure_quality(graph.view(), make_communities({0, 2, 3}));
  EXPECT_DOUBLE_EQ(quality.intra_edge_fraction, 0.5);
  // Ends: 3 of 4 in the first community, 1 of 4 in the second.
  EXPECT_DOUBLE_EQ(quality.modularity, 0.5 - 9.0 / 16 - 1.0 / 16);
}

TEST(Quality, NamesTheSizes) {
  const LevelQuality quality = measure_quality(test::path(10).view(), make_communities({0, 5, 6, 10}));
  EXPECT_EQ(quality.smallest, 1);
  EXPECT_EQ(quality.median, 4);
  EXPECT_EQ(quality.largest, 5);
}

TEST(Quality, IsZeroWithoutEdgesAndWithoutNodes) {
  EXPECT_EQ(measure_quality(test::undirected(3, {}).view(), Communities(3)).intra_edge_fraction, 0);
  EXPECT_EQ(measure_quality(CsrGraph().view(), Communities(0)).num_communities, 0);
}

TEST(Quality, AgreesWithTheDefinitionOnARandomDirectedGraph) {
  const CsrGraph graph = test::random_graph(60, 700, 8);
  const Communities communities = make_communities({0, 7, 20, 33, 60});
  // Newman: 1/2m sum over pairs (A_ij - k_i k_j / 2m) of one community, A = arcs in either direction.
  std::vector<std::vector<double>> adjacency(60, std::vector<double>(60, 0));
  std::vector<double> degree(60, 0);
  double twice_edges = 0;
  for (NodeId v = 0; v < 60; ++v) {
    for (const NodeId u : graph.view().row(v)) {
      adjacency[v][u] += 1;
      adjacency[u][v] += 1;
      degree[u] += 1;
      degree[v] += 1;
      twice_edges += 2;
    }
  }
  double inside = 0, modularity = 0;
  for (NodeId i = 0; i < 60; ++i) {
    for (NodeId j = 0; j < 60; ++j) {
      if (communities.community_of(i) != communities.community_of(j)) continue;
      inside += adjacency[i][j];
      modularity += (adjacency[i][j] - degree[i] * degree[j] / twice_edges) / twice_edges;
    }
  }
  const LevelQuality quality = measure_quality(graph.view(), communities);
  EXPECT_NEAR(quality.intra_edge_fraction, inside / twice_edges, 1e-12);
  EXPECT_NEAR(quality.modularity, modularity, 1e-12);
}

TEST(Quality, RefusesCommunitiesOfAnotherGraph) {
  EXPECT_NE(test::error_of<InvalidArgument>([] { measure_quality(test::path(3).view(), Communities(4)); }), "");
}

}  // namespace
}  // namespace kith
