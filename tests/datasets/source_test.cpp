#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/datasets/source_support.h"

namespace kith::test {
namespace {

using ::testing::HasSubstr;

TEST(Source, KnowsEveryFormatByItsName) {
  EXPECT_EQ(parse_source_format("auto"), SourceFormat::automatic);
  EXPECT_EQ(parse_source_format("npz"), SourceFormat::npz);
  EXPECT_EQ(parse_source_format("ogb"), SourceFormat::ogb);
  EXPECT_EQ(parse_source_format("planetoid"), SourceFormat::planetoid);
  EXPECT_EQ(parse_source_format("edgelist"), SourceFormat::edgelist);
  EXPECT_EQ(parse_source_format("metis"), SourceFormat::metis);
  EXPECT_EQ(parse_source_format("mtx"), SourceFormat::mtx);
  EXPECT_EQ(parse_source_format("kith"), SourceFormat::kith);
  EXPECT_THAT(error_of<InvalidArgument>([] { parse_source_format("NPZ"); }), HasSubstr("got 'NPZ'"));
}

TEST(Source, TellsAFileWithoutASuffixByItsFirstBytes) {
  const TempFolder folder;
  const std::string path = folder.file("data");
  write_bytes(path, "%%MatrixMarket matrix coordinate pattern symmetric\n2 2 1\n2 1\n");
  EXPECT_TRUE(open_source(path, SourceFormat::automatic)->is_undirected());
  write_bytes(path, "# from to\n0 5\n");
  EXPECT_EQ(open_source(path, SourceFormat::automatic)->num_nodes(), 2);
  write_npz(path, {{"edges", npy_bytes("<i4", "(1, 2)", raw(std::vector<std::int32_t>{0, 3}))}});
  EXPECT_EQ(open_source(path, SourceFormat::automatic)->num_nodes(), 4);
}

TEST(Source, RefusesWhatIsMissingOrUnknown) {
  const TempFolder folder;
  const std::string path = folder.file("data");
  EXPECT_THAT(error_of_reading(path, SourceFormat::automatic), HasSubstr("no such file"));
  EXPECT_THAT(error_of_reading(folder.path().string(), SourceFormat::automatic), HasSubstr("holds neither"));
  write_bytes(path, "MATLAB 5.0 MAT-file");
  EXPECT_THAT(error_of_reading(path, SourceFormat::automatic), HasSubstr("of no known format"));
  write_bytes(path, "");
  EXPECT_THAT(error_of_reading(path, SourceFormat::automatic), HasSubstr("of no known format"));
  for (const SourceFormat format :
       {SourceFormat::npz, SourceFormat::mtx, SourceFormat::metis, SourceFormat::edgelist, SourceFormat::kith,
        SourceFormat::ogb, SourceFormat::planetoid}) {
    EXPECT_NE(error_of_reading(path, format), "");
    EXPECT_NE(error_of_reading(folder.path().string(), format), "");
  }
}

}  // namespace
}  // namespace kith::test
