#include "graph/communities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/errors.h"
#include "tests/support/errors.h"

namespace kith {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<Communities> levels_of(const std::vector<std::vector<EdgeOffset>>& offsets, NodeId num_nodes) {
  std::vector<Communities> levels;
  for (const auto& level : offsets) levels.emplace_back(level, num_nodes, "test");
  return levels;
}

TEST(Communities, KnowTheCommunityOfEachNode) {
  const Communities communities({0, 3, 4, 6}, 6, "test");
  EXPECT_EQ(communities.num_communities(), 3);
  EXPECT_THAT(communities.community_of(), ElementsAre(0, 0, 0, 1, 2, 2));
  EXPECT_EQ(communities.begin(1), 3);
  EXPECT_EQ(communities.end(1), 4);
  EXPECT_EQ(communities.community_of(5), 2);
}

TEST(Communities, HoldEveryNodeInOneCommunityByDefault) {
  EXPECT_THAT(Communities(3).community_of(), ElementsAre(0, 0, 0));
  EXPECT_EQ(Communities().num_communities(), 0);
  EXPECT_EQ(Communities({0}, 0, "test").num_nodes(), 0);
}

TEST(Communities, RefuseOffsetsThatDoNotCoverTheNodesOnce) {
  const auto refusal = [](std::vector<EdgeOffset> offsets) {
    return test::error_of<InvalidArgument>([&] { Communities(std::move(offsets), 4, "here"); });
  };
  for (const auto& offsets :
       std::vector<std::vector<EdgeOffset>>{{}, {0}, {0, 3}, {1, 4}, {0, 5}, {-1, 4}, {0, 4, 3}}) {
    EXPECT_THAT(refusal(offsets), HasSubstr("here: community offsets must run from 0 to 4"));
  }
  EXPECT_THAT(refusal({0, 2, 2, 4}), HasSubstr("must rise"));
  EXPECT_THAT(refusal({0, 3, 2, 4}), HasSubstr("must rise"));
  EXPECT_THAT(refusal({0, 9, 4}), HasSubstr("must rise"));
}

TEST(CheckNested, AcceptsLevelsWhoseBoundsAreAmongTheFinerOnes) {
  EXPECT_NO_THROW(check_nested(levels_of({{0, 1, 2, 4}, {0, 2, 4}, {0, 4}}, 4), "test"));
  EXPECT_NO_THROW(check_nested(levels_of({{0, 2, 4}, {0, 2, 4}}, 4), "test"));
}

TEST(CheckNested, RefusesLevelsThatCutThroughAFinerCommunity) {
  const auto levels = levels_of({{0, 2, 4}, {0, 1, 4}}, 4);
  EXPECT_THAT(test::error_of<InvalidArgument>([&] { check_nested(levels, "here"); }),
              HasSubstr("here: community level 1 cuts through communities of level 0"));
}

TEST(CheckNested, RefusesLevelsOfDifferentGraphsAndNoLevelAtAll) {
  std::vector<Communities> levels;
  EXPECT_THAT(test::error_of<InvalidArgument>([&] { check_nested(levels, "here"); }),
              HasSubstr("at least one"));
  levels.emplace_back(4);
  levels.emplace_back(5);
  EXPECT_THAT(test::error_of<InvalidArgument>([&] { check_nested(levels, "here"); }),
              HasSubstr("level 1 covers 5 nodes"));
}

}  // namespace
}  // namespace kith
