#include "train/staging/background_training.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

#include "graph/errors.h"

namespace kith {
namespace {

TEST(BackgroundTraining, RestsSoThatItsShareIsKept) {
  EXPECT_DOUBLE_EQ(rest_seconds(2, 100), 0);
  EXPECT_DOUBLE_EQ(rest_seconds(2, 50), 2);
  EXPECT_DOUBLE_EQ(rest_seconds(1, 4), 24);
  EXPECT_THROW(rest_seconds(1, 0), InvalidArgument);
  EXPECT_THROW(rest_seconds(1, 101), InvalidArgument);
}

TEST(BackgroundTraining, WorksUntilItIsDestroyed) {
  std::atomic<int> pieces = 0;
  std::latch done(5);
  {
    const BackgroundTraining training(100, [&] {
      if (pieces.fetch_add(1) < 5) done.count_down();
      return true;
    });
    done.wait();
  }
  const int at_the_end = pieces;
  EXPECT_GE(at_the_end, 5);
  EXPECT_EQ(pieces, at_the_end);
  EXPECT_THROW(BackgroundTraining(0, [] { return true; }), InvalidArgument);
}

TEST(BackgroundTraining, StopsInTheMiddleOfALongRest) {
  std::latch started(1);
  std::atomic<bool> has_started = false;
  const BackgroundTraining training(1e-9, [&] {
    if (!has_started.exchange(true)) started.count_down();
    return true;
  });
  started.wait();
}

}  // namespace
}  // namespace kith
