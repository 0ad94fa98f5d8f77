// How several processes share one epoch.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "graph/errors.h"
#include "sampler/plan.h"
#include "tests/sampler/random_graphs.h"

namespace kith {
namespace {

using testing::UnorderedElementsAreArray;

std::vector<NodeId> first_nodes(NodeId count) {
  std::vector<NodeId> nodes(static_cast<std::size_t>(count));
  std::iota(nodes.begin(), nodes.end(), 0);
  return nodes;
}

std::vector<Plan> plans_of(NodeId num_roots, const Communities& communities, PlanOptions options) {
  std::vector<Plan> plans;
  for (options.rank = 0; options.rank < options.world_size; ++options.rank) {
    plans.push_back(make_plan(first_nodes(num_roots), communities, options));
  }
  return plans;
}

TEST(PlanRanks, GetEquallyManyBatchesAndEveryRootOnce) {
  const Communities communities = test::equal_communities(1000, 30);
  for (const std::int32_t world_size : {1, 2, 3, 4, 7}) {
    for (const NodeId num_roots : {7, 8, 63, 64, 65, 128, 129, 501, 1000}) {
      for (const std::int32_t batch_size : {1, 8, 64, 5000}) {
        for (const double mix : {0.0, 0.3, 1.0}) {
          std::vector<NodeId> visited;
          std::set<std::size_t> counts;
          std::set<std::int64_t> ids;
          for (const Plan& plan : plans_of(num_roots, communities,
                                           {.batch_size = batch_size, .mix = mix, .world_size = world_size})) {
            counts.insert(plan.size());
            for (std::size_t i = 0; i < plan.size(); ++i) {
              ASSERT_GT(plan[i].size(), 0U) << "an empty batch has no loss";
              ASSERT_LE(plan[i].size(), static_cast<std::size_t>(batch_size) + 1);
              ASSERT_TRUE(ids.insert(plan.id(i)).second) << "an id comes twice";
              visited.insert(visited.end(), plan[i].begin(), plan[i].end());
            }
          }
          ASSERT_EQ(counts.size(), 1U) << world_size << ' ' << num_roots << ' ' << batch_size;
          ASSERT_THAT(visited, UnorderedElementsAreArray(first_nodes(num_roots)));
        }
      }
    }
  }
}

TEST(PlanRanks, TogetherHaveTheBatchesOfOneRank) {
  const Communities communities = test::equal_communities(1200, 30);
  const PlanOptions options{.batch_size = 50, .mix = 0.1, .seed = 3, .epoch = 2};
  std::map<std::int64_t, std::vector<NodeId>> one, all;
  const Plan alone = make_plan(first_nodes(1200), communities, options);
  for (std::size_t i = 0; i < alone.size(); ++i) one[alone.id(i)] = {alone[i].begin(), alone[i].end()};
  PlanOptions shared = options;
  shared.world_size = 4;
  for (const Plan& plan : plans_of(1200, communities, shared)) {
    for (std::size_t i = 0; i < plan.size(); ++i) all[plan.id(i)] = {plan[i].begin(), plan[i].end()};
  }
  EXPECT_EQ(one, all);
}

TEST(PlanRanks, KeepSuperCommunitiesWhole) {
  // 40 communities of 30 nodes in runs of 5 are 8 super-communities, two a rank.
  const Communities communities = test::equal_communities(1200, 30);
  std::map<std::int32_t, std::set<int>> ranks_of;
  int rank = 0;
  for (const Plan& plan :
       plans_of(1200, communities, {.batch_size = 50, .group = 5, .seed = 1, .world_size = 4})) {
    for (const NodeId root : plan.roots()) ranks_of[communities.community_of(root)].insert(rank);
    ++rank;
  }
  for (const auto& [community, ranks] : ranks_of) EXPECT_EQ(ranks.size(), 1U) << community;
}

TEST(PlanRanks, ShuffleTheirBatchesApart) {
  const Communities communities = test::equal_communities(1200, 30);
  const auto plans = plans_of(1200, communities, {.batch_size = 10, .mix = 0, .world_size = 2});
  std::vector<std::int64_t> first, second;
  for (std::size_t i = 0; i < plans[0].size(); ++i) {
    first.push_back(plans[0].id(i));
    second.push_back(plans[1].id(i) - static_cast<std::int64_t>(plans[0].size()));
  }
  EXPECT_NE(first, second);
  EXPECT_FALSE(std::is_sorted(first.begin(), first.end()));
}

TEST(PlanRanks, DropTheRestTogether) {
  const Communities communities = test::equal_communities(1000, 30);
  for (const Plan& plan : plans_of(1000, communities, {.batch_size = 64, .drop_last = true, .world_size = 4})) {
    EXPECT_EQ(plan.size(), 3U);  // 15 full batches
    for (std::size_t i = 0; i < plan.size(); ++i) EXPECT_EQ(plan[i].size(), 64U);
  }
}

TEST(PlanRanks, RefuseRanksOutOfRangeAndFewerRootsThanRanks) {
  const Communities communities(10);
  const auto message_of = [&](const PlanOptions& options, NodeId num_roots) -> std::string {
    try {
      make_plan(first_nodes(num_roots), communities, options);
    } catch (const InvalidArgument& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message_of({.rank = 2, .world_size = 2}, 5), "make_plan: rank must be in [0, 2), got 2");
  EXPECT_EQ(message_of({.rank = -1, .world_size = 2}, 5), "make_plan: rank must be in [0, 2), got -1");
  EXPECT_EQ(message_of({.world_size = 0}, 5), "make_plan: world_size must be > 0, got 0");
  EXPECT_EQ(message_of({.world_size = 6}, 5), "make_plan: expected at least one root a rank (6), got 5");
}

}  // namespace
}  // namespace kith
