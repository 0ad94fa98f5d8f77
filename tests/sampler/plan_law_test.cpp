// The orders of a plan are uniform: of the communities, of the batches and of the roots. That every root comes
// at every place alike, in every mixing, is in plan_mixing_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <random>
#include <vector>

#include "sampler/plan.h"
#include "tests/sampler/law.h"
#include "tests/sampler/wrong_samplers.h"

namespace kith {
namespace {

using test::Verdict;
using test::wrong::Order;

constexpr BatchOrder kSequential{.kind = BatchOrder::Kind::sequential};

/// The order of `size` things in one epoch.
using OrderOf = std::function<Order(std::int32_t epoch)>;

OrderOf wrong_order(Order (*shuffle)(std::int32_t, std::mt19937_64&), std::int32_t size) {
  return [=, bits = std::mt19937_64(1)](std::int32_t) mutable { return shuffle(size, bits); };
}

/// All orders alike. The deviation: half of them come 10 % more often than the others.
Verdict all_orders_alike(const OrderOf& order_of, std::size_t num_orders) {
  constexpr std::int32_t kEpochs = 12'000;
  std::map<Order, std::int64_t> found;
  for (std::int32_t epoch = 0; epoch < kEpochs; ++epoch) ++found[order_of(epoch)];
  EXPECT_LE(found.size(), num_orders);
  std::vector<std::int64_t> counts;
  for (const auto& [order, count] : found) counts.push_back(count);
  counts.resize(std::max(counts.size(), num_orders));  // orders that never come
  return test::chi_square_verdict(test::chi_square(counts), static_cast<double>(num_orders) - 1,
                                  kEpochs * 0.1 * 0.1);
}

/// Neighbours in the order that ascend: half of them, with the variance (n + 1) / 12, in a uniform order of n.
/// The deviation: 1 % more or less.
Verdict ascents(const OrderOf& order_of, std::int32_t size) {
  constexpr std::int32_t kEpochs = 16;
  std::int64_t found = 0;
  for (std::int32_t epoch = 0; epoch < kEpochs; ++epoch) {
    const Order order = order_of(epoch);
    for (std::size_t i = 1; i < order.size(); ++i) found += order[i - 1] < order[i] ? 1 : 0;
  }
  const double mean = kEpochs * (size - 1) / 2.0;
  const double error = std::sqrt(kEpochs * (size + 1) / 12.0);
  return test::normal_verdict((static_cast<double>(found) - mean) / error, 0.01 * mean / error);
}

/// What two orders have at the same place: one thing on average, with variance one, if they are independent.
/// The deviation: one epoch in ten repeats the one before.
Verdict agreement(const std::function<std::pair<Order, Order>(std::int32_t)>& orders_of, std::int32_t size) {
  constexpr std::int32_t kEpochs = 2000;
  double found = 0;
  for (std::int32_t epoch = 0; epoch < kEpochs; ++epoch) {
    const auto [one, other] = orders_of(epoch);
    for (std::size_t i = 0; i < one.size(); ++i) found += one[i] == other[i] ? 1 : 0;
  }
  const double error = std::sqrt(static_cast<double>(kEpochs));
  return test::normal_verdict((found - kEpochs) / error, 0.1 * (size - 1) * kEpochs / error);
}

std::vector<NodeId> all_nodes(NodeId count) { return test::wrong::ascending(count); }

/// Four communities of three nodes, all in one at the coarser level.
std::vector<Communities> four_communities() {
  std::vector<Communities> levels;
  levels.emplace_back(std::vector<EdgeOffset>{0, 3, 6, 9, 12}, 12, "test");
  levels.emplace_back(12);
  return levels;
}

Order community_order(const Plan& plan, const Communities& communities) {
  Order order;
  for (const NodeId root : plan.roots()) {
    const std::int32_t community = communities.community_of(root);
    if (order.empty() || order.back() != community) order.push_back(community);
  }
  return order;
}

TEST(PlanLaw, OrdersTheCommunitiesUniformlyInEveryMixing) {
  const auto levels = four_communities();
  for (const Mixing mixing : {Mixing::communities, Mixing::balanced, Mixing::nested, Mixing::leaky}) {
    const OrderOf order_of = [&](std::int32_t epoch) {
      return community_order(
          make_plan(all_nodes(12), levels,
                    {.mix = 0, .mixing = mixing, .batch_order = kSequential, .epoch = epoch}),
          levels[0]);
    };
    EXPECT_TRUE(obeys(all_orders_alike(order_of, 24))) << name_of(mixing);
  }
}

/// The batches of an epoch, four of three roots, by the names they have in the order in which they are cut.
OrderOf batch_order(const BatchOrder& batch_order, std::uint64_t seed = 0) {
  return [=](std::int32_t epoch) {
    const Plan plan =
        make_plan(all_nodes(12), four_communities(),
                  {.batch_size = 3, .mix = 0.5, .batch_order = batch_order, .seed = seed, .epoch = epoch});
    Order order;
    for (std::size_t i = 0; i < plan.size(); ++i) order.push_back(static_cast<std::int32_t>(plan.id(i)));
    return order;
  };
}

TEST(PlanLaw, OrdersTheBatchesUniformlyInTheEpochOrInAWindow) {
  EXPECT_TRUE(obeys(all_orders_alike(batch_order({}), 24)));
  EXPECT_TRUE(obeys(all_orders_alike(batch_order({.kind = BatchOrder::Kind::window, .window = 2}), 4)));
  EXPECT_TRUE(obeys(all_orders_alike(batch_order({.kind = BatchOrder::Kind::window, .window = 3}), 6)));
}

OrderOf root_order(std::int32_t num_roots, std::uint64_t seed = 0, double mix = 1) {
  return [=, communities = Communities(num_roots)](std::int32_t epoch) {
    const Plan plan = make_plan(all_nodes(num_roots), communities,
                                {.mix = mix, .batch_order = kSequential, .seed = seed, .epoch = epoch});
    return Order(plan.roots().begin(), plan.roots().end());
  };
}

TEST(PlanLaw, OrdersTheRootsUniformlyAtBothEndsOfMix) {
  for (const double mix : {0.0, 1.0}) {
    EXPECT_TRUE(obeys(all_orders_alike(root_order(4, 0, mix), 24))) << mix;
    EXPECT_TRUE(obeys(ascents(root_order(60'000, 0, mix), 60'000))) << mix;
  }
}

TEST(PlanLaw, CatchesWrongShuffles) {
  EXPECT_TRUE(is_caught(all_orders_alike(wrong_order(test::wrong::never_in_place, 4), 24)));
  EXPECT_TRUE(is_caught(all_orders_alike(wrong_order(test::wrong::exchanged_with_any, 4), 24)));
  EXPECT_TRUE(is_caught(ascents(wrong_order(test::wrong::sorted_by_16_bits, 60'000), 60'000)));
}

TEST(PlanLaw, EpochsAndSeedsOrderIndependently) {
  constexpr std::int32_t kSize = 12;
  const OrderOf first = root_order(kSize, 1), second = root_order(kSize, 2);
  const auto epochs = [&](std::int32_t epoch) { return std::pair(first(epoch), first(epoch + 1)); };
  const auto seeds = [&](std::int32_t epoch) { return std::pair(first(epoch), second(epoch)); };
  const auto sums = [&](std::int32_t epoch) { return std::pair(first(epoch + 1), second(epoch)); };
  EXPECT_TRUE(obeys(agreement(epochs, kSize)));
  EXPECT_TRUE(obeys(agreement(seeds, kSize)));
  EXPECT_TRUE(obeys(agreement(sums, kSize)));
  const auto forgetful = [&](std::int32_t) { return std::pair(first(7), first(7)); };
  EXPECT_TRUE(is_caught(agreement(forgetful, kSize)));
  const OrderOf sattolo = wrong_order(test::wrong::never_in_place, kSize);
  const auto against_stored = [&](std::int32_t epoch) {
    return std::pair(sattolo(epoch), test::wrong::ascending(kSize));
  };
  EXPECT_TRUE(is_caught(agreement(against_stored, kSize))) << "nothing where it stood in the list";
}

// Which communities come together says nothing about the order of the batches that are cut from them.
TEST(PlanLaw, BatchOrderIsIndependentOfTheCommunityOrder) {
  const auto levels = four_communities();
  const auto orders = [&](std::int32_t epoch) {
    const PlanOptions cut{.batch_size = 3, .mix = 0, .batch_order = kSequential, .epoch = epoch};
    return std::pair(community_order(make_plan(all_nodes(12), levels, cut), levels[0]), batch_order({})(epoch));
  };
  EXPECT_TRUE(obeys(agreement(orders, 4)));
}

}  // namespace
}  // namespace kith
