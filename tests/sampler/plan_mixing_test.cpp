// The readings of `mix`: what each keeps together, and that all agree at the ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "graph/errors.h"
#include "sampler/plan.h"
#include "tests/sampler/chi_square.h"

namespace kith {
namespace {

using testing::ElementsAreArray;
using testing::UnorderedElementsAreArray;

constexpr BatchOrder kSequential{.kind = BatchOrder::Kind::sequential};
constexpr Mixing kAll[] = {Mixing::communities, Mixing::balanced, Mixing::nested, Mixing::leaky};

/// Level 0: 64 communities, community c of 2 + c % 5 * 4 nodes; level 1: 16 of 4 each; level 2: 4 of 16 each.
std::vector<Communities> nested_levels() {
  std::vector<EdgeOffset> fine = {0}, middle = {0}, coarse = {0};
  for (int c = 0; c < 64; ++c) {
    fine.push_back(fine.back() + 2 + c % 5 * 4);
    if (c % 4 == 3) middle.push_back(fine.back());
    if (c % 16 == 15) coarse.push_back(fine.back());
  }
  const auto num_nodes = static_cast<NodeId>(fine.back());
  std::vector<Communities> levels;
  for (const auto& offsets : {fine, middle, coarse}) levels.emplace_back(offsets, num_nodes, "test");
  return levels;
}

std::vector<NodeId> all_nodes(const Communities& communities) {
  std::vector<NodeId> nodes(static_cast<std::size_t>(communities.num_nodes()));
  std::iota(nodes.begin(), nodes.end(), 0);
  return nodes;
}

/// How often the order changes from one community to another.
std::size_t num_changes(std::span<const NodeId> order, const Communities& communities) {
  std::size_t changes = 0;
  for (std::size_t i = 1; i < order.size(); ++i) {
    changes += communities.community_of(order[i]) != communities.community_of(order[i - 1]) ? 1 : 0;
  }
  return changes;
}

TEST(Mixing, VisitsEveryRootOnceInEveryReading) {
  const auto levels = nested_levels();
  std::vector<NodeId> roots;  // every third node, so that some communities have none
  for (NodeId v = 0; v < levels[0].num_nodes(); v += 3) roots.push_back(v);
  for (const Mixing mixing : kAll) {
    for (const double mix : {0.0, 0.1, 0.5, 1.0}) {
      for (const std::int32_t group : {0, 1, 7, 1000}) {
        const Plan plan =
            make_plan(roots, levels, {.batch_size = 9, .mix = mix, .group = group, .mixing = mixing});
        ASSERT_THAT(plan.roots(), UnorderedElementsAreArray(roots)) << name_of(mixing) << mix << ' ' << group;
      }
    }
  }
}

TEST(Mixing, AllReadingsKeepCommunitiesWholeAtZeroAndAreOneUniformOrderAtOne) {
  const auto levels = nested_levels();
  const std::vector<NodeId> roots = all_nodes(levels[0]);
  const Plan uniform = make_plan(roots, levels, {.mix = 1});
  for (const Mixing mixing : kAll) {
    const Plan whole = make_plan(roots, levels, {.mix = 0, .mixing = mixing, .batch_order = kSequential});
    EXPECT_EQ(num_changes(whole.roots(), levels[0]), 63U) << name_of(mixing);
    const Plan mixed = make_plan(roots, levels, {.mix = 1, .mixing = mixing});
    EXPECT_THAT(mixed.roots(), ElementsAreArray(uniform.roots())) << name_of(mixing);
  }
}

TEST(Mixing, NestedRunsAreMadeOfNeighboursAtTheCoarserLevels) {
  const auto levels = nested_levels();
  const std::vector<NodeId> roots = all_nodes(levels[0]);
  PlanOptions options{.mix = 0, .mixing = Mixing::nested, .batch_order = kSequential};
  std::set<std::vector<std::int32_t>> seen;
  for (options.epoch = 0; options.epoch < 5; ++options.epoch) {
    const Plan plan = make_plan(roots, levels, options);
    EXPECT_EQ(num_changes(plan.roots(), levels[1]), 15U);
    EXPECT_EQ(num_changes(plan.roots(), levels[2]), 3U);
    std::vector<std::int32_t> order;
    for (const NodeId v : plan.roots()) order.push_back(levels[0].community_of(v));
    seen.insert(order);
  }
  EXPECT_EQ(seen.size(), 5U) << "every epoch has an order of its own";
  options.mixing = Mixing::communities;
  EXPECT_GT(num_changes(make_plan(roots, levels, options).roots(), levels[1]), 40U);
}

TEST(Mixing, NestedOrdersTheCommunitiesOfAGroupUniformly) {
  // Levels {0}{1} | {2}{3}: 2! orders of the pairs, 2! inside each.
  std::vector<Communities> levels;
  levels.emplace_back(std::vector<EdgeOffset>{0, 1, 2, 3, 4}, 4, "test");
  levels.emplace_back(std::vector<EdgeOffset>{0, 2, 4}, 4, "test");
  std::map<std::vector<NodeId>, std::int64_t> orders;
  for (std::int32_t epoch = 0; epoch < 8000; ++epoch) {
    const Plan plan =
        make_plan(all_nodes(levels[0]), levels,
                  {.mix = 0, .mixing = Mixing::nested, .batch_order = kSequential, .epoch = epoch});
    ++orders[{plan.roots().begin(), plan.roots().end()}];
  }
  std::vector<std::int64_t> counts;
  for (const auto& [order, count] : orders) counts.push_back(count);
  ASSERT_EQ(counts.size(), 8U);
  EXPECT_LT(test::chi_square_z(counts), 4);
}

/// Roots of each run, told apart by a batch a run.
std::vector<std::size_t> run_sizes(const std::vector<Communities>& levels, PlanOptions options) {
  options.is_batch_per_run = true;
  options.batch_order = kSequential;
  const Plan plan = make_plan(all_nodes(levels[0]), levels, options);
  std::vector<std::size_t> sizes;
  for (std::size_t i = 0; i < plan.size(); ++i) sizes.push_back(plan[i].size());
  return sizes;
}

TEST(Mixing, BalancedRunsDifferByLessThanACommunity) {
  const auto levels = nested_levels();
  const double target = levels[0].num_nodes() / 8.0;
  for (std::int32_t epoch = 0; epoch < 20; ++epoch) {
    const auto sizes = run_sizes(levels, {.mix = 0.125, .mixing = Mixing::balanced, .epoch = epoch});
    ASSERT_EQ(sizes.size(), 8U);
    for (const std::size_t size : sizes) ASSERT_NEAR(static_cast<double>(size), target, 18);
  }
  const auto by_count = run_sizes(levels, {.mix = 0.125, .mixing = Mixing::communities});
  const auto [low, high] = std::minmax_element(by_count.begin(), by_count.end());
  EXPECT_GT(*high - *low, 18U) << "as many communities are not as many roots";
}

TEST(Mixing, BalancedRunsHoldWholeCommunities) {
  const auto levels = nested_levels();
  const Plan plan = make_plan(all_nodes(levels[0]), levels,
                              {.mix = 0.2, .mixing = Mixing::balanced, .is_batch_per_run = true});
  std::map<std::int32_t, std::size_t> run_of;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    for (const NodeId v : plan[i]) {
      const auto [entry, is_new] = run_of.emplace(levels[0].community_of(v), i);
      ASSERT_EQ(entry->second, i);
    }
  }
}

TEST(Mixing, LeakyMovesTheSaidShareOfTheRootsAndNoMore) {
  const auto levels = nested_levels();
  const std::vector<NodeId> roots = all_nodes(levels[0]);
  PlanOptions options{.mix = 0, .mixing = Mixing::leaky, .batch_order = kSequential};
  const Plan still = make_plan(roots, levels, options);
  options.mix = 0.25;
  const Plan leaky = make_plan(roots, levels, options);
  std::size_t moved = 0;
  for (std::size_t i = 0; i < roots.size(); ++i) moved += still.roots()[i] != leaky.roots()[i] ? 1 : 0;
  const std::size_t share = roots.size() / 4;
  EXPECT_LE(moved, share + 1);
  EXPECT_GE(moved, share - 6) << "of a random permutation about one stays in place";
}

// Each place is taken by each root alike: place 0 of 12 roots over many epochs, in four communities.
TEST(Mixing, PutsEveryRootAtEveryPlaceAlike) {
  std::vector<Communities> levels;
  levels.emplace_back(std::vector<EdgeOffset>{0, 3, 6, 9, 12}, 12, "test");
  levels.emplace_back(std::vector<EdgeOffset>{0, 6, 12}, 12, "test");
  for (const Mixing mixing : kAll) {
    for (const std::size_t place : {0, 5, 11}) {
      std::vector<std::int64_t> counts(12);
      for (std::int32_t epoch = 0; epoch < 12'000; ++epoch) {
        const Plan plan = make_plan(all_nodes(levels[0]), levels,
                                    {.batch_size = 4, .mix = 0.5, .mixing = mixing, .epoch = epoch});
        ++counts[static_cast<std::size_t>(plan.roots()[place])];
      }
      EXPECT_LT(test::chi_square_z(counts), 4) << name_of(mixing) << ' ' << place;
      EXPECT_GT(test::chi_square_z(counts), -4) << name_of(mixing) << ' ' << place;
    }
  }
}

TEST(Mixing, ABatchPerRunIsTheRun) {
  const auto levels = nested_levels();
  const Plan plan = make_plan(all_nodes(levels[0]), levels, {.group = 5, .is_batch_per_run = true});
  ASSERT_EQ(plan.size(), 13U);  // 64 / 5, the short one last
  for (std::size_t i = 0; i < plan.size(); ++i) {
    std::set<std::int32_t> communities;
    for (const NodeId v : plan[i]) communities.insert(levels[0].community_of(v));
    EXPECT_EQ(communities.size(), i + 1 < plan.size() ? 5U : 4U);
  }
  EXPECT_EQ(
      make_plan(all_nodes(levels[0]), levels, {.group = 5, .is_batch_per_run = true, .drop_last = true}).size(),
      12U);
}

std::string message_of(const PlanOptions& options) {
  const Communities communities(10);
  try {
    make_plan(std::vector<NodeId>{0, 1, 2}, communities, options);
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return "no error";
}

TEST(Mixing, RefusesWhatCannotBeMixed) {
  EXPECT_EQ(message_of({.mixing = Mixing::nested}),
            "make_plan: mixing nested needs a coarser level of communities, got the coarsest one");
  EXPECT_EQ(message_of({.mixing = Mixing::leaky, .is_batch_per_run = true}),
            "make_plan: mixing leaky splits communities, a batch of the sampler cluster is made of whole ones");
}

}  // namespace
}  // namespace kith
