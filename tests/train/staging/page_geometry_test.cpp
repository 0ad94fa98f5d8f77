#include "train/staging/page_geometry.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace kith {
namespace {

TEST(PageGeometry, CutsWholeRows) {
  const PageGeometry pages(10, 100, 350);
  EXPECT_EQ(pages.rows_per_page(), 3);
  EXPECT_EQ(pages.num_pages(), 4);
  EXPECT_EQ(pages.page_bytes(), 300U);
  EXPECT_EQ(pages.page_of(8), 2);
  EXPECT_EQ(pages.page_of(9), 3);
  EXPECT_EQ(pages.first_row(3), 9);
  EXPECT_EQ(pages.rows_in(2), 3);
  EXPECT_EQ(pages.rows_in(3), 1);
}

TEST(PageGeometry, HoldsAtLeastOneRowAndAtMostTheTable) {
  EXPECT_EQ(PageGeometry(10, 5000, 4096).rows_per_page(), 1);
  EXPECT_EQ(PageGeometry(10, 4, kDefaultPageBytes).rows_per_page(), 10);
  EXPECT_EQ(PageGeometry(0, 4, kDefaultPageBytes).num_pages(), 0);
}

TEST(PageGeometry, FindsThePageOfTheLargestRows) {
  constexpr std::int64_t kMostRows = std::numeric_limits<NodeId>::max();
  for (std::int64_t per_page = 1; per_page <= kMostRows; per_page += per_page / 7 + 1) {
    const PageGeometry pages(kMostRows, 1, static_cast<std::size_t>(per_page));
    const std::int64_t last_page = (kMostRows - 1) / per_page;
    for (const std::int64_t page : {std::int64_t{0}, last_page / 2, last_page}) {
      for (const std::int64_t row : {page * per_page, page * per_page + per_page - 1, kMostRows - 1}) {
        if (row >= kMostRows) continue;
        ASSERT_EQ(pages.page_of(static_cast<NodeId>(row)), row / per_page) << row << " / " << per_page;
      }
    }
  }
}

TEST(PageGeometry, RefusesEmptyRowsAndPages) {
  EXPECT_THROW(PageGeometry(10, 0, 4096), InvalidArgument);
  EXPECT_THROW(PageGeometry(10, 4, 0), InvalidArgument);
}

}  // namespace
}  // namespace kith
