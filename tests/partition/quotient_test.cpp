#include "partition/quotient.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "partition/label_counter.h"
#include "tests/partition/partition_graphs.h"

namespace kith {
namespace {

using testing::ElementsAre;

TEST(Quotient, CountsTheEdgesBetweenCommunities) {
  const CsrGraph graph = test::two_triangles();
  const std::vector<std::int32_t> community_of{0, 0, 1, 1, 2, 2};
  const Quotient quotient = contract(graph.view(), {}, {}, community_of, 3);
  EXPECT_THAT(quotient.offsets, ElementsAre(0, 1, 3, 4));
  EXPECT_THAT(quotient.neighbors, ElementsAre(1, 0, 2, 1));
  EXPECT_THAT(quotient.edge_weights, ElementsAre(2, 2, 2, 2));
  EXPECT_THAT(quotient.node_weights, ElementsAre(2, 2, 2));
}

TEST(Quotient, AddsUpGivenWeights) {
  const CsrGraph graph = test::path(3);  // entries: 0-1, 1-0, 1-2, 2-1
  const std::vector<std::int64_t> edge_weights{5, 5, 7, 7};
  const std::vector<std::int32_t> node_weights{10, 20, 30}, community_of{0, 0, 1};
  const Quotient quotient = contract(graph.view(), edge_weights, node_weights, community_of, 2);
  EXPECT_THAT(quotient.neighbors, ElementsAre(1, 0));
  EXPECT_THAT(quotient.edge_weights, ElementsAre(7, 7));
  EXPECT_THAT(quotient.node_weights, ElementsAre(30, 30));
}

TEST(Quotient, AgreesWithANaiveCountOnARandomGraph) {
  const CsrGraph graph = test::random_graph(500, 6000, 3);
  std::vector<std::int32_t> community_of(500);
  std::mt19937_64 bits(4);
  for (auto& c : community_of) c = static_cast<std::int32_t>(bits() % 40);
  std::map<std::pair<NodeId, NodeId>, std::int64_t> expected, found;
  for (NodeId v = 0; v < 500; ++v) {
    for (const NodeId u : graph.view().row(v)) {
      if (community_of[u] != community_of[v]) ++expected[{community_of[v], community_of[u]}];
    }
  }
  const Quotient quotient = contract(graph.view(), {}, {}, community_of, 40);
  for (NodeId c = 0; c < 40; ++c) {
    EXPECT_TRUE(std::ranges::is_sorted(quotient.view().row(c)));
    for (EdgeOffset e = quotient.offsets[c]; e < quotient.offsets[c + 1]; ++e) {
      found[{c, quotient.neighbors[e]}] = quotient.edge_weights[e];
    }
  }
  EXPECT_EQ(found, expected);
}

TEST(Quotient, GroupsNodesByCommunityInOrder) {
  const Members members = group_by_community(std::vector<std::int32_t>{2, 0, 2, 0}, 3);
  EXPECT_THAT(members.of(0), ElementsAre(1, 3));
  EXPECT_TRUE(members.of(1).empty());
  EXPECT_THAT(members.of(2), ElementsAre(0, 2));
}

TEST(Quotient, CompactsSmallAndHugeNumbersAlike) {
  std::vector<std::int32_t> small{3, 1, 3, 0}, huge{2000000000, 7, 2000000000, 9};
  EXPECT_EQ(compact_numbers(small), 3);
  EXPECT_EQ(compact_numbers(huge), 3);
  EXPECT_THAT(small, ElementsAre(0, 1, 0, 2));
  EXPECT_THAT(huge, ElementsAre(0, 1, 0, 2));
}

TEST(LabelCounter, AddsUpLikeAMapAcrossResets) {
  LabelCounter counter;
  std::mt19937_64 bits(5);
  for (const std::size_t num_labels : {3, 1000, 10}) {
    counter.reset(num_labels);
    std::map<std::int32_t, std::int64_t> expected, found;
    for (int i = 0; i < 5000; ++i) {
      const auto label = static_cast<std::int32_t>(bits() % num_labels * 1048576 % 2000000011);
      counter.add(label, i);
      expected[label] += i;
    }
    for (const auto& [label, weight] : counter.entries()) found[label] = weight;
    EXPECT_EQ(found, expected);
  }
}

}  // namespace
}  // namespace kith
