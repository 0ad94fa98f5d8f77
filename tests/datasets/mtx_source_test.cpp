#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/datasets/source_support.h"

namespace kith::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class MtxSource : public ::testing::Test {
 protected:
  std::string written(const std::string& text) {
    write_bytes(path_, text);
    return path_;
  }
  std::string error(const std::string& text) { return error_of_reading(written(text), SourceFormat::mtx); }

  TempFolder folder_;
  std::string path_ = folder_.file("tiny.mtx");
  const std::string pattern_ = "%%MatrixMarket matrix coordinate pattern general\n";
};

TEST_F(MtxSource, ReadsEntriesAsEdgesFromRowToColumn) {
  const auto source =
      open_source(written(pattern_ + "% note\n\n3 3 2\n1 2\n% note\n3 1"), SourceFormat::automatic);
  EXPECT_EQ(source->num_nodes(), 3);
  EXPECT_FALSE(source->is_undirected());
  EXPECT_THAT(edges_of(*source), ElementsAre(Pair(0, 1), Pair(2, 0)));
  EXPECT_THAT(edges_of(*source), ElementsAre(Pair(0, 1), Pair(2, 0)));
}

TEST_F(MtxSource, PassesOverValuesOfEveryField) {
  for (const auto& [field, value] :
       {std::pair("real", " -1.5e3"), std::pair("integer", " 4"), std::pair("complex", " 1 inf")}) {
    const std::string text =
        std::string("%%MatrixMarket MATRIX Coordinate ") + field + " general\n2 2 1\n2 1" + value + "\n";
    EXPECT_THAT(edges_of(*open_source(written(text), SourceFormat::mtx)), ElementsAre(Pair(1, 0))) << field;
  }
}

TEST_F(MtxSource, IsUndirectedIfTheMatrixIsSymmetric) {
  for (const char* symmetry : {"symmetric", "skew-symmetric", "hermitian"}) {
    const std::string text =
        std::string("%%MatrixMarket matrix coordinate real ") + symmetry + "\n2 2 1\n2 1 5\n";
    EXPECT_TRUE(open_source(written(text), SourceFormat::mtx)->is_undirected()) << symmetry;
  }
}

TEST_F(MtxSource, SaysInOneLineWhatIsWrong) {
  EXPECT_THAT(error("%%MatrixMarket matrix array real general\n2 2\n1\n"), HasSubstr("'array'"));
  EXPECT_THAT(error("%%MatrixMarket matrix coordinate quaternion general\n"), HasSubstr("'quaternion'"));
  EXPECT_THAT(error("%%MatrixMarket matrix coordinate real odd\n"), HasSubstr("'odd'"));
  EXPECT_THAT(error("1 1 1\n"), HasSubstr("must start with"));
  EXPECT_THAT(error(pattern_ + "2 3 1\n1 1\n"), HasSubstr("square matrix, got 2 x 3"));
  EXPECT_THAT(error(pattern_ + "2 2 2\n1 1\n"), HasSubstr("ends after 1"));
  EXPECT_THAT(error(pattern_ + "2 2 1\n1 1\n1 2\n"), HasSubstr(":4: the header says 1 entries"));
  EXPECT_THAT(error(pattern_ + "2 2 1\n1 3\n"), HasSubstr("a column must lie in 1..2, got 3"));
  EXPECT_THAT(error(pattern_ + "2 2 1\n0 1\n"), HasSubstr("a row must lie in 1..2, got 0"));
  EXPECT_THAT(error(pattern_ + "2 2 1\n1 1 7\n"), HasSubstr("got more"));
  EXPECT_THAT(error("%%MatrixMarket matrix coordinate real general\n2 2 1\n1 1\n"),
              HasSubstr("expected a value"));
  EXPECT_THAT(error(pattern_ + "2 2 99999999999\n1 1\n"), HasSubstr("more than the file can hold"));
  EXPECT_THAT(error(pattern_ + "99999999999 99999999999 1\n1 1\n"),
              HasSubstr("the number of rows must lie in"));
  EXPECT_THAT(error(pattern_), HasSubstr("expected the line of sizes"));
}

TEST_F(MtxSource, ReadsTheRealFiles) {
  if (real_data().empty()) GTEST_SKIP() << "KITH_DATA_DIR names no folder of real graphs";
  const auto read = [&](const std::string& name) {
    return edges_of(*open_source(real_data() + "/raw/mtx/" + name + ".mtx", SourceFormat::mtx));
  };
  EXPECT_EQ(read("bcsstk13").size(), 42943U);
  EXPECT_EQ(read("comments_west0067").size(), 295U);
  EXPECT_EQ(read("karate").size(), 78U);
  EXPECT_EQ(read("skew_fp64").size(), 10U);
  EXPECT_EQ(read("structure").size(), 12U);
  Pairs plain = read("west0067");
  Pairs jumbled = read("west0067_jumbled");
  EXPECT_NE(plain, jumbled);
  std::sort(plain.begin(), plain.end());
  std::sort(jumbled.begin(), jumbled.end());
  EXPECT_EQ(plain, jumbled);
  EXPECT_THAT(error_of_reading(real_data() + "/raw/mtx/full_symmetric.mtx", SourceFormat::mtx),
              HasSubstr("'array'"));
}

}  // namespace
}  // namespace kith::test
