#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/datasets/source_support.h"

namespace kith::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr SourceFormat kFormat = SourceFormat::metis;

class MetisSource : public ::testing::Test {
 protected:
  std::string written(const std::string& text) {
    write_bytes(path_, text);
    return path_;
  }
  Pairs edges(const std::string& text) { return edges_of(*open_source(written(text), kFormat)); }
  std::string error(const std::string& text) { return error_of_reading(written(text), kFormat); }

  TempFolder folder_;
  std::string path_ = folder_.file("tiny.graph");
  const Pairs path_of_three_ = {{0, 1}, {1, 0}, {1, 2}, {2, 1}};
};

TEST_F(MetisSource, ReadsBothDirectionsOfEveryEdge) {
  const auto source = open_source(written("% a path\n3 2\n2\n1 3\n2\n"), SourceFormat::automatic);
  EXPECT_EQ(source->num_nodes(), 3);
  EXPECT_TRUE(source->is_undirected());
  EXPECT_EQ(edges_of(*source), path_of_three_);
  EXPECT_EQ(edges_of(*source), path_of_three_);
}

TEST_F(MetisSource, PassesOverSizesAndWeights) {
  EXPECT_EQ(edges("3 2 1\n2 9\n1 9 3 8\n2 8\n"), path_of_three_);
  EXPECT_EQ(edges("3 2 010\n5 2\n6 1 3\n7 2\n"), path_of_three_);
  EXPECT_EQ(edges("3 2 011 2\n5 5 2 9\n6 6 1 9 3 8\n7 7 2 8\n"), path_of_three_);
  EXPECT_EQ(edges("3 2 111\n4 5 2 9\n4 6 1 9 3 8\n4 7 2 8\n"), path_of_three_);
}

TEST_F(MetisSource, TakesCommentsEmptyLinesCarriageReturnsAndAMissingLastNewline) {
  EXPECT_EQ(edges("3 2\r\n2\r\n% between\r\n1 3\r\n2"), path_of_three_);
  EXPECT_THAT(edges("4 1\n\n3\n2\n"),
              ElementsAre(Pair(1, 2), Pair(2, 1)));  // 0 and the unwritten 3 are isolated
}

TEST_F(MetisSource, ReadsLinesLongerThanItsBuffer) {
  constexpr int kLeaves = 60000;
  std::string text = std::to_string(kLeaves + 1) + " " + std::to_string(kLeaves) + "\n";
  for (int leaf = 2; leaf <= kLeaves + 1; ++leaf) text += std::to_string(leaf) + "  ";
  for (int leaf = 0; leaf < kLeaves; ++leaf) text += "\n1";
  const Pairs star = edges(text);
  ASSERT_THAT(star, SizeIs(2 * kLeaves));
  for (int leaf = 1; leaf <= kLeaves; ++leaf) {
    ASSERT_EQ(star[static_cast<std::size_t>(leaf - 1)], std::pair(0, leaf));
    ASSERT_EQ(star[static_cast<std::size_t>(kLeaves + leaf - 1)], std::pair(leaf, 0));
  }
}

TEST_F(MetisSource, SaysInOneLineWhatIsWrong) {
  EXPECT_THAT(error("3 2\n2\n1 4\n2\n"), HasSubstr(":3: a neighbour must lie in 1..3, got 4"));
  EXPECT_THAT(error("3 2\n2\n1 0\n2\n"), HasSubstr("got 0"));
  EXPECT_THAT(error("3 2\n2\n1 3"), HasSubstr("says 3 nodes, but the file ends after 2"));
  EXPECT_THAT(error("3 2\n2\n1 3\n2\n1\n"), HasSubstr("there are more lines"));
  EXPECT_THAT(error("3 3\n2\n1 3\n2\n"), HasSubstr("says 3 edges"));
  EXPECT_THAT(error("3 1\n2\n1 3\n2\n"), HasSubstr("says 1 edges"));
  EXPECT_THAT(error("3 2\n2\n1 3\n1\n"), HasSubstr("only one of its two nodes"));
  EXPECT_THAT(error("3 2 001\n2\n1 9 3 8\n2 8\n"), HasSubstr("expected an edge weight"));
  EXPECT_THAT(error("3 2 012\n"), HasSubstr("format"));
  EXPECT_THAT(error("3 2\n2\n1 b\n2\n"), HasSubstr("expected a neighbour, got 'b'"));
  EXPECT_THAT(error("% only\n"), HasSubstr("expected a header line"));
  EXPECT_THAT(error("3\n"), HasSubstr("expected the number of edges, got the end of the line"));
}

TEST_F(MetisSource, RefusesSizesThatTheFileCannotHold) {
  EXPECT_THAT(error("2000000000 1\n2\n1\n"), HasSubstr("more than the file can hold"));
  EXPECT_THAT(error("2 4000000000000\n2\n1\n"), HasSubstr("more than the file can hold"));
  EXPECT_THAT(error("4294967297 1\n2\n1\n"), HasSubstr("the number of nodes must lie in"));
}

TEST_F(MetisSource, ReadsTheRealFilesAndRefusesTheMalformedOnes) {
  if (real_data().empty()) GTEST_SKIP() << "KITH_DATA_DIR names no folder of real graphs";
  const auto count = [&](const std::string& name) {
    return edges_of(*open_source(real_data() + "/raw/metis/" + name, kFormat)).size();
  };
  EXPECT_EQ(count("4elt.graph"), 2U * 45878);
  EXPECT_EQ(count("graph_empty_lines.graph"), 6U);
  for (const char* name : {"graph_no_newline", "graph_no_newline_windows", "graph_with_edge_weights",
                           "graph_with_node_and_edge_weights", "graph_with_node_weights", "unweighted_graph"}) {
    EXPECT_EQ(count(std::string(name) + ".graph"), 22U) << name;
  }
  for (const char* name : {"graph_id_overflow", "graph_one_line_too_few", "graph_too_few_edges",
                           "graph_too_few_lines", "graph_too_few_lines_windows", "graph_too_many_edges"}) {
    const std::string path = real_data() + "/raw/metis/" + name + ".graph";
    EXPECT_THAT(error_of_reading(path, kFormat), HasSubstr(name));
  }
}

}  // namespace
}  // namespace kith::test
