#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/datasets/source_support.h"

namespace kith::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class OgbSource : public ::testing::Test {
 protected:
  OgbSource() {
    std::filesystem::create_directories(folder_.path() / "raw");
    std::filesystem::create_directories(folder_.path() / "split" / "time");
    write_gzip(folder_.file("raw/edge.csv.gz"), "0,1\n2,0\n");
    write_gzip(folder_.file("raw/num-node-list.csv.gz"), "3\n");
    write_gzip(folder_.file("raw/num-edge-list.csv.gz"), "2\n");
    write_gzip(folder_.file("raw/node-feat.csv.gz"), "0.5,-1e-3\n1,2\n-0.25,1e-60\n");
    write_gzip(folder_.file("raw/node-label.csv.gz"), "2\nnan\n0\n");
    write_gzip(folder_.file("split/time/train.csv.gz"), "2\n0\n");
    write_bytes(folder_.file("split/time/valid.csv"), "1\n");
  }
  std::string error() { return error_of_reading(folder_.path().string(), SourceFormat::ogb); }
  std::string error_with(const std::string& name, const std::string& text) {
    const std::string saved = read_bytes(folder_.file(name));
    write_gzip(folder_.file(name), text);
    std::string found = error();
    write_bytes(folder_.file(name), saved);
    return found;
  }
  TempFolder folder_;
};

TEST_F(OgbSource, ReadsEveryPart) {
  const auto source = open_source(folder_.path().string(), SourceFormat::automatic);
  EXPECT_EQ(source->num_nodes(), 3);
  EXPECT_FALSE(source->is_undirected());
  EXPECT_THAT(edges_of(*source), ElementsAre(Pair(0, 1), Pair(2, 0)));
  EXPECT_THAT(edges_of(*source), ElementsAre(Pair(0, 1), Pair(2, 0)));
  EXPECT_THAT(rows_of(*source), ElementsAre(std::vector<float>{0.5F, -1e-3F}, std::vector<float>{1, 2},
                                            std::vector<float>{-0.25F, 0}));
  const NodeData& data = source->node_data();
  EXPECT_THAT(data.labels.of_node, ElementsAre(2, -1, 0));
  EXPECT_EQ(data.labels.num_classes, 3);
  EXPECT_THAT(data.splits.train, ElementsAre(0, 2));
  EXPECT_THAT(data.splits.valid, ElementsAre(1));
  EXPECT_TRUE(data.splits.test.empty());
}

TEST_F(OgbSource, ReadsSeveralLabelColumnsAsMultiLabelAndNeedsNoFeatures) {
  write_gzip(folder_.file("raw/node-label.csv.gz"), "0,1\n1,1\nnan,0\n");
  std::filesystem::remove(folder_.file("raw/node-feat.csv.gz"));
  const auto source = open_source(folder_.path().string(), SourceFormat::ogb);
  EXPECT_THAT(source->node_data().labels.indicator, ElementsAre(0, 1, 1, 1, 0, 0));
  EXPECT_EQ(source->node_data().feature_dim, 0);
  EXPECT_TRUE(rows_of(*source).empty());
}

TEST_F(OgbSource, SaysInOneLineWhatIsWrong) {
  EXPECT_THAT(error_with("raw/edge.csv.gz", "0,1\n3,0\n"),
              HasSubstr(":2: a source node id must lie in 0..2, got 3"));
  EXPECT_THAT(error_with("raw/edge.csv.gz", "0,1\n"), HasSubstr("says 2 edges, got 1"));
  EXPECT_THAT(error_with("raw/edge.csv.gz", "0,1,2\n2,0,1\n"), HasSubstr("two node ids, got more"));
  EXPECT_THAT(error_with("raw/num-edge-list.csv.gz", "9000000000\n"), HasSubstr("cannot hold"));
  EXPECT_THAT(error_with("raw/num-node-list.csv.gz", "3\n4\n"), HasSubstr("expected one graph"));
  EXPECT_THAT(error_with("raw/num-node-list.csv.gz", "4000\n"), HasSubstr("the file ends after 3"));
  EXPECT_THAT(error_with("raw/num-node-list.csv.gz", "2000000000\n"),
              HasSubstr("the number of nodes must lie in"));
  EXPECT_THAT(error_with("raw/node-feat.csv.gz", "1,2\n3,4\n"),
              HasSubstr("expected 3 rows, the file ends after 2"));
  EXPECT_THAT(error_with("raw/node-feat.csv.gz", "1,2\n3\n4,5\n"), HasSubstr(":2: expected a number"));
  EXPECT_THAT(error_with("raw/node-feat.csv.gz", "1,2\n3,4,5\n6,7\n"), HasSubstr("got more"));
  EXPECT_THAT(error_with("raw/node-label.csv.gz", "1\n0.5\n2\n"), HasSubstr("whole number"));
  EXPECT_THAT(error_with("raw/node-label.csv.gz", "1\n-2\n2\n"), HasSubstr("got -2"));
  EXPECT_THAT(error_with("split/time/train.csv.gz", "0\n3\n"), HasSubstr("got 3"));
  EXPECT_THAT(error_with("split/time/train.csv.gz", "0\n0\n"), HasSubstr("node 0 comes twice"));
  std::filesystem::remove(folder_.file("raw/edge.csv.gz"));
  EXPECT_THAT(error(), HasSubstr("holds neither edge.csv.gz nor edge.csv"));
}

}  // namespace
}  // namespace kith::test
