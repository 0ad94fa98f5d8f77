#include "sampler/locality_meter.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace kith {
namespace {

using Nodes = std::vector<NodeId>;

BatchStats measure(LocalityMeter& meter, const Nodes& nodes) {
  BatchStats stats{.pages = -1};
  meter.add(std::span<const NodeId>(nodes), stats);
  return stats;
}

// Rows of 1024 bytes: four a page.
TEST(LocalityMeter, CountsPagesAndWhatTheBatchBeforeHadToo) {
  LocalityMeter meter(100, 1024);
  const BatchStats first = measure(meter, {0, 1, 3, 4, 99});
  EXPECT_EQ(first.pages, 3);  // 0..3, 4..7, 96..99
  EXPECT_EQ(first.reused_input_nodes, 0);
  const BatchStats second = measure(meter, {4, 5, 6, 99, 50});
  EXPECT_EQ(second.pages, 3);
  EXPECT_EQ(second.reused_input_nodes, 2);
  EXPECT_EQ(measure(meter, {0, 1}).reused_input_nodes, 0) << "only the batch right before counts";
}

TEST(LocalityMeter, CountsEveryPageThatARowStraddles) {
  LocalityMeter wide(3, 6000);
  EXPECT_EQ(measure(wide, {1}).pages, 2);  // bytes 6000 to 11999: the pages 1 and 2
  LocalityMeter odd(100, 1000);
  EXPECT_EQ(measure(odd, {4}).pages, 2);  // bytes 4000 to 4999
  EXPECT_EQ(measure(odd, {3}).pages, 1);
}

TEST(LocalityMeter, TouchesNoPageWithoutFeatures) {
  LocalityMeter meter(10, 0);
  EXPECT_EQ(measure(meter, {1, 2}).pages, 0);
  EXPECT_EQ(measure(meter, {2}).reused_input_nodes, 1);
}

TEST(LocalityMeter, AgreesWithSetsOnRandomBatches) {
  constexpr NodeId kNumNodes = 1000;
  constexpr std::size_t kRowBytes = 300;
  std::mt19937_64 bits(1);
  LocalityMeter meter(kNumNodes, kRowBytes);
  std::set<NodeId> before;
  for (int batch = 0; batch < 50; ++batch) {
    std::set<NodeId> nodes;
    for (int i = 0; i < 200; ++i) nodes.insert(static_cast<NodeId>(bits() % kNumNodes));
    std::set<std::size_t> pages;
    std::int64_t reused = 0;
    for (const NodeId v : nodes) {
      const std::size_t first = static_cast<std::size_t>(v) * kRowBytes;
      pages.insert(first / 4096);
      pages.insert((first + kRowBytes - 1) / 4096);
      reused += before.count(v) > 0 ? 1 : 0;
    }
    const BatchStats stats = measure(meter, {nodes.begin(), nodes.end()});
    EXPECT_EQ(stats.pages, static_cast<std::int64_t>(pages.size()));
    EXPECT_EQ(stats.reused_input_nodes, reused);
    before = nodes;
  }
}

}  // namespace
}  // namespace kith
