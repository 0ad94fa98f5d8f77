#include "train/prefetcher.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

namespace kith {
namespace {

std::vector<int> drain(Prefetcher<int>& items) {
  std::vector<int> all;
  while (const auto item = items.next()) all.push_back(*item);
  return all;
}

TEST(Prefetcher, HandsItemsOutInOrderForAnyDepthAndNumberOfWorkers) {
  for (const std::size_t depth : {0, 1, 2, 7, 100}) {
    for (const std::size_t workers : {1, 3}) {
      Prefetcher<int> items(
          3, 40, depth,
          [](std::size_t i) {
            if (i % 5 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
            return static_cast<int>(i * i);
          },
          workers);
      std::vector<int> expected;
      for (int i = 3; i < 40; ++i) expected.push_back(i * i);
      EXPECT_EQ(drain(items), expected) << "depth " << depth << ", workers " << workers;
      EXPECT_FALSE(items.next());
    }
  }
}

TEST(Prefetcher, MakesNoMoreThanDepthItemsAhead) {
  std::atomic<int> made = 0;
  Prefetcher<int> items(0, 100, 3, [&](std::size_t i) {
    ++made;
    return static_cast<int>(i);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_LE(made, 3);
  items.next();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_LE(made, 4);
}

TEST(Prefetcher, RethrowsInThePlaceOfTheItemAndThenEnds) {
  for (const std::size_t depth : {0, 4}) {
    Prefetcher<int> items(0, 10, depth, [](std::size_t i) {
      if (i == 2) throw std::runtime_error("two");
      return static_cast<int>(i);
    });
    EXPECT_EQ(items.next(), 0);
    EXPECT_EQ(items.next(), 1);
    EXPECT_THROW(items.next(), std::runtime_error);
    EXPECT_FALSE(items.next());
  }
}

TEST(Prefetcher, MakesNothingMoreOnceAnExceptionCameOut) {
  constexpr std::size_t kDepth = 4;
  std::atomic<std::size_t> num_made = 0;
  Prefetcher<int> items(
      0, 100'000, kDepth,
      [&](std::size_t i) {
        if (i == 0) throw std::runtime_error("zero");
        ++num_made;
        return 1;
      },
      2);
  EXPECT_THROW(items.next(), std::runtime_error);
  EXPECT_FALSE(items.next().has_value());
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // long enough to make thousands, if they did
  EXPECT_LE(num_made, kDepth + 2);
}

TEST(Prefetcher, StopsItsWorkersWhenDroppedHalfWay) {
  std::atomic<int> made = 0;
  {
    Prefetcher<std::unique_ptr<int>> items(0, 1000, 2, [&](std::size_t i) {
      ++made;
      return std::make_unique<int>(static_cast<int>(i));
    });
    EXPECT_EQ(**items.next(), 0);
  }
  EXPECT_LE(made, 5);
}

TEST(Prefetcher, OfNothingIsAtItsEnd) {
  Prefetcher<int> items(5, 5, 2, [](std::size_t) { return 1; });
  EXPECT_FALSE(items.next());
}

}  // namespace
}  // namespace kith
