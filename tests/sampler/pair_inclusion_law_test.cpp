// Draws without replacement, two neighbours at a time: that each has its chance does not make them a random
// subset.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/sampler/law.h"
#include "tests/sampler/sampled_row.h"
#include "tests/sampler/wrong_samplers.h"

namespace kith {
namespace {

using test::Draw;
using test::Row;
using test::Verdict;

/// The deviation that a test has to notice: half of the pairs are drawn that much more often than the others.
constexpr double kDeviation = 0.02;

/// Chance that m given ones of n are all among k drawn.
double joint_chance(int n, int k, int m) {
  double chance = 1;
  for (int i = 0; i < m; ++i) chance *= static_cast<double>(k - i) / (n - i);
  return chance;
}

/// How often each pair of [0, size) was drawn together.
class PairCounts {
 public:
  explicit PairCounts(std::int32_t size) : size_(size), counts_(static_cast<std::size_t>(size) * size) {}

  void add(std::span<const std::int32_t> drawn) {
    for (const std::int32_t i : drawn) {
      for (const std::int32_t j : drawn) counts_[static_cast<std::size_t>(i) * size_ + j] += i < j ? 1 : 0;
    }
  }
  double operator()(std::int32_t i, std::int32_t j) const {
    return static_cast<double>(counts_[static_cast<std::size_t>(std::min(i, j)) * size_ + std::max(i, j)]);
  }

