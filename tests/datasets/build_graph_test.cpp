#include "datasets/build_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include <random>
#include <set>
#include <utility>
#include <vector>

#include "graph/errors.h"

namespace kith {
namespace {

using ::testing::ElementsAre;

// Edges from memory, in chunks of two so that chunk borders matter; may change between passes.
class ListSource : public Source {
 public:
  ListSource(NodeId num_nodes, std::vector<Edge> edges) : num_nodes_(num_nodes), edges_(std::move(edges)) {}

  NodeId num_nodes() const override { return num_nodes_; }
  NodeData& node_data() override { return data_; }
  void for_each_edges(const std::function<void(std::span<const Edge>)>& visit) override {
    const std::span<const Edge> all(edges_);
    for (std::size_t i = 0; i < all.size(); i += 2)
      visit(all.subspan(i, std::min<std::size_t>(2, all.size() - i)));
    if (change_after_pass) edges_[0] = {1, 1};
  }
  void for_each_feature_row(const std::function<void(NodeId, std::span<const float>)>&) override {}
  bool is_undirected() const override { return false; }

  bool change_after_pass = false;

 private:
  NodeId num_nodes_;
  std::vector<Edge> edges_;
  NodeData data_;
};

std::vector<NodeId> row(const BuiltGraph& built, NodeId v) {
  const auto view = built.graph.view().row(v);
  return {view.begin(), view.end()};
}

TEST(BuildGraph, DropsRepeatedEdgesAndKeepsTheFirstPosition) {
  ListSource source(4, {{2, 0}, {1, 0}, {2, 0}, {0, 1}, {1, 0}});
  const BuiltGraph built = build_graph(source, {.keep_edge_ids = true});
  EXPECT_THAT(row(built, 0), ElementsAre(1, 2));
  EXPECT_THAT(row(built, 1), ElementsAre(0));
  EXPECT_THAT(row(built, 2), ElementsAre());
  EXPECT_THAT(row(built, 3), ElementsAre());
  EXPECT_THAT(built.edge_id, ElementsAre(1, 0, 3));
  EXPECT_EQ(built.counts.source_edges, 5);
  EXPECT_EQ(built.counts.duplicates_dropped, 2);
  EXPECT_EQ(built.counts.edges_added, 0);
}

TEST(BuildGraph, KeepsOneSelfLoopANodeUnlessToldToDropThem) {
  const std::vector<Edge> edges = {{0, 0}, {0, 1}, {0, 0}, {1, 1}};
  ListSource source(2, edges);
  const BuiltGraph kept = build_graph(source, {.symmetrize = true});
  EXPECT_THAT(row(kept, 0), ElementsAre(0, 1));
  EXPECT_THAT(row(kept, 1), ElementsAre(0, 1));
  EXPECT_EQ(kept.counts.self_loops, 3);
  EXPECT_EQ(kept.counts.self_loops_dropped, 0);
  EXPECT_EQ(kept.counts.duplicates_dropped, 1);
  const BuiltGraph dropped = build_graph(source, {.drop_self_loops = true});
  EXPECT_THAT(row(dropped, 0), ElementsAre());
  EXPECT_THAT(row(dropped, 1), ElementsAre(0));
  EXPECT_EQ(dropped.counts.self_loops_dropped, 3);
  EXPECT_EQ(dropped.counts.duplicates_dropped, 0);
}

TEST(BuildGraph, AddsOnlyReverseEdgesThatTheSourceLacks) {
  ListSource source(3, {{0, 1}, {1, 0}, {2, 1}, {2, 1}});
  const BuiltGraph built = build_graph(source, {.symmetrize = true, .keep_edge_ids = true});
  EXPECT_THAT(row(built, 0), ElementsAre(1));
  EXPECT_THAT(row(built, 1), ElementsAre(0, 2));
  EXPECT_THAT(row(built, 2), ElementsAre(1));
  // A stored edge keeps its own position although its partner stands earlier; the added 1->2 has that of 2->1.
  EXPECT_THAT(built.edge_id, ElementsAre(1, 0, 2, 2));
  EXPECT_EQ(built.counts.edges_added, 1);
  EXPECT_EQ(built.counts.duplicates_dropped, 1);
}

TEST(BuildGraph, TakesGraphsWithoutEdgesOrNodes) {
  ListSource no_edges(3, {});
  EXPECT_EQ(build_graph(no_edges, {}).graph.num_nodes(), 3);
  ListSource nothing(0, {});
  EXPECT_EQ(build_graph(nothing, {.symmetrize = true}).graph.num_nodes(), 0);
}

TEST(BuildGraph, NoticesASourceThatChangesBetweenThePasses) {
  ListSource source(3, {{0, 1}, {1, 2}, {2, 0}});
  source.change_after_pass = true;
  EXPECT_THROW(build_graph(source, {}), IoError);
}

TEST(BuildGraph, AgreesWithASetOfPairsOnAnyNumberOfThreads) {
  std::mt19937 bits(7);
  for (const bool symmetrize : {false, true}) {
    std::vector<Edge> edges;
    std::set<std::pair<NodeId, NodeId>> expected;  // (target, source)
    for (int i = 0; i < 6000; ++i) {
      const Edge edge{static_cast<NodeId>(bits() % 3000 * (bits() % 2)), static_cast<NodeId>(bits() % 3000)};
      edges.push_back(edge);
      expected.emplace(edge.target, edge.source);
      if (symmetrize) expected.emplace(edge.source, edge.target);
    }
    for (const std::size_t threads : {1U, 4U}) {
      const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
      ListSource source(3000, edges);
      const BuiltGraph built = build_graph(source, {.symmetrize = symmetrize, .keep_edge_ids = true});
      std::vector<std::pair<NodeId, NodeId>> got;
      for (NodeId v = 0; v < 3000; ++v) {
        for (const NodeId u : row(built, v)) got.emplace_back(v, u);
      }
      ASSERT_EQ(got, std::vector(expected.begin(), expected.end()));
      const BuildCounts& counts = built.counts;
      EXPECT_EQ(counts.source_edges - counts.duplicates_dropped + counts.edges_added, built.graph.num_edges());
      ASSERT_EQ(built.edge_id.size(), got.size());
      for (std::size_t i = 0; i < got.size(); ++i) {
        const Edge stored = edges[static_cast<std::size_t>(built.edge_id[i])];
        const bool is_same = stored.target == got[i].first && stored.source == got[i].second;
        const bool is_reverse = stored.target == got[i].second && stored.source == got[i].first;
        ASSERT_TRUE(is_same || (symmetrize && is_reverse));
      }
    }
  }
}

}  // namespace
}  // namespace kith
