#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/datasets/source_support.h"

namespace kith::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr SourceFormat kFormat = SourceFormat::edgelist;

class EdgelistSource : public ::testing::Test {
 protected:
  std::string written(const std::string& text) {
    write_bytes(path_, text);
    return path_;
  }
  TempFolder folder_;
  std::string path_ = folder_.file("graph.txt");
};

TEST_F(EdgelistSource, NumbersIdsInAscendingOrderAndKeepsTheOriginals) {
  const auto source = open_source(written("# comment\n7\t3\n% another\n\n3 900\n5000000000 7"), kFormat);
  EXPECT_EQ(source->num_nodes(), 4);
  EXPECT_THAT(source->node_data().original_id, ElementsAre(3, 7, 900, 5000000000));
  EXPECT_THAT(edges_of(*source), ElementsAre(Pair(1, 0), Pair(0, 2), Pair(3, 1)));
  EXPECT_FALSE(source->is_undirected());
}

TEST_F(EdgelistSource, KeepsNoOriginalsWhenIdsAreAlreadyDense) {
  const auto source = open_source(written("0 1\n1 2\n"), kFormat);
  EXPECT_EQ(source->num_nodes(), 3);
  EXPECT_THAT(source->node_data().original_id, IsEmpty());
}

TEST_F(EdgelistSource, StreamsTheSameEdgesAgain) {
  const auto source = open_source(written("4 2\n2 9\n"), kFormat);
  EXPECT_EQ(edges_of(*source), edges_of(*source));
}

TEST_F(EdgelistSource, TakesCommasColumnNamesAndFurtherColumns) {
  const auto source = open_source(written("id_1,id_2,weight\r\n0,1,0.5\r\n1,2,7\r\n"), kFormat);
  EXPECT_THAT(edges_of(*source), ElementsAre(Pair(0, 1), Pair(1, 2)));
}

TEST_F(EdgelistSource, ReadsGzipAsItReadsText) {
  const std::string path = folder_.file("graph.txt.gz");
  write_gzip(path, "0 1\n1 0\n");
  EXPECT_THAT(edges_of(*open_source(path, SourceFormat::automatic)), ElementsAre(Pair(0, 1), Pair(1, 0)));
}

TEST_F(EdgelistSource, RefusesTruncatedGzip) {
  const std::string path = folder_.file("graph.txt.gz");
  std::string text;
  for (int i = 0; i < 20000; ++i) text += std::to_string(i * 7919 % 20011) + " " + std::to_string(i) + "\n";
  write_gzip(path, text);
  const std::string bytes = read_bytes(path);
  write_bytes(path, std::string_view(bytes).substr(0, bytes.size() / 2));
  EXPECT_THAT(error_of_reading(path, kFormat), HasSubstr("truncated"));
}

TEST_F(EdgelistSource, NamesTheLineOfADamagedEdge) {
  EXPECT_THAT(error_of_reading(written("0 1\n2\n"), kFormat),
              HasSubstr("graph.txt:2: expected a target node id"));
  EXPECT_THAT(error_of_reading(written("0 1\n0 x7\n"), kFormat),
              HasSubstr(":2: expected a target node id, got 'x7'"));
  EXPECT_THAT(error_of_reading(written("0 -1\n"), kFormat), HasSubstr("got -1"));
  EXPECT_THAT(error_of_reading(written("0 1.5\n"), kFormat), HasSubstr("'1.5'"));
  EXPECT_THAT(error_of_reading(written("0 99999999999999999999\n"), kFormat), HasSubstr(":1:"));
  EXPECT_THAT(error_of_reading(written("# nothing\n"), kFormat), HasSubstr("holds no edges"));
  EXPECT_THAT(error_of_reading(folder_.file("none"), kFormat), HasSubstr("no such file"));
}

TEST_F(EdgelistSource, AgreesWithASortedListOnRandomIdsLargerThanItsBuffer) {
  std::mt19937_64 random(7);
  std::vector<std::pair<std::int64_t, std::int64_t>> expected;
  std::vector<std::int64_t> ids;
  std::string text;
  for (int i = 0; i < 60000; ++i) {
    const auto id = [&] { return static_cast<std::int64_t>(random() >> (random() % 2 == 0 ? 1 : 50)); };
    expected.emplace_back(id(), id());
    ids.insert(ids.end(), {expected.back().first, expected.back().second});
    text += std::to_string(expected.back().first) + std::string(1 + random() % 5, ' ') +
            std::to_string(expected.back().second) + "\n";
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  const auto source = open_source(written(text), kFormat);
  ASSERT_EQ(source->node_data().original_id, ids);
  const Pairs edges = edges_of(*source);
  ASSERT_EQ(edges.size(), expected.size());
  for (std::size_t i = 0; i < edges.size(); ++i) {
    ASSERT_EQ(ids[static_cast<std::size_t>(edges[i].first)], expected[i].first);
    ASSERT_EQ(ids[static_cast<std::size_t>(edges[i].second)], expected[i].second);
  }
}

TEST_F(EdgelistSource, EqualsTheArraysOfTheSameRealGraph) {
  if (real_data().empty()) GTEST_SKIP() << "KITH_DATA_DIR names no folder of real graphs";
  const auto text =
      open_source(real_data() + "/raw/snap_web_notredame/web-NotreDame.txt.gz", SourceFormat::automatic);
  const auto arrays = open_source(real_data() + "/web_notredame_edges.npz", SourceFormat::automatic);
  EXPECT_EQ(text->num_nodes(), arrays->num_nodes());
  EXPECT_EQ(edges_of(*text), edges_of(*arrays));
}

}  // namespace
}  // namespace kith::test
