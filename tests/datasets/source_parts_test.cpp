// Claims of files against their sizes.
#include "datasets/source_parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/errors.h"
#include "tests/datasets/source_support.h"

namespace kith {
namespace {

using testing::HasSubstr;

TEST(SourceParts, BelievesASmallFileAFewMillionNodesAndALargeOneSixteenAByte) {
  EXPECT_EQ(checked_num_nodes(1 << 22, 10, "f"), 1 << 22);
  EXPECT_EQ(checked_num_nodes(16'000'000, 1'000'000, "f"), 16'000'000);
  EXPECT_EQ(checked_num_nodes(kMaxNodes, INT64_MAX, "f"), kMaxNodes);
  EXPECT_THAT(test::error_of<IoError>([] { checked_num_nodes((1 << 22) + 1, 10, "f"); }),
              HasSubstr("f: the number of nodes must lie in 0..4194304 for a file of 10 bytes, got 4194305"));
  EXPECT_THAT(test::error_of<IoError>([] { checked_num_nodes(16'000'001, 1'000'000, "f"); }), HasSubstr("f: "));
  EXPECT_THAT(test::error_of<IoError>([] { checked_num_nodes(kMaxNodes + 1, INT64_MAX, "f"); }),
              HasSubstr("f: "));
  EXPECT_THAT(test::error_of<IoError>([] { checked_num_nodes(-1, 10, "f"); }), HasSubstr("got -1"));
}

TEST(SourceParts, BelievesSixtyFourEdgesAByte) {
  check_num_edges(1 << 24, 10, "f");
  check_num_edges(64'000'000, 1'000'000, "f");
  check_num_edges(INT64_MAX / 4, INT64_MAX, "f");
  EXPECT_THAT(test::error_of<IoError>([] { check_num_edges((1 << 24) + 1, 10, "f"); }), HasSubstr("f: "));
  EXPECT_THAT(test::error_of<IoError>([] { check_num_edges(64'000'001, 1'000'000, "f"); }), HasSubstr("f: "));
}

TEST(SourceParts, BelievesAWidthThatIsUsualOrThatHasAsManyValues) {
  check_sparse_width(100, 0, 100, "f");
  check_sparse_width(500, 500, 100, "f");
  EXPECT_THAT(test::error_of<IoError>([] { check_sparse_width(501, 500, 100, "f"); }),
              HasSubstr("f: says 501 columns, but there are only 500 values"));
}

class Claims : public testing::Test {
 protected:
  std::string error(const std::string& name, const std::string& text, SourceFormat format) const {
    const std::string path = folder_.file(name);
    test::write_bytes(path, text);
    return test::error_of_reading(path, format);
  }
  test::TempFolder folder_;
};

TEST_F(Claims, OfNodesThatNoFileOfThisSizeTellsOfAreRefused) {
  EXPECT_THAT(error("a.mtx", "%%MatrixMarket matrix coordinate pattern general\n2000000000 2000000000 0\n",
                    SourceFormat::mtx),
              HasSubstr("the number of nodes must lie in"));
  const std::string path = folder_.file("a.npz");
  test::write_npz(path,
                  {{"edge_index", test::npy_bytes("<i4", "(2, 1)", test::raw<std::int32_t>({2000000000, 0}))}});
  EXPECT_THAT(test::error_of_reading(path, SourceFormat::npz), HasSubstr("the number of nodes must lie in"));
}

TEST_F(Claims, OfAGzipFileThatIsAlmostOnlyBlankLinesAreRefused) {
  const std::string path = folder_.file("a.txt.gz");
  test::write_gzip(path, "0 1\n" + std::string(70 << 20, '\n') + "1 2\n");
  EXPECT_THAT(test::error_of_reading(path, SourceFormat::edgelist),
              HasSubstr("blank lines, comments and ends of lines"));
  test::write_gzip(path, "0 1\n" + std::string(1 << 20, '\n') + "1 2\n");
  EXPECT_EQ(test::edges_of(*open_source(path, SourceFormat::edgelist)).size(), 2U);
}

TEST_F(Claims, OfMessagesNeverHoldTheBytesOfTheFileAsTheyAre) {
  const std::string path = folder_.file("a.npz");
  test::write_npz(path, {{"edge_index", test::npy_bytes("<\n\x1b[2J4", "(2, 1)", std::string(8, '\0'))}});
  EXPECT_THAT(test::error_of_reading(path, SourceFormat::npz), HasSubstr("got type '<??[2J4'"));
}

}  // namespace
}  // namespace kith
