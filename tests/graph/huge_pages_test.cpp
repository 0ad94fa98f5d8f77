#include "graph/huge_pages.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <vector>

namespace kith {
namespace {

TEST(HugePages, KeepEveryValueWhereverTheStretchBegins) {
  std::vector<std::int32_t> values(3 << 20);  // 12 MiB: whole huge pages with torn ones at both ends
  std::iota(values.begin(), values.end(), -7);
  for (const std::size_t first : {0, 1, 1023, 600'000}) {
    use_huge_pages(std::span<const std::int32_t>(values).subspan(first));
    for (std::size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(values[i], static_cast<std::int32_t>(i) - 7) << "from " << first;
    }
  }
  values[1 << 20] = 5;  // and the memory is still the caller's to write
  EXPECT_EQ(values[1 << 20], 5);
}

TEST(HugePages, LeaveSmallAndEmptyArraysAlone) {
  const std::vector<std::int32_t> small(1000, 3);
  use_huge_pages(std::span(small));
  use_huge_pages(std::span<const std::int32_t>());
  EXPECT_EQ(std::accumulate(small.begin(), small.end(), 0), 3000);
}

}  // namespace
}  // namespace kith
