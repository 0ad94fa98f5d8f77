#include "datasets/attached_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/datasets/source_support.h"

namespace kith::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Bytes = std::vector<std::uint8_t>;
using Longs = std::vector<std::int64_t>;
using Floats = std::vector<float>;

class AttachedSource : public ::testing::Test {
 protected:
  void write_edges(const std::string& text) { std::ofstream(edges_) << text; }
  std::unique_ptr<Source> attached() {
    write_npz(nodes_, entries_);
    return attach_node_data(open_source(edges_, SourceFormat::automatic), edges_, nodes_);
  }
  template <typename Error>
  std::string error() {
    return error_of<Error>([&] { attached(); });
  }

  TempFolder folder_;
  std::string edges_ = folder_.file("edges.txt");
  std::string nodes_ = folder_.file("nodes.npz");
  NpzEntries entries_ = {{"x", npy_bytes("<f4", "(4, 2)", raw(Floats{0, 1, 2, 3, 4, 5, 6, 7}))},
                         {"y", npy_bytes("<i8", "(4,)", raw(Longs{0, 1, 1, -1}))},
                         {"train_mask", npy_bytes("|b1", "(4,)", raw(Bytes{0, 1, 0, 0}))}};
};

TEST_F(AttachedSource, ARowBelongsToTheNodeOfThatId) {
  write_edges("3 1\n1 0\n");  // nobody speaks of 2, which stays, without edges
  const auto source = attached();
  EXPECT_EQ(source->num_nodes(), 4);
  EXPECT_EQ(edges_of(*source), (Pairs{{3, 1}, {1, 0}}));
  EXPECT_EQ(rows_of(*source), (std::vector<Floats>{{0, 1}, {2, 3}, {4, 5}, {6, 7}}));
  EXPECT_THAT(source->node_data().labels.of_node, ElementsAre(0, 1, 1, -1));
  EXPECT_THAT(source->node_data().splits.train, ElementsAre(1));
  EXPECT_THAT(source->node_data().original_id, IsEmpty());
  EXPECT_FALSE(source->is_undirected());
}

TEST_F(AttachedSource, TheGraphsFormatSaysWhatAnEdgeStandsFor) {
  edges_ = folder_.file("g.graph");
  write_edges("4 2\n2\n1 3\n2\n\n");
  const auto source = attached();
  EXPECT_TRUE(source->is_undirected());
  EXPECT_EQ(source->num_nodes(), 4);
  EXPECT_EQ(source->node_data().feature_dim, 2);
}

TEST_F(AttachedSource, NodeDataMustCoverTheGraph) {
  write_edges("4 1\n");
  EXPECT_THAT(error<IoError>(), AllOf(HasSubstr("nodes.npz: has rows for the nodes 0..3"),
                                      HasSubstr("edges.txt has the ids 1..4")));
  edges_ = folder_.file("g.graph");
  write_edges("3 1\n2\n1\n\n");
  EXPECT_THAT(error<IoError>(), HasSubstr("has 4 rows, but"));
  entries_ = {{"z", npy_bytes("<i8", "(4,)", raw(Longs{0, 1, 1, 0}))}};
  EXPECT_THAT(error<IoError>(), HasSubstr("has no array 'x', 'y' or 'num_nodes'"));
}

TEST_F(AttachedSource, NodeDataOfTheGraphItselfAreNotReplaced) {
  NpzEntries graph = entries_;
  graph.emplace_back("edge_index", npy_bytes("<i4", "(2, 1)", raw(std::vector<std::int32_t>{0, 1})));
  edges_ = folder_.file("graph.npz");
  write_npz(edges_, graph);
  EXPECT_THAT(error<InvalidArgument>(), HasSubstr("graph.npz: has features, labels or splits of its own"));
}

}  // namespace
}  // namespace kith::test
