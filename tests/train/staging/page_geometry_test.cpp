#include "train/staging/page_geometry.h"

#include <gtest/gtest.h>

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

TEST(PageGeometry, RefusesEmptyRowsAndPages) {
  EXPECT_THROW(PageGeometry(10, 0, 4096), InvalidArgument);
  EXPECT_THROW(PageGeometry(10, 4, 0), InvalidArgument);
}

}  // namespace
}  // namespace kith
