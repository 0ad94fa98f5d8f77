#include "kernels/block_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "graph/errors.h"

namespace kith {
namespace {

std::string problem_of(std::int32_t num_sources, const std::vector<std::int32_t>& offsets,
                       const std::vector<std::int32_t>& sources) {
  try {
    check_block("test", {num_sources, offsets, sources});
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return "";
}

TEST(BlockCheck, AcceptsWhatTheKernelsCanRead) {
  EXPECT_EQ(problem_of(3, {0, 2, 2, 3}, {2, 2, 0}), "");
  EXPECT_EQ(problem_of(1, {0, 1, 2}, {0, 0}), "");  // more destinations than sources
  EXPECT_EQ(problem_of(2, {0}, {}), "");
  EXPECT_EQ(problem_of(0, {0, 0}, {}), "");
}

TEST(BlockCheck, SaysWhatIsWrong) {
  EXPECT_EQ(problem_of(-1, {0}, {}), "test: num_src must be >= 0, got -1");
  EXPECT_EQ(problem_of(1, {}, {}), "test: indptr must start with 0, got no values");
  EXPECT_EQ(problem_of(1, {1, 1}, {0}), "test: indptr must start with 0, got 1");
  EXPECT_EQ(problem_of(1, {0, 2, 1}, {0}), "test: indptr must not fall, got 2 before 1 at position 1");
  EXPECT_EQ(problem_of(1, {0, 1}, {0, 0}), "test: indptr must end with the number of indices (2), got 1");
  EXPECT_EQ(problem_of(2, {0, 2}, {1, 2}), "test: indices must be in [0, 2), got 2 at position 1");
  EXPECT_EQ(problem_of(2, {0, 1}, {-1}), "test: indices must be in [0, 2), got -1 at position 0");
  EXPECT_EQ(problem_of(0, {0, 1}, {0}), "test: indices must be in [0, 0), got 0 at position 0");
}

}  // namespace
}  // namespace kith
