#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "datasets/npy_reader.h"
#include "tests/datasets/source_support.h"

namespace kith::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

using Ints = std::vector<std::int32_t>;
using Longs = std::vector<std::int64_t>;
using Floats = std::vector<float>;

class NpzSource : public ::testing::Test {
 protected:
  NpzSource() {
    entries_ = {{"edge_index", npy_bytes("<i4", "(2, 3)", raw(Ints{0, 1, 2, 1, 2, 0}))},
                {"num_nodes", npy_bytes("<i8", "()", raw(Longs{3}))}};
  }
  void set(const std::string& key, const std::string& bytes) {
    std::erase_if(entries_, [&](const auto& entry) { return entry.first == key; });
    entries_.emplace_back(key, bytes);
  }
  std::unique_ptr<Source> opened(bool is_deflated = true) {
    write_npz(path_, entries_, is_deflated);
    return open_source(path_, SourceFormat::automatic);
  }
  std::string error() {
    write_npz(path_, entries_);
    return error_of_reading(path_, SourceFormat::npz);
  }
  std::string error_with(const std::string& key, const std::string& bytes) {
    const NpzEntries saved = entries_;
    set(key, bytes);
    std::string text = error();
    entries_ = saved;
    return text;
  }

  TempFolder folder_;
  std::string path_ = folder_.file("tiny.npz");
  NpzEntries entries_;
  const Pairs triangle_ = {{0, 1}, {1, 2}, {2, 0}};
};

TEST_F(NpzSource, ReadsEdgesFromDeflatedAndStoredEntries) {
  for (const bool is_deflated : {true, false}) {
    const auto source = opened(is_deflated);
    EXPECT_EQ(source->num_nodes(), 3);
    EXPECT_EQ(edges_of(*source), triangle_);
    EXPECT_EQ(edges_of(*source), triangle_);
    EXPECT_EQ(source->node_data().feature_dim, 0);
    EXPECT_TRUE(source->node_data().labels.empty());
    EXPECT_TRUE(rows_of(*source).empty());
  }
}

TEST_F(NpzSource, ReadsEdgesInFortranOrderAndAsRowsOfPairs) {
  set("edge_index", npy_bytes("<i8", "(2, 3)", raw(Longs{0, 1, 1, 2, 2, 0}), true));
  EXPECT_EQ(edges_of(*opened()), triangle_);
  entries_ = {{"edges", npy_bytes("<i8", "(3, 2)", raw(Longs{0, 1, 1, 2, 2, 0}))}};
  EXPECT_EQ(edges_of(*opened()), triangle_);
  EXPECT_EQ(opened()->num_nodes(), 3);  // from the largest id
}

TEST_F(NpzSource, ReadsManyChunksOfEdgesInOrder) {
  constexpr std::int32_t kEdges = 150001;
  Ints ids(2 * kEdges);
  for (std::int32_t e = 0; e < kEdges; ++e) {
    ids[static_cast<std::size_t>(e)] = e % 1000;
    ids[static_cast<std::size_t>(kEdges + e)] = e % 997;
  }
  set("edge_index", npy_bytes("<i4", "(2, 150001)", raw(ids)));
  set("num_nodes", npy_bytes("<i8", "()", raw(Longs{1000})));
  const Pairs edges = edges_of(*opened());
  ASSERT_EQ(edges.size(), static_cast<std::size_t>(kEdges));
  for (std::int32_t e = 0; e < kEdges; ++e) {
    ASSERT_EQ(edges[static_cast<std::size_t>(e)], std::pair(e % 1000, e % 997));
  }
}

TEST_F(NpzSource, ReadsDenseFeaturesOfThreeWidths) {
  const std::vector<Floats> expected = {{0.5F, -2}, {1, 0}, {65504, 0.25F}};
  set("x", npy_bytes("<f4", "(3, 2)", raw(Floats{0.5F, -2, 1, 0, 65504, 0.25F})));
  EXPECT_EQ(rows_of(*opened()), expected);
  EXPECT_EQ(opened()->node_data().feature_type, FeatureType::f32);
  set("x", npy_bytes("<f8", "(3, 2)", raw(std::vector<double>{0.5, -2, 1, 0, 65504, 0.25})));
  EXPECT_EQ(rows_of(*opened()), expected);
  set("x",
      npy_bytes("<f2", "(3, 2)", raw(std::vector<std::uint16_t>{0x3800, 0xC000, 0x3C00, 0, 0x7BFF, 0x3400})));
  EXPECT_EQ(rows_of(*opened()), expected);
  EXPECT_EQ(opened()->node_data().feature_type, FeatureType::f16);
}

