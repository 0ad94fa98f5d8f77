#include "train/staging/tier_model.h"

#include <gtest/gtest.h>

namespace kith {
namespace {

constexpr TierSpeed kSlow{.page_bandwidth = 100, .row_bandwidth = 10, .row_unit = 4, .latency = 1};

TEST(TierModel, AddsLatencyOnceABatchAndTakesTheSlowerLink) {
  TierModel model{.host = kSlow, .disk = kSlow};
  EXPECT_EQ(read_seconds(model, {}), 0);
  EXPECT_DOUBLE_EQ(read_seconds(model, {.host = {.pages = 100, .rows = 20}, .disk = {}}), 4);
  EXPECT_DOUBLE_EQ(read_seconds(model, {.host = {.pages = 100, .rows = 0}, .disk = {.pages = 300, .rows = 0}}),
                   4);
}

TEST(StallClock, WaitsForEveryReadWithoutPrefetching) {
  StallClock clock({.step_seconds = 3, .prefetch_depth = 0});
  EXPECT_DOUBLE_EQ(clock.step(2), 2);
  EXPECT_DOUBLE_EQ(clock.step(5), 5);
  EXPECT_DOUBLE_EQ(clock.now(), 13);
}

TEST(StallClock, HidesReadsBehindTheStepsBefore) {
  StallClock clock({.step_seconds = 3, .prefetch_depth = 1});
  EXPECT_DOUBLE_EQ(clock.step(2), 2);  // nothing to hide behind
  EXPECT_DOUBLE_EQ(clock.step(3), 0);  // known at 2, read by 5, when the first step ends
  EXPECT_DOUBLE_EQ(clock.step(4), 1);
  EXPECT_DOUBLE_EQ(clock.step(0), 0);
}

TEST(StallClock, LetsADeeperQueueUseTheIdleLink) {
  StallClock shallow({.step_seconds = 3, .prefetch_depth = 1});
  StallClock deep({.step_seconds = 3, .prefetch_depth = 2});
  double shallow_stall = 0, deep_stall = 0;
  for (int i = 0; i < 20; ++i) {
    const double fetch = i % 2 == 0 ? 5 : 0.5;
    shallow_stall += shallow.step(fetch);
    deep_stall += deep.step(fetch);
  }
  EXPECT_GT(shallow_stall, 20);
  EXPECT_DOUBLE_EQ(deep_stall, 5);  // the first batch alone
}

TEST(StallClock, MakesABatchWaitBehindWhatWasReadAhead) {
  StallClock clock({.step_seconds = 3, .prefetch_depth = 1});
  clock.step(1, 6);                    // its step runs from 1 to 4, the link is busy until 7
  EXPECT_DOUBLE_EQ(clock.step(1), 4);  // read by 8
}

}  // namespace
}  // namespace kith
