#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/datasets/pickle_text.h"

namespace kith::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr SourceFormat kFormat = SourceFormat::planetoid;
using Ints = std::vector<std::int32_t>;
using Row = std::vector<float>;

// Nodes 0, 1 and 2 are in allx, 5 and 3 are test nodes in this order, and 4 is a gap: an isolated node.
class PlanetoidSource : public ::testing::Test {
 protected:
  PlanetoidSource() {
    write("allx", pickled_matrix(3, 2, {0, 1, 1, 3}, {0, 0, 1}) + ".");
    write("tx", pickled_matrix(2, 2, {0, 1, 1}, {1}) + ".");
    write("y", pickled_array("i4", {1, 2}, raw(Ints{0, 1})) + ".");
    write("ally", pickled_array("i4", {3, 2}, raw(Ints{0, 1, 1, 0, 1, 0})) + ".");
    write("ty", pickled_array("i4", {2, 2}, raw(Ints{1, 0, 0, 1})) + ".");
    write("graph", pickled_graph({{0, {1, 5}}, {1, {0}}, {5, {0}}}) + ".");
    write("test.index", "5\n3\n");
  }
  std::string file(const std::string& part) const { return folder_.file("ind.tiny." + part); }
  void write(const std::string& part, const std::string& bytes) { write_bytes(file(part), bytes); }
  std::string error() { return error_of_reading(folder_.path().string(), kFormat); }

  TempFolder folder_;
};

TEST_F(PlanetoidSource, PutsTestNodesInTheirPlacesAndLeavesGapsIsolated) {
  const auto source = open_source(folder_.path().string(), SourceFormat::automatic);
  EXPECT_EQ(source->num_nodes(), 6);
  EXPECT_TRUE(source->is_undirected());
  EXPECT_THAT(edges_of(*source), ElementsAre(Pair(0, 1), Pair(0, 5), Pair(1, 0), Pair(5, 0)));
  EXPECT_THAT(rows_of(*source), ElementsAre(Row{1, 0}, Row{0, 0}, Row{1, 1}, Row{0, 0}, Row{0, 0}, Row{0, 1}));
  const NodeData& data = source->node_data();
  EXPECT_THAT(data.labels.of_node, ElementsAre(1, 0, 0, 1, -1, 0));
  EXPECT_EQ(data.labels.num_classes, 2);
  EXPECT_THAT(data.splits.train, ElementsAre(0));
  EXPECT_THAT(data.splits.valid, ElementsAre(1, 2));
  EXPECT_THAT(data.splits.test, ElementsAre(3, 5));
}

TEST_F(PlanetoidSource, IsFoundByFolderFileAndPrefix) {
  for (const std::string& path : {file("graph"), folder_.file("ind.tiny"), file("test.index")}) {
    EXPECT_EQ(open_source(path, SourceFormat::automatic)->num_nodes(), 6) << path;
  }
  write_bytes(folder_.file("ind.other.graph"), "");
  EXPECT_THAT(error(), HasSubstr("several data sets"));
}

TEST_F(PlanetoidSource, SaysInOneLineWhatDoesNotFit) {
  write("graph", pickled_graph({{0, {6}}}) + ".");
  EXPECT_THAT(error(), HasSubstr("must lie in 0..5, got 6"));
  write("test.index", "5\n2\n");
  EXPECT_THAT(error(), HasSubstr("id 2 is one of the 3 nodes of .allx"));
  write("test.index", "5\n5\n");
  EXPECT_THAT(error(), HasSubstr("id 5 comes twice"));
  write("test.index", "5\n2000000000\n");
  EXPECT_THAT(error(), HasSubstr("too far behind"));
  write("test.index", "5\n");
  EXPECT_THAT(error(), HasSubstr("expected 2 ids"));
  write("test.index", "5\n3\n");
  write("ty", pickled_array("i4", {2, 2}, raw(Ints{1, 1, 0, 1})) + ".");
  EXPECT_THAT(error(), HasSubstr("row 0 has more than one class"));
  write("allx", pickled_matrix(3, 2, {0, 1, 1, 3}, {0, 0, 2}) + ".");
  EXPECT_THAT(error(), HasSubstr("a column must lie in 0..1, got 2"));
  write("allx", pickled_matrix(3, 2, {0, 2, 1, 3}, {0, 0, 1}) + ".");
  EXPECT_THAT(error(), HasSubstr("ends before it starts"));
  write("allx", pickled_matrix(2000000000, 2, {0, 1, 1, 3}, {0, 0, 1}) + ".");
  EXPECT_THAT(error(), HasSubstr("do not fit together"));
}

TEST_F(PlanetoidSource, NeverCrashesOnDamagedPickles) {
  for (const char* part : {"allx", "ally", "graph"}) {
    const std::string bytes = read_bytes(file(part));
    for (std::size_t length = 0; length < bytes.size(); length += 7) {
      write(part, bytes.substr(0, length));
      EXPECT_NE(error(), "") << part << " cut at " << length;
    }
    for (std::size_t place = 0; place < bytes.size(); ++place) {
      std::string changed = bytes;
      changed[place] = static_cast<char>(changed[place] ^ 0x11);
      write(part, changed);
      try {
        const auto source = open_source(folder_.path().string(), kFormat);
        edges_of(*source);
        rows_of(*source);
      } catch (const IoError&) {
      }
    }
    write(part, bytes);
  }
}

TEST_F(PlanetoidSource, EqualsTheArraysOfTheSameRealGraph) {
  if (real_data().empty()) GTEST_SKIP() << "KITH_DATA_DIR names no folder of real graphs";
  const auto pickles = open_source(real_data() + "/raw/planetoid_cora", SourceFormat::automatic);
  const auto arrays = open_source(real_data() + "/cora.npz", SourceFormat::automatic);
  Pairs left = edges_of(*pickles);
  Pairs right = edges_of(*arrays);
  std::sort(left.begin(), left.end());
  std::sort(right.begin(), right.end());
  EXPECT_EQ(left, right);
  EXPECT_EQ(rows_of(*pickles), rows_of(*arrays));
  EXPECT_EQ(pickles->node_data().labels.of_node, arrays->node_data().labels.of_node);
  EXPECT_EQ(pickles->node_data().splits.train, arrays->node_data().splits.train);
  EXPECT_EQ(pickles->node_data().splits.valid, arrays->node_data().splits.valid);
  EXPECT_EQ(pickles->node_data().splits.test, arrays->node_data().splits.test);
}

}  // namespace
}  // namespace kith::test
