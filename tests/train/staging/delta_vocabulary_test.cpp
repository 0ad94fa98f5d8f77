#include "train/staging/delta_vocabulary.h"

#include <gtest/gtest.h>

#include "graph/errors.h"

namespace kith {
namespace {

TEST(DeltaVocabulary, NumbersTheMostFrequentDeltasFirst) {
  const std::vector<PageId> deltas{7, 1, 1, -3, 1, -3, 9, -2, 2};
  const DeltaVocabulary vocabulary(deltas, 5);
  EXPECT_EQ(vocabulary.size(), 5);
  EXPECT_EQ(vocabulary.token(1), 1);
  EXPECT_EQ(vocabulary.token(-3), 2);
  EXPECT_EQ(vocabulary.token(2), 3);  // of equals the nearer one, then the one ahead
  EXPECT_EQ(vocabulary.token(-2), 4);
  EXPECT_EQ(vocabulary.token(7), DeltaVocabulary::kRest);
  EXPECT_EQ(vocabulary.token(1000), DeltaVocabulary::kRest);
  for (std::int32_t token = 1; token < 5; ++token) EXPECT_EQ(vocabulary.token(vocabulary.delta(token)), token);
}

TEST(DeltaVocabulary, MayHoldNothingButTheRest) {
  EXPECT_EQ(DeltaVocabulary({}, 9).size(), 1);
  EXPECT_EQ(DeltaVocabulary(std::vector<PageId>{1, 2}, 1).size(), 1);
  EXPECT_EQ(DeltaVocabulary().size(), 0);
  EXPECT_THROW(DeltaVocabulary({}, 0), InvalidArgument);
}

}  // namespace
}  // namespace kith