TEST(HalfToFloat, IsRightForZeroSubnormalsInfinityAndNan) {
  EXPECT_EQ(half_to_float(0x0001), 0x1p-24F);
  EXPECT_EQ(half_to_float(0x83FF), -1023 * 0x1p-24F);
  EXPECT_EQ(half_to_float(0x0400), 0x1p-14F);
  EXPECT_TRUE(std::signbit(half_to_float(0x8000)));
  EXPECT_EQ(half_to_float(0xFC00), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(half_to_float(0x7E00)));
}

TEST_F(NpzSource, ReadsSparseFeaturesWithAndWithoutValues) {
  set("x_indptr", npy_bytes("<i8", "(4,)", raw(Longs{0, 2, 2, 4})));
  set("x_indices", npy_bytes("<i4", "(4,)", raw(Ints{2, 0, 1, 1})));
  set("x_shape", npy_bytes("<i8", "(2,)", raw(Longs{3, 3})));
  EXPECT_THAT(rows_of(*opened()), ElementsAre(Floats{1, 0, 1}, Floats{0, 0, 0}, Floats{0, 2, 0}));
  set("x_data", npy_bytes("<f4", "(4,)", raw(Floats{5, 6, 7, 0.5F})));
  EXPECT_THAT(rows_of(*opened()), ElementsAre(Floats{6, 0, 5}, Floats{0, 0, 0}, Floats{0, 7.5F, 0}));

  EXPECT_THAT(error_with("x_indptr", npy_bytes("<i8", "(4,)", raw(Longs{0, 3, 2, 4}))), HasSubstr("must rise"));
  EXPECT_THAT(error_with("x_indptr", npy_bytes("<i8", "(4,)", raw(Longs{0, 2, 2, 3}))),
              HasSubstr("must end at 4"));
  EXPECT_THAT(error_with("x_indptr", npy_bytes("<i8", "(4,)", raw(Longs{1, 2, 2, 4}))),
              HasSubstr("must start at 0"));
  EXPECT_THAT(error_with("x_indptr", npy_bytes("<i8", "(4,)", raw(Longs{0, 2, 1L << 60, 4}))),
              HasSubstr("must rise"));
  EXPECT_THAT(error_with("x_indptr", npy_bytes("<i8", "(3,)", raw(Longs{0, 2, 4}))),
              HasSubstr("expected 4 bounds"));
  EXPECT_THAT(error_with("x_indices", npy_bytes("<i4", "(4,)", raw(Ints{2, 3, 1, 1}))), HasSubstr("got 3"));
  EXPECT_THAT(error_with("x_data", npy_bytes("<f4", "(3,)", raw(Floats{5, 6, 7}))),
              HasSubstr("must be as long as"));
  EXPECT_THAT(error_with("x_shape", npy_bytes("<i8", "(2,)", raw(Longs{3, 1L << 40}))), HasSubstr("columns"));
  EXPECT_THAT(error_with("x_shape", npy_bytes("<i8", "(2,)", raw(Longs{4, 3}))), HasSubstr("x has 4 rows"));
}

TEST_F(NpzSource, ReadsLabelsMasksAndDirection) {
  set("y", npy_bytes("<i2", "(3,)", raw(std::vector<std::int16_t>{-1, 4, 0})));
  set("train_mask", npy_bytes("|b1", "(3,)", std::string("\1\0\1", 3)));
  set("val_masks", npy_bytes("|b1", "(2, 3)", std::string("\0\1\0\1\1\1", 6)));
  set("directed", npy_bytes("|b1", "()", std::string("\1", 1)));
  const auto source = opened();
  const NodeData& data = source->node_data();
  EXPECT_THAT(data.labels.of_node, ElementsAre(-1, 4, 0));
  EXPECT_EQ(data.labels.num_classes, 5);
  EXPECT_THAT(data.splits.train, ElementsAre(0, 2));
  EXPECT_THAT(data.splits.valid, ElementsAre(1));
  EXPECT_THAT(data.splits.test, IsEmpty());
  EXPECT_FALSE(source->is_undirected());
}

