#include "sampler/rng.h"

#include <Random123/philox.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "tests/sampler/chi_square.h"

namespace kith {
namespace {

using testing::ElementsAre;

std::vector<std::uint32_t> take(Rng rng, int count) {
  std::vector<std::uint32_t> words;
  for (int i = 0; i < count; ++i) words.push_back(rng.next32());
  return words;
}

// The answer vectors that come with Random123 (kat_vectors, philox4x32 10), where the first counter word is 0.
TEST(Rng, GivesThePublishedPhiloxWordsForZeroes) {
  EXPECT_THAT(take(Rng(0, 0, 0, 0, std::uint8_t{0}), 4),
              ElementsAre(0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U));
}

TEST(Rng, GivesThePublishedPhiloxWordsForOtherCounters) {
  EXPECT_THAT(philox({~0U, ~0U, ~0U, ~0U}, {~0U, ~0U}),
              ElementsAre(0x408f276dU, 0x41c83b0eU, 0xa20bc7c6U, 0x6d5451fdU));
  static_assert(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0})[0] ==
                0xd16cfe09);
}

TEST(Rng, LaysSeedAndCounterOutAsDocumented) {
  r123::Philox4x32::ctr_type counter{{0, 11, 22, (33U << 8) | 44U}};
  const r123::Philox4x32::key_type key{{0x89abcdefU, 0x01234567U}};
  std::vector<std::uint32_t> expected;
  for (; counter[0] < 3; ++counter[0]) {
    const auto block = r123::Philox4x32()(counter, key);
    expected.insert(expected.end(), block.begin(), block.end());
  }
  EXPECT_EQ(take(Rng(0x0123456789abcdefU, 11, 22, 33, std::uint8_t{44}), 12), expected);
}

TEST(Rng, GivesEveryPlaceAStreamOfItsOwn) {
  std::set<std::vector<std::uint32_t>> streams;
  for (std::uint64_t seed : {0ULL, 1ULL, 1ULL << 32}) {
    for (std::uint32_t node : {0U, 1U}) {
      for (std::uint32_t batch : {0U, 1U}) {
        for (std::int32_t epoch : {0, 1, kMaxEpoch}) {
          for (std::uint8_t purpose : {0, 1, 128})
            streams.insert(take(Rng(seed, node, batch, epoch, purpose), 4));
        }
      }
    }
  }
  EXPECT_EQ(streams.size(), 3U * 2 * 2 * 3 * 3);
}

TEST(Rng, JoinsTwoWordsLowFirst) {
  Rng words(5, 0, 0, 0, std::uint8_t{0});
  Rng rng = words;
  const std::uint64_t low = words.next32();
  const std::uint64_t high = words.next32();
  EXPECT_EQ(rng.next64(), high << 32 | low);
}

TEST(Rng, DrawsSmallBoundsUniformly) {
  for (const std::uint32_t bound : {2U, 3U, 7U, 100U}) {
    Rng rng(1, bound, 0, 0, std::uint8_t{0});
    std::vector<std::int64_t> counts32(bound), counts64(bound);
    for (int i = 0; i < 100'000; ++i) {
      ++counts32.at(rng.bounded32(bound));
      ++counts64.at(rng.bounded64(bound));
    }
    EXPECT_LT(test::chi_square_z(counts32), 4) << bound;
    EXPECT_LT(test::chi_square_z(counts64), 4) << bound;
  }
}

// With 3 * 2^30 values, a multiply without rejection gives every third value twice the chance of the others.
TEST(Rng, DrawsLargeBoundsWithoutTheBiasOfAPlainMultiply) {
  constexpr std::uint32_t kBound = 3U << 30;
  Rng rng(2, 0, 0, 0, std::uint8_t{0});
  std::vector<std::int64_t> counts32(3), counts64(3);
  for (int i = 0; i < 100'000; ++i) {
    ++counts32.at(rng.bounded32(kBound) % 3);
    ++counts64.at(rng.bounded64(std::uint64_t{kBound} << 32) % 3);
  }
  EXPECT_LT(test::chi_square_z(counts32), 4);
  EXPECT_LT(test::chi_square_z(counts64), 4);
}

TEST(Rng, ABoundOfOneIsZero) {
  Rng rng(3, 0, 0, 0, std::uint8_t{0});
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(rng.bounded32(1), 0U);
    ASSERT_EQ(rng.bounded64(1), 0U);
  }
}

TEST(Rng, ChanceHasTheSaidProbabilityForSmallAndLargeTotals) {
  struct Case {
    std::uint64_t share, total;
  };
  const std::uint64_t large = std::uint64_t{1} << 60;  // past 64-bit products
  for (const Case& c : {Case{1, 3}, Case{2, 3}, Case{1, 65'537}, Case{65'536, 65'537}, Case{large / 3, large},
                        Case{large / 3 * 2 / 65'536, large / 65'536}}) {
    Rng rng(5, 0, 0, 0, std::uint8_t{0});
    constexpr int kTrials = 200'000;
    std::int64_t hits = 0;
    for (int i = 0; i < kTrials; ++i) hits += rng.chance(c.share, c.total) ? 1 : 0;
    const double p = static_cast<double>(c.share) / static_cast<double>(c.total);
    const double z = (static_cast<double>(hits) - kTrials * p) / std::sqrt(kTrials * p * (1 - p));
    EXPECT_LT(std::abs(z), 4) << c.share << " of " << c.total;
  }
}

TEST(Rng, ChanceIsCertainAtItsEnds) {
  Rng rng(6, 0, 0, 0, std::uint8_t{0});
  for (const std::uint64_t total : {std::uint64_t{1}, std::uint64_t{65'536}, std::uint64_t{1} << 61}) {
    for (int i = 0; i < 1000; ++i) {
      ASSERT_FALSE(rng.chance(0, total));
      ASSERT_TRUE(rng.chance(total, total));
    }
  }
}

// The first 16 bits decide unless they tie: then, and only then, another 16 are read.
TEST(Rng, ChanceReadsOnWhereTheFirstDigitTies) {
  // 1 / (3 * 2^16): true needs a first digit of 0, and of those a third.
  Rng rng(7, 0, 0, 0, std::uint8_t{0});
  const std::uint64_t total = 3 * 65'536;
  std::int64_t hits = 0;
  constexpr int kTrials = 20'000'000;
  for (int i = 0; i < kTrials; ++i) hits += rng.chance(1, total) ? 1 : 0;
  const double mean = static_cast<double>(kTrials) / static_cast<double>(total);  // 102
  EXPECT_LT(std::abs(static_cast<double>(hits) - mean), 4 * std::sqrt(mean));
}

TEST(Shuffle, GivesEveryOrderOfFourTheSameChance) {
  std::vector<std::int64_t> counts(256);
  for (std::uint32_t i = 0; i < 48'000; ++i) {
    Rng rng(4, i, 0, Purpose::root_order);
    std::vector<std::size_t> order = {0, 1, 2, 3};
    shuffle(std::span(order), rng);
    ++counts.at(order[0] + 4 * order[1] + 16 * order[2] + 64 * order[3]);
  }
  std::erase(counts, 0);
  ASSERT_EQ(counts.size(), 24U);
  EXPECT_LT(test::chi_square_z(counts), 4);
}

}  // namespace
}  // namespace kith
