#include "train/staging/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/graphs.h"
#include "tests/train/staging/staging_traces.h"

namespace kith {
namespace {

using ::testing::ElementsAre;

TEST(Placement, ChoosesTheHighestScoresThenTheSmallestIds) {
  EXPECT_THAT(choose_best(std::vector<std::int32_t>{2, 5, 2, 0, 9}, 3),
              ElementsAre(true, true, false, false, true));
  EXPECT_THAT(choose_best(std::vector<std::int32_t>{1, 0}, 2), ElementsAre(true, false));
  EXPECT_THAT(choose_best(std::vector<std::int32_t>{1, 0}, -1), ElementsAre(false, false));
}

TEST(Placement, CountsListEntriesRowsAndPages) {
  EXPECT_THAT(count_list_entries(test::tiny_dataset().graph.view()), ElementsAre(2, 2, 3, 3, 2, 3, 1, 0));
  const AccessTrace trace = test::to_trace({{0, 1, 2, 3, 4}, {4, 0}, {0, 5}});
  EXPECT_THAT(count_page_touches(trace, {8, 8, 32}), ElementsAre(3, 3));
  const TierModel model{.host = {.page_bandwidth = 2, .row_bandwidth = 1, .row_unit = 4, .latency = 0}};
  BatchSplitter splitter({8, 8, 32}, model, {}, Isolation::cheaper);  // two rows of a page make it dense
  EXPECT_THAT(count_isolated(trace, splitter), ElementsAre(2, 0, 0, 0, 2, 1, 0, 0));
}

TEST(Placement, NoOtherPlacementMovesLessTime) {
  // Every way to put 6 rows on 2 + 2 + 2 places, at three speeds.
  const std::vector<std::int32_t> accesses{3, 9, 1, 4, 4, 7};
  const auto seconds = [](const TierTraffic& traffic) {
    return static_cast<double>(traffic.fast) / 100 + static_cast<double>(traffic.host) / 10 +
           static_cast<double>(traffic.disk);
  };
  const Placement placement(accesses, 2, 2);
  const double got = seconds(placement.traffic(accesses, 8));
  std::vector<int> tiers{0, 0, 1, 1, 2, 2};
  double best = 1e9;
  do {
    TierTraffic traffic;
    for (std::size_t row = 0; row < 6; ++row) {
      (tiers[row] == 0 ? traffic.fast : tiers[row] == 1 ? traffic.host : traffic.disk) += accesses[row] * 8;
    }
    best = std::min(best, seconds(traffic));
  } while (std::next_permutation(tiers.begin(), tiers.end()));
  EXPECT_DOUBLE_EQ(got, best);
  EXPECT_EQ(placement.traffic(accesses, 8).fast, 16 * 8);
}

}  // namespace
}  // namespace kith
