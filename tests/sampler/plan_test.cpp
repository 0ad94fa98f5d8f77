#include "sampler/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <set>

#include "graph/errors.h"
#include "tests/sampler/chi_square.h"

namespace kith {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::UnorderedElementsAreArray;
using Kind = BatchOrder::Kind;

constexpr BatchOrder kSequential{.kind = Kind::sequential};

/// Communities of 1 to 9 nodes.
Communities random_communities(NodeId num_nodes, std::uint64_t seed) {
  std::mt19937_64 bits(seed);
  std::vector<EdgeOffset> offsets = {0};
  while (offsets.back() < num_nodes) {
    offsets.push_back(
        std::min<EdgeOffset>(num_nodes, offsets.back() + 1 + static_cast<EdgeOffset>(bits() % 9)));
  }
  return Communities(std::move(offsets), num_nodes, "test");
}

/// About a third of the nodes, in no order.
std::vector<NodeId> random_roots(NodeId num_nodes, std::uint64_t seed) {
  std::mt19937_64 bits(seed);
  std::vector<NodeId> roots(static_cast<std::size_t>(num_nodes));
  std::iota(roots.begin(), roots.end(), 0);
  for (std::size_t i = roots.size(); i > 1; --i) std::swap(roots[i - 1], roots[bits() % i]);
  roots.resize(roots.size() / 3);
  return roots;
}

std::vector<NodeId> copy(std::span<const NodeId> nodes) { return {nodes.begin(), nodes.end()}; }

/// Distinct communities of each stretch of equal communities, in order.
std::vector<std::int32_t> stretches(std::span<const NodeId> order, const Communities& communities) {
  std::vector<std::int32_t> found;
  for (const NodeId root : order) {
    if (found.empty() || found.back() != communities.community_of(root))
      found.push_back(communities.community_of(root));
  }
  return found;
}

std::size_t num_distinct(std::span<const std::int32_t> values) {
  return std::set<std::int32_t>(values.begin(), values.end()).size();
}

std::string message_of(const PlanOptions& options, std::vector<NodeId> roots = {0}) {
  try {
    make_plan(roots, Communities(10), options);
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return "no error";
}

TEST(Plan, CutsAHandCheckableOrder) {
  const std::vector<NodeId> roots = {5, 2, 9, 0, 7};
  const Plan plan = make_plan(roots, Communities(10), {.batch_size = 2, .is_shuffled = false});
  ASSERT_EQ(plan.size(), 3U);
  EXPECT_THAT(plan[0], ElementsAre(5, 2));
  EXPECT_THAT(plan[1], ElementsAre(9, 0));
  EXPECT_THAT(plan[2], ElementsAre(7));
  EXPECT_THAT(plan.positions(1), ElementsAre(2, 3));
  EXPECT_THAT(plan.roots(), ElementsAreArray(roots));
}

TEST(Plan, VisitsEveryRootExactlyOnce) {
  const Communities communities = random_communities(3000, 1);
  const std::vector<NodeId> roots = random_roots(3000, 2);
  for (const double mix : {0.0, 0.125, 0.5, 1.0}) {
    for (const std::int32_t group : {0, 1, 16, 100'000}) {
      for (const char* order : {"shuffled", "window:3", "sequential"}) {
        for (const bool is_shuffled : {true, false}) {
          const Plan plan = make_plan(roots, communities,
                                      {.batch_size = 7,
                                       .mix = mix,
                                       .group = group,
                                       .batch_order = BatchOrder::parse(order),
                                       .is_shuffled = is_shuffled});
          std::vector<NodeId> visited;
          for (std::size_t i = 0; i < plan.size(); ++i) {
            ASSERT_EQ(plan[i].size(), i + 1 < plan.size() ? 7U : roots.size() % 7);
            ASSERT_EQ(plan[i].size(), plan.positions(i).size());
            for (std::size_t j = 0; j < plan[i].size(); ++j) {
              visited.push_back(plan[i][j]);
              ASSERT_EQ(roots.at(static_cast<std::size_t>(plan.positions(i)[j])), plan[i][j]);
            }
          }
          ASSERT_THAT(visited, UnorderedElementsAreArray(roots)) << mix << ' ' << group << ' ' << order;
        }
      }
    }
  }
}

TEST(Plan, NeverInterleavesCommunitiesAtMixZero) {
  const Communities communities = random_communities(3000, 3);
  const std::vector<NodeId> roots = random_roots(3000, 4);
  const Plan plan = make_plan(roots, communities, {.batch_size = 10, .mix = 0, .batch_order = kSequential});
  const auto order = stretches(plan.roots(), communities);
  EXPECT_EQ(order.size(), num_distinct(order));
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end())) << "the communities are to be shuffled";
  EXPECT_FALSE(std::is_sorted(plan.roots().begin(), plan.roots().end()));
}

TEST(Plan, ShufflesTheRootsInsideACommunity) {
  std::vector<NodeId> roots(50);
  std::iota(roots.begin(), roots.end(), 0);
  const Plan plan = make_plan(roots, Communities(50), {.mix = 0, .batch_order = kSequential});
  EXPECT_THAT(plan.roots(), UnorderedElementsAreArray(roots));
  EXPECT_FALSE(std::is_sorted(plan.roots().begin(), plan.roots().end()));
}

// 12 communities of 10 nodes; in runs of g, every 10 * g roots come from g communities.
TEST(Plan, MixesRunsOfTheSaidLength) {
  std::vector<EdgeOffset> offsets(13);
  for (std::size_t c = 0; c < offsets.size(); ++c) offsets[c] = static_cast<EdgeOffset>(10 * c);
  const Communities communities(offsets, 120, "test");
  std::vector<NodeId> roots(120);
  std::iota(roots.begin(), roots.end(), 0);
  struct Case {
    double mix;
    std::int32_t group;
    std::size_t length;
  };
  for (const Case& c : {Case{0, 0, 1}, Case{0.01, 0, 1}, Case{0.125, 0, 2}, Case{0.25, 0, 3}, Case{0.5, 0, 6},
                        Case{0.25, 2, 2}, Case{1, 4, 4}, Case{0, 6, 6}}) {
    const Plan plan = make_plan(
        roots, communities, {.batch_size = 120, .mix = c.mix, .group = c.group, .batch_order = kSequential});
    for (std::size_t first = 0; first < 120; first += 10 * c.length) {
      const auto run = plan.roots().subspan(first, 10 * c.length);
      ASSERT_EQ(num_distinct(stretches(run, communities)), c.length) << c.mix << ' ' << c.group;
      if (c.length == 1) continue;
      ASSERT_GT(stretches(run, communities).size(), c.length) << "a run is to be mixed";
    }
  }
}

// 0.07 * 100 is a little more than 7 in floating point.
TEST(Plan, DoesNotRoundAShareUpForItsRepresentation) {
  std::vector<EdgeOffset> offsets(101);
  std::iota(offsets.begin(), offsets.end(), EdgeOffset{0});
  for (EdgeOffset& offset : offsets) offset *= 10;
  const Communities communities(offsets, 1000, "test");
  std::vector<NodeId> roots(1000);
  std::iota(roots.begin(), roots.end(), 0);
  const Plan plan = make_plan(roots, communities, {.mix = 0.07, .batch_order = kSequential});
  EXPECT_EQ(num_distinct(stretches(plan.roots().first(70), communities)), 7U);
}

TEST(Plan, IsAUniformPermutationAtMixOne) {
  const Communities communities({0, 2, 3, 4}, 4, "test");
  const std::vector<NodeId> roots = {0, 1, 2, 3};
  std::vector<std::int64_t> counts(256);
  for (std::int32_t epoch = 0; epoch < 24'000; ++epoch) {
    const Plan plan = make_plan(roots, communities, {.mix = 1, .epoch = epoch});
    const auto order = plan.roots();
    ++counts.at(static_cast<std::size_t>(order[0] + 4 * order[1] + 16 * order[2] + 64 * order[3]));
  }
  std::erase(counts, 0);
  ASSERT_EQ(counts.size(), 24U);
  EXPECT_LT(test::chi_square_z(counts), 4);
}

TEST(Plan, IgnoresTheBatchOrderAtMixOne) {
  const std::vector<NodeId> roots = random_roots(300, 5);
  const Plan a = make_plan(roots, Communities(300), {.batch_size = 7, .mix = 1});
  const Plan b = make_plan(roots, Communities(300), {.batch_size = 7, .mix = 1, .batch_order = kSequential});
  EXPECT_THAT(a.roots(), ElementsAreArray(b.roots()));
}

TEST(Plan, ReordersWholeBatchesAndKeepsAShortOneLast) {
  const Communities communities = random_communities(3000, 6);
  const std::vector<NodeId> roots = random_roots(3000, 7);
  PlanOptions options{.batch_size = 9, .mix = 0.01, .batch_order = kSequential};
  const Plan sequential = make_plan(roots, communities, options);
  options.batch_order = BatchOrder{};
  const Plan shuffled = make_plan(roots, communities, options);
  ASSERT_EQ(sequential.size(), shuffled.size());
  ASSERT_EQ(roots.size() % 9, 1U);
  std::set<std::vector<NodeId>> a, b;
  bool is_moved = false;
  for (std::size_t i = 0; i < sequential.size(); ++i) {
    a.insert(copy(sequential[i]));
    b.insert(copy(shuffled[i]));
    is_moved |= copy(sequential[i]) != copy(shuffled[i]);
  }
  EXPECT_EQ(a, b);
  EXPECT_TRUE(is_moved);
  EXPECT_EQ(copy(sequential[sequential.size() - 1]), copy(shuffled[shuffled.size() - 1]));
}

TEST(Plan, KeepsBatchesInsideTheirWindow) {
  const Communities communities = random_communities(3000, 8);
  const std::vector<NodeId> roots = random_roots(3000, 9);
  PlanOptions options{.batch_size = 10, .mix = 0, .batch_order = kSequential};
  const Plan sequential = make_plan(roots, communities, options);
  options.batch_order = {.kind = Kind::window, .window = 8};
  const Plan windowed = make_plan(roots, communities, options);
  ASSERT_EQ(windowed.size(), 100U);
  std::size_t num_moved = 0;
  for (std::size_t first = 0; first < 100; first += 8) {
    std::set<std::vector<NodeId>> a, b;
    for (std::size_t i = first; i < std::min<std::size_t>(first + 8, 100); ++i) {
      a.insert(copy(sequential[i]));
      b.insert(copy(windowed[i]));
      num_moved += copy(sequential[i]) != copy(windowed[i]) ? 1 : 0;
    }
    EXPECT_EQ(a, b);
  }
  EXPECT_GT(num_moved, 50U);
}

TEST(Plan, IsEmptyWithoutRoots) {
  const Plan plan = make_plan({}, Communities(10), {});
  EXPECT_EQ(plan.size(), 0U);
  EXPECT_THAT(plan.roots(), IsEmpty());
  EXPECT_EQ(make_plan({}, Communities(0), {.mix = 1}).size(), 0U);
}

TEST(Plan, TakesOneCommunityAndMoreCommunitiesThanRoots) {
  const std::vector<NodeId> roots = {3, 900, 17};
  EXPECT_THAT(make_plan(roots, Communities(1000), {}).roots(), UnorderedElementsAreArray(roots));
  EXPECT_THAT(make_plan(roots, random_communities(1000, 10), {}).roots(), UnorderedElementsAreArray(roots));
}

TEST(Plan, GivesOneShortBatchWhenTheBatchIsLargerThanTheRoots) {
  const std::vector<NodeId> roots = {3, 900, 17};
  const Plan plan = make_plan(roots, Communities(1000), {.batch_size = 4});
  ASSERT_EQ(plan.size(), 1U);
  EXPECT_THAT(plan[0], UnorderedElementsAreArray(roots));
  EXPECT_EQ(make_plan(roots, Communities(1000), {.batch_size = 4, .drop_last = true}).size(), 0U);
}

TEST(Plan, DropsOnlyALastBatchThatIsNotFull) {
  const std::vector<NodeId> roots = random_roots(300, 11);  // 100 of them
  const Plan dropped = make_plan(roots, Communities(300), {.batch_size = 30, .drop_last = true});
  EXPECT_EQ(dropped.size(), 3U);
  EXPECT_EQ(dropped.roots().size(), 90U);
  EXPECT_EQ(make_plan(roots, Communities(300), {.batch_size = 25, .drop_last = true}).size(), 4U);
}

TEST(Plan, IsAPureFunctionOfSeedAndEpoch) {
  const Communities communities = random_communities(300, 12);
  const std::vector<NodeId> roots = random_roots(300, 13);
  for (const double mix : {0.0, 0.2, 1.0}) {
    const auto order = [&](std::uint64_t seed, std::int32_t epoch) {
      return copy(make_plan(roots, communities, {.mix = mix, .seed = seed, .epoch = epoch}).roots());
    };
    EXPECT_EQ(order(1, 2), order(1, 2));
    EXPECT_NE(order(1, 2), order(1, 3));
    EXPECT_NE(order(1, 2), order(2, 2));
    EXPECT_NE(order(1, 2), order(1 + (1ULL << 32), 2));
  }
}

// Pins the bits: a change here breaks resumed runs and recorded results.
TEST(Plan, KeepsItsBitsFromReleaseToRelease) {
  const Communities communities({0, 3, 5, 8}, 8, "test");
  const std::vector<NodeId> roots = {0, 1, 2, 3, 4, 5, 6, 7};
  const Plan plan = make_plan(roots, communities, {.batch_size = 3, .mix = 0, .seed = 42, .epoch = 1});
  EXPECT_THAT(plan.roots(), ElementsAre(2, 1, 0, 4, 3, 7, 6, 5));
}

TEST(Plan, KeepsAFixedOrderInEveryEpoch) {
  const std::vector<NodeId> roots = random_roots(300, 14);
  for (const std::int32_t epoch : {0, 1, 7}) {
    const Plan plan =
        make_plan(roots, random_communities(300, 15), {.batch_size = 7, .is_shuffled = false, .epoch = epoch});
    EXPECT_THAT(plan.roots(), ElementsAreArray(roots));
  }
}

TEST(Plan, RefusesOptionsOutOfRangeWithOneClearLine) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(message_of({.batch_size = 0}), "make_plan: batch_size must be > 0, got 0");
  EXPECT_EQ(message_of({.mix = 1.5}), "make_plan: mix must be in [0, 1], got 1.5");
  EXPECT_EQ(message_of({.mix = -0.1}), "make_plan: mix must be in [0, 1], got -0.1");
  EXPECT_EQ(message_of({.mix = nan}), "make_plan: mix must be in [0, 1], got nan");
  EXPECT_EQ(message_of({.group = -1}), "make_plan: group must be >= 0, got -1");
  EXPECT_EQ(message_of({.batch_order = {.kind = Kind::window}}), "make_plan: window must be > 0, got 0");
  EXPECT_EQ(message_of({.epoch = -1}), "make_plan: epoch must be in [0, 16777215], got -1");
  EXPECT_EQ(message_of({}, {3, 10}), "make_plan: roots must be in [0, 10), got 10");
  EXPECT_EQ(message_of({}, {-1}), "make_plan: roots must be in [0, 10), got -1");
  EXPECT_EQ(message_of({}), "no error");
}

TEST(BatchOrder, ReadsItsOwnNames) {
  for (const char* name : {"shuffled", "sequential", "window:1", "window:32"})
    EXPECT_EQ(BatchOrder::parse(name).name(), name);
  EXPECT_EQ(BatchOrder::parse("window:32").window, 32);
}

TEST(BatchOrder, RefusesOtherNames) {
  for (const char* name :
       {"", "random", "window", "window:", "window:0", "window:-1", "window:3x", "window:99999999999"}) {
    EXPECT_THROW(BatchOrder::parse(name), InvalidArgument) << name;
  }
}

}  // namespace
}  // namespace kith