TEST_F(NpzSource, IsUndirectedUnlessItSaysOtherwise) {
  EXPECT_TRUE(opened()->is_undirected());
  const auto meta = [](const std::u32string& text) {
    return npy_bytes("<U" + std::to_string(text.size()), "()",
                     {reinterpret_cast<const char*>(text.data()), text.size() * 4});
  };
  set("meta", meta(U"{\"name\": \"\u00e9\", \"directed\": true}"));
  EXPECT_FALSE(opened()->is_undirected());
  set("meta", meta(U"{\"directed\": false}"));
  EXPECT_TRUE(opened()->is_undirected());
  set("meta", meta(U"{\"directed\": tr"));
  EXPECT_TRUE(opened()->is_undirected());
}

TEST_F(NpzSource, ReadsMultiLabelsSparseAndDense) {
  const std::vector<std::uint8_t> expected = {0, 1, 0, 0, 0, 0, 1, 1, 0};
  set("y", npy_bytes("|u1", "(3, 3)", raw(expected)));
  EXPECT_EQ(opened()->node_data().labels.indicator, expected);
  entries_.pop_back();
  set("y_indptr", npy_bytes("<i8", "(4,)", raw(Longs{0, 1, 1, 3})));
  set("y_indices", npy_bytes("<i4", "(3,)", raw(Ints{1, 0, 1})));
  set("y_shape", npy_bytes("<i8", "(2,)", raw(Longs{3, 3})));
  const auto source = opened();
  EXPECT_EQ(source->node_data().labels.indicator, expected);
  EXPECT_EQ(source->node_data().labels.num_classes, 3);
  EXPECT_TRUE(source->node_data().labels.of_node.empty());
  EXPECT_THAT(error_with("y_shape", npy_bytes("<i8", "(2,)", raw(Longs{3, 1L << 40}))), HasSubstr("columns"));
}

TEST_F(NpzSource, NamesTheEdgeThatIsOutOfRange) {
  EXPECT_THAT(error_with("edge_index", npy_bytes("<i4", "(2, 3)", raw(Ints{0, 1, 2, 1, 3, 0}))),
              HasSubstr("edge 1 (1 -> 3)"));
  EXPECT_THAT(error_with("edge_index", npy_bytes("<i4", "(2, 3)", raw(Ints{0, 1, -2, 1, 2, 0}))),
              HasSubstr("edge 2 (-2 -> 0)"));
  EXPECT_THAT(error_with("num_nodes", npy_bytes("<i8", "()", raw(Longs{1L << 40}))),
              HasSubstr("number of nodes"));
}

TEST_F(NpzSource, RefusesTypesAndShapesThatDoNotFit) {
  const std::string edges = raw(Ints{0, 1, 2, 1, 2, 0});
  EXPECT_THAT(error_with("edge_index", npy_bytes(">i4", "(2, 3)", edges)), HasSubstr("little-endian"));
  EXPECT_THAT(error_with("edge_index", npy_bytes("<f4", "(2, 3)", edges)), HasSubstr("integer ids"));
  EXPECT_THAT(error_with("edge_index", npy_bytes("|O", "(2, 3)", edges)), HasSubstr("got type '|O'"));
  EXPECT_THAT(error_with("edge_index", npy_bytes("<i3", "(2, 4)", edges)), HasSubstr("got type '<i3'"));
  EXPECT_THAT(error_with("edge_index", npy_bytes("<i4", "(3, 2)", edges)),
              HasSubstr("expected shape [2, edges]"));
  EXPECT_THAT(error_with("edge_index", npy_bytes("<i4", "(2, 4)", edges)), HasSubstr("says more values"));
  EXPECT_THAT(error_with("edge_index", npy_bytes("<i4", "(2, 2)", edges)), HasSubstr("says 16 bytes"));
  EXPECT_THAT(error_with("edge_index", npy_bytes("<i4", "(2, 9223372036854775807)", edges)),
              HasSubstr("more values"));
  EXPECT_THAT(error_with("edge_index", npy_bytes("<i4", "(2, 99999999999999999999)", edges)),
              HasSubstr("damaged"));
  EXPECT_THAT(error_with("edge_index", npy_bytes("<i4", "(2, -3)", edges)), HasSubstr("damaged"));
  EXPECT_THAT(error_with("x", npy_bytes("<f4", "(3, 2)", raw(Floats(6)), true)), HasSubstr("Fortran order"));
  EXPECT_THAT(error_with("x", npy_bytes("<f4", "(2, 2)", raw(Floats(4)))), HasSubstr("x has 2 rows"));
  EXPECT_THAT(error_with("y", npy_bytes("<i4", "(3,)", raw(Ints{0, -2, 1}))), HasSubstr("got -2"));
  EXPECT_THAT(error_with("y", npy_bytes("<i4", "(3,)", raw(Ints{0, 1 << 30, 1}))),
              HasSubstr("a class must lie in"));
  EXPECT_THAT(error_with("y", npy_bytes("<i4", "(2,)", raw(Ints{0, 1}))), HasSubstr("a label for each of 3"));
  EXPECT_THAT(error_with("y", npy_bytes("<f4", "(3,)", raw(Floats(3)))), HasSubstr("expected integers"));
  EXPECT_THAT(error_with("train_mask", npy_bytes("|b1", "(2,)", "ab")), HasSubstr("a bool for each of 3"));
}

