#include "datasets/random_split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "graph/errors.h"

namespace kith {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Every fourth node has none.
Labels labels_of(std::int32_t num_nodes) {
  Labels labels{.of_node = {}, .indicator = {}, .num_classes = 3};
  for (std::int32_t v = 0; v < num_nodes; ++v) labels.of_node.push_back(v % 4 == 3 ? kNoLabel : v % 3);
  return labels;
}

TEST(RandomSplit, TakesItsSharesOfTheLabelledNodesEachOnce) {
  const Splits splits = random_split(labels_of(4000), 4000, {.train = 0.6, .valid = 0.1}, 7);
  EXPECT_THAT(splits.train, SizeIs(1800));
  EXPECT_THAT(splits.valid, SizeIs(300));
  EXPECT_THAT(splits.test, SizeIs(900));
  std::vector<NodeId> all;
  for (const auto* part : {&splits.train, &splits.valid, &splits.test}) {
    EXPECT_TRUE(std::ranges::is_sorted(*part));
    all.insert(all.end(), part->begin(), part->end());
  }
  std::ranges::sort(all);
  EXPECT_EQ(std::ranges::adjacent_find(all), all.end());
  EXPECT_THAT(all, SizeIs(3000));
  EXPECT_TRUE(std::ranges::none_of(all, [](NodeId v) { return v % 4 == 3; }));
}

TEST(RandomSplit, TheSeedDecides) {
  const Labels labels = labels_of(1000);
  const SplitShares shares{.train = 0.5, .valid = 0.25};
  EXPECT_EQ(random_split(labels, 1000, shares, 1).train, random_split(labels, 1000, shares, 1).train);
  EXPECT_NE(random_split(labels, 1000, shares, 1).train, random_split(labels, 1000, shares, 2).train);
}

TEST(RandomSplit, AllMayTrain) {
  const Splits splits = random_split(labels_of(40), 40, {.train = 1, .valid = 0}, 0);
  EXPECT_THAT(splits.train, SizeIs(30));
  EXPECT_THAT(splits.test, IsEmpty());
}

TEST(RandomSplit, NodesWithSeveralLabelsAllCount) {
  const Labels labels{.of_node = {}, .indicator = std::vector<std::uint8_t>(200), .num_classes = 2};
  EXPECT_THAT(random_split(labels, 100, {.train = 0.3, .valid = 0.3}, 0).test, SizeIs(40));
}

TEST(RandomSplit, RefusesWhatIsNoPairOfShares) {
  EXPECT_DOUBLE_EQ(SplitShares::parse("0.6,0.2").valid, 0.2);
  for (const char* text :
       {"", "0.6", "0.6,", "0,0.5", "0.9,0.2", "-1,0.2", "0.6,-0.2", "0.6,0.2,0.2", "nan,0", "x,0"}) {
    EXPECT_THROW(SplitShares::parse(text), InvalidArgument) << text;
  }
  EXPECT_THROW(random_split({}, 10, {.train = 0.5, .valid = 0.2}, 0), InvalidArgument);
}

}  // namespace
}  // namespace kith