 private:
  std::int32_t size_;
  std::vector<std::int64_t> counts_;
};

/// Pairs that share a neighbour are correlated. Once the part that the single neighbours explain is taken out,
/// pair counts vary by `variance` in every direction: P(2) - 2 P(3) + P(4), with P(m) the chance of m given
/// ones, summed over trials (the eigenvalue of the Johnson scheme that belongs to pairs).
double pair_chi_square(const PairCounts& counts, std::int32_t size, double variance) {
  std::vector<double> of(static_cast<std::size_t>(size));
  double total = 0;
  for (std::int32_t i = 0; i < size; ++i) {
    for (std::int32_t j = 0; j < size; ++j) of[i] += i == j ? 0 : counts(i, j);
    total += of[i] / 2;
  }
  const double mean = total / (size * (size - 1) / 2.0);
  double sum = 0;
  for (std::int32_t i = 0; i < size; ++i) {
    for (std::int32_t j = i + 1; j < size; ++j) {
      const double single = (of[i] + of[j] - 2 * (size - 1) * mean) / (size - 2);
      sum += std::pow(counts(i, j) - mean - single, 2);
    }
  }
  return sum / variance;
}

Verdict pair_inclusion(const Draw& draw, std::int32_t degree, std::int32_t fanout, std::int64_t num_trials) {
  PairCounts counts(degree);
  for (std::int64_t trial = 0; trial < num_trials; ++trial) counts.add(draw(trial).positions);
  const auto trials = static_cast<double>(num_trials);
  const double chance = joint_chance(degree, fanout, 2);  // k (k - 1) / (d (d - 1))
  const double variance =
      trials * (chance - 2 * joint_chance(degree, fanout, 3) + joint_chance(degree, fanout, 4));
  const double num_pairs = degree * (degree - 1) / 2.0;
  return test::chi_square_verdict(pair_chi_square(counts, degree, variance), degree * (degree - 3) / 2.0,
                                  num_pairs * std::pow(trials * chance * kDeviation, 2) / variance);
}

TEST(PairInclusionLaw, EveryPairIsDrawnAlike) {
  struct Case {
    std::int32_t degree, fanout;
    std::int64_t num_trials;
  };
  for (const SamplerKind kind : {SamplerKind::neighbor, SamplerKind::labor}) {
    for (const Case& c : {Case{7, 3, 40'000}, Case{16, 6, 20'000}, Case{101, 70, 1000}, Case{150, 75, 500}}) {
      const Row row{.degree = c.degree, .inside_begin = 2, .num_inside = 3};
      const Draw draw = test::sampled(row, {.kind = kind, .fanouts = {c.fanout}, .p_intra = 0.5, .seed = 12});
      EXPECT_TRUE(obeys(pair_inclusion(draw, c.degree, c.fanout, c.num_trials)))
          << name_of(kind) << ' ' << c.degree << ' ' << c.fanout;
    }
  }
}

TEST(PairInclusionLaw, CatchesConsecutiveNeighboursWhoseSingleChancesAreRight) {
  constexpr std::int32_t kDegree = 16, kFanout = 6;
  constexpr std::int64_t kTrials = 20'000;
  const Row row{.degree = kDegree};
  std::vector<std::int64_t> counts(kDegree);
  const Draw draw = test::wrong::consecutive(row, kFanout);
  for (std::int64_t trial = 0; trial < kTrials; ++trial) {
    for (const std::int32_t position : draw(trial).positions) ++counts[static_cast<std::size_t>(position)];
  }
  const double chance = static_cast<double>(kFanout) / kDegree;
  for (const std::int64_t count : counts) {
    const double z =
        (static_cast<double>(count) - kTrials * chance) / std::sqrt(kTrials * chance * (1 - chance));
    EXPECT_LT(std::abs(z), test::kAlarmZ);
  }
  EXPECT_TRUE(is_caught(pair_inclusion(test::wrong::consecutive(row, kFanout), kDegree, kFanout, kTrials)));
}

// Every subset, not only every pair: 3 of 6 are 20 subsets.
TEST(PairInclusionLaw, EverySubsetIsDrawnAlike) {
  const Row row{.degree = 6, .inside_begin = 1, .num_inside = 2};
  const Draw draw = test::sampled(row, {.fanouts = {3}, .p_intra = 0.5, .seed = 14});
  std::vector<std::int64_t> of_subset(64);
  for (std::int64_t trial = 0; trial < 20'000; ++trial) {
    std::size_t subset = 0;
    for (const std::int32_t position : draw(trial).positions) subset |= std::size_t{1} << position;
    ++of_subset[subset];
  }
  std::erase(of_subset, 0);
  ASSERT_EQ(of_subset.size(), 20U);
  EXPECT_TRUE(obeys(test::chi_square_verdict(test::chi_square(of_subset), 19, 20'000 * 0.1 * 0.1)))
      << "half of the subsets 10 % more often";
}

// Of a biased draw the pairs inside the community: given how many fall inside, they are a random subset of it.
TEST(PairInclusionLaw, PairsInsideTheCommunityAreDrawnAlikeInABiasedDraw) {
  constexpr std::int32_t kFanout = 8;
  constexpr std::int64_t kTrials = 20'000;
  const Row row{.degree = 30, .inside_begin = 6, .num_inside = 10};
  for (const SamplerKind kind : {SamplerKind::neighbor, SamplerKind::labor}) {
    const Draw draw = test::sampled(row, {.kind = kind, .fanouts = {kFanout}, .p_intra = 0.7, .seed = 13});
    PairCounts counts(row.num_inside);
    std::vector<std::int32_t> inside;
    double variance = 0, num_drawn_pairs = 0;
    for (std::int64_t trial = 0; trial < kTrials; ++trial) {
      inside.clear();
      for (const std::int32_t position : draw(trial).positions) {
        if (row.is_inside(position)) inside.push_back(position - row.inside_begin);
      }
      counts.add(inside);
      const auto count = static_cast<int>(inside.size());
      num_drawn_pairs += count * (count - 1) / 2.0;
      variance += joint_chance(row.num_inside, count, 2) - 2 * joint_chance(row.num_inside, count, 3) +
                  joint_chance(row.num_inside, count, 4);
    }
    const double num_pairs = row.num_inside * (row.num_inside - 1) / 2.0;
    const double noncentrality = num_pairs * std::pow(num_drawn_pairs / num_pairs * kDeviation, 2) / variance;
    EXPECT_TRUE(obeys(test::chi_square_verdict(pair_chi_square(counts, row.num_inside, variance),
                                               row.num_inside * (row.num_inside - 3) / 2.0, noncentrality)))
        << name_of(kind);
  }
}

}  // namespace
}  // namespace kith