TEST_F(NpzSource, RefusesDamagedHeaders) {
  const std::string good = entries_[0].second;
  EXPECT_THAT(error_with("edge_index", "short"), HasSubstr("ends too early"));
  EXPECT_THAT(error_with("edge_index", "\x93NUMPX\x01" + good.substr(7)), HasSubstr("not an .npy array"));
  EXPECT_THAT(error_with("edge_index", "\x93NUMPY\x09" + good.substr(7)), HasSubstr("expected .npy version"));
  std::string long_header = good;
  long_header[9] = '\x7F';
  EXPECT_THAT(error_with("edge_index", long_header), HasSubstr("the .npy header says it is"));
  std::string nameless = good;
  nameless.replace(nameless.find("descr"), 5, "dascr");
  EXPECT_THAT(error_with("edge_index", nameless), HasSubstr("no 'descr'"));
}

TEST_F(NpzSource, NeverCrashesOnADamagedFile) {
  set("x", npy_bytes("<f4", "(3, 2)", raw(Floats{1, 2, 3, 4, 5, 6})));
  set("y", npy_bytes("<i4", "(3,)", raw(Ints{0, 1, 1})));
  for (const bool is_deflated : {true, false}) {
    write_npz(path_, entries_, is_deflated);
    const std::string bytes = read_bytes(path_);
    const std::string damaged = folder_.file("damaged.npz");
    for (std::size_t length = 0; length < bytes.size(); length += 13) {
      write_bytes(damaged, std::string_view(bytes).substr(0, length));
      EXPECT_NE(error_of_reading(damaged, SourceFormat::npz), "") << "cut at " << length;
    }
    for (std::size_t place = 0; place < bytes.size(); place += 3) {
      std::string changed = bytes;
      changed[place] = static_cast<char>(changed[place] ^ 0x5A);
      write_bytes(damaged, changed);
      try {  // a change may be harmless (a date, say); anything but an IoError is not
        const auto source = open_source(damaged, SourceFormat::npz);
        edges_of(*source);
        rows_of(*source);
      } catch (const IoError&) {
      }
    }
  }
}

TEST_F(NpzSource, NoticesADamagedValueByItsChecksum) {
  write_npz(path_, entries_, false);
  std::string bytes = read_bytes(path_);
  const std::string ids = raw(Ints{0, 1, 2, 1, 2, 0});
  bytes[bytes.find(ids)] = 1;  // still a node
  write_bytes(path_, bytes);
  EXPECT_THAT(error_of_reading(path_, SourceFormat::npz), HasSubstr("damaged data"));
}

TEST_F(NpzSource, ReadsTheRealFiles) {
  if (real_data().empty()) GTEST_SKIP() << "KITH_DATA_DIR names no folder of real graphs";
  const auto deezer = open_source(real_data() + "/deezer_hu.npz", SourceFormat::automatic);
  EXPECT_EQ(deezer->num_nodes(), 47538);
  EXPECT_EQ(edges_of(*deezer).size(), 222887U);
  EXPECT_EQ(deezer->node_data().labels.num_classes, 84);
  const auto tolokers = open_source(real_data() + "/tolokers.npz", SourceFormat::automatic);
  EXPECT_EQ(edges_of(*tolokers).size(), 519000U);
  EXPECT_EQ(rows_of(*tolokers).size(), 11758U);
  EXPECT_TRUE(tolokers->is_undirected());
}

}  // namespace
}  // namespace kith::test
