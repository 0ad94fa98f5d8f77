#include "train/staging/batch_touches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/train/staging/staging_traces.h"

namespace kith {
namespace {

using ::testing::ElementsAre;

/// Pages of 4 rows of 8 bytes. From the host a row costs 8 of 1 byte a second, a page 32 of 2; from disk a unit
/// holds two rows.
TierModel model() {
  return {.host = {.page_bandwidth = 2, .row_bandwidth = 1, .row_unit = 4, .latency = 0},
          .disk = {.page_bandwidth = 2, .row_bandwidth = 2, .row_unit = 16, .latency = 0}};
}

TEST(BatchSplitter, ReadsAPageWholeWhereThatIsCheaper) {
  BatchSplitter splitter({12, 8, 32}, model(), {}, Isolation::cheaper);
  const BatchTouches got = splitter.split(std::vector<NodeId>{9, 1, 0, 4}, 5, {});
  EXPECT_EQ(got.num_rows, 4);
  EXPECT_EQ(got.context, 5);
  ASSERT_EQ(got.pages.size(), 3U);
  EXPECT_EQ(got.pages[0].page, 2);
  EXPECT_FALSE(got.pages[0].is_dense);
  EXPECT_EQ(got.pages[0].alone_bytes, 8);
  EXPECT_EQ(got.pages[1].page, 0);
  EXPECT_EQ(got.pages[1].rows, 2);
  EXPECT_TRUE(got.pages[1].is_dense);  // 16 bytes at 1 a second against 32 at 2
  EXPECT_THAT(got.dense, ElementsAre(0));
}

TEST(BatchSplitter, LeavesOutTheRowStore) {
  BatchSplitter splitter({12, 8, 32}, model(), {}, Isolation::cheaper);
  IdSet stored(12);
  stored[1] = stored[9] = true;
  const BatchTouches got = splitter.split(std::vector<NodeId>{9, 1, 0, 4}, 0, stored);
  EXPECT_EQ(got.num_stored, 2);
  ASSERT_EQ(got.pages.size(), 2U);
  EXPECT_THAT(got.dense, ElementsAre());
}

TEST(BatchSplitter, CountsTheUnitsOfADiskOnce) {
  IdSet host_pages(3);
  host_pages[1] = true;
  BatchSplitter splitter({12, 8, 32}, model(), host_pages, Isolation::cheaper);
  const BatchTouches got = splitter.split(std::vector<NodeId>{0, 1, 4, 8, 11}, 0, {});
  EXPECT_EQ(got.pages[0].alone_bytes, 16);  // rows 0 and 1 share a unit
  EXPECT_EQ(got.pages[0].source, SlowTier::disk);
  EXPECT_FALSE(got.pages[0].is_dense);
  EXPECT_EQ(got.pages[1].alone_bytes, 8);
  EXPECT_EQ(got.pages[1].source, SlowTier::host);
  EXPECT_EQ(got.pages[2].alone_bytes, 32);
  EXPECT_TRUE(got.pages[2].is_dense);
  const BatchTouches again = splitter.split(std::vector<NodeId>{1, 0}, 0, {});
  EXPECT_EQ(again.pages[0].alone_bytes, 16);  // nothing is left over from the batch before
}

TEST(BatchSplitter, ReadsEveryPageWholeWithoutIsolation) {
  BatchSplitter splitter({12, 8, 32}, model(), {}, Isolation::none);
  EXPECT_THAT(splitter.split(std::vector<NodeId>{9, 1, 4}, 0, {}).dense, ElementsAre(2, 0, 1));
}

TEST(BatchSplitter, AgreesWithANaiveCount) {
  const PageGeometry geometry(101, 12, 100);  // rows straddle units of 16
  TierModel speeds = model();
  BatchSplitter splitter(geometry, speeds, IdSet(static_cast<std::size_t>(geometry.num_pages())),
                         Isolation::cheaper);
  for (const auto& rows : test::random_batches(101, 30, 60, 4)) {
    std::map<PageId, std::set<std::int64_t>> units;  // counted from the beginning of the page
    std::map<PageId, int> counts;
    for (const NodeId row : rows) {
      const PageId page = geometry.page_of(row);
      ++counts[page];
      for (std::int64_t byte = row * 12; byte < (row + 1) * 12; ++byte) {
        units[page].insert((byte - geometry.first_row(page) * 12) / 16);
      }
    }
    const BatchTouches got = splitter.split(rows, 0, {});
    ASSERT_EQ(got.pages.size(), counts.size());
    for (const PageTouch& touch : got.pages) {
      EXPECT_EQ(touch.rows, counts[touch.page]);
      EXPECT_EQ(touch.alone_bytes, static_cast<std::int64_t>(16 * units[touch.page].size()));
    }
  }
}

}  // namespace
}  // namespace kith
