#include "datasets/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/errors.h"
#include "tests/support/errors.h"

namespace kith {
namespace {

using ::testing::HasSubstr;

constexpr GraphSize kSize{.num_nodes = 1000, .num_entries = 100'000};

TEST(MemoryPlan, KeepsEdgesInMemoryAsLongAsTheyFit) {
  const std::int64_t needed = bytes_in_memory(kSize);
  EXPECT_EQ(needed, 80 * 1000 + 2 * 4 * 100'000);
  EXPECT_FALSE(plan_buffers(kSize, needed, 1));
  EXPECT_FALSE(plan_buffers(kSize, 0, needed));
  EXPECT_FALSE(plan_buffers(kSize, 0, std::nullopt));
  EXPECT_TRUE(plan_buffers(kSize, needed - 1, std::nullopt));
  EXPECT_TRUE(plan_buffers(kSize, 0, needed - 1));
}

TEST(MemoryPlan, CountsEdgeIdsAndBothDirections) {
  GraphSize size = kSize;
  size.has_edge_ids = true;
  EXPECT_EQ(bytes_in_memory(size), 80 * 1000 + 2 * 12 * 100'000);
  size.has_edge_ids = false;
  size.is_directed = true;
  EXPECT_EQ(bytes_in_memory(size), 80 * 1000 + 3 * 4 * 100'000);
}

TEST(MemoryPlan, GivesBuffersWhatTheNodesLeave) {
  EXPECT_EQ(plan_buffers(kSize, 500'000, 1), 420'000U);
  EXPECT_EQ(plan_buffers(kSize, 0, 500'000), 210'000U);
}

TEST(MemoryPlan, RefusesLessThanTheNodesTake) {
  EXPECT_THAT(test::error_of<InvalidArgument>([] { plan_buffers(kSize, 100'000, 1 << 30); }),
              HasSubstr("1000 nodes take at least 145536 bytes (1 MiB), got 100000"));
  EXPECT_THAT(test::error_of<EnvironmentError>([] { plan_buffers(kSize, 0, 100'000); }),
              HasSubstr("for 1000 nodes"));
}

}  // namespace
}  // namespace kith
