// Unbiased weights: whatever p_intra is, the weighted sum of what was drawn is, on average, the mean over the
// whole row.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "graph/errors.h"
#include "tests/sampler/law.h"
#include "tests/sampler/sampled_row.h"
#include "tests/sampler/wrong_samplers.h"

namespace kith {
namespace {

using test::Draw;
using test::Row;
using test::Verdict;

/// The deviation that a test has to notice; the two classes' means are 2 apart.
constexpr double kDeviation = 0.1;

/// Both classes, a single neighbour inside or outside, and rows with one class alone.
const std::vector<Row> kRows = {{.degree = 12, .inside_begin = 3, .num_inside = 6},
                                {.degree = 12, .num_inside = 2},
                                {.degree = 12, .inside_begin = 2, .num_inside = 10},
                                {.degree = 7, .inside_begin = 6, .num_inside = 1},
                                {.degree = 8},
                                {.degree = 8, .num_inside = 8},
                                {.degree = 2, .num_inside = 1}};

using Values = std::vector<double>;  // [degree]

/// 1 inside and -1 outside, give or take a half.
Values mixed_values(const Row& row) {
  Values values;
  for (std::int32_t i = 0; i < row.degree; ++i)
    values.push_back((row.is_inside(i) ? 1 : -1) + i * 5 % 11 / 10.0 - 0.5);
  return values;
}

/// The mean over many trials against the mean over the row, in standard errors.
Verdict mean_over_trials(const Draw& draw, const Values& values, std::int64_t num_trials) {
  double sum = 0, squares = 0;
  for (std::int64_t trial = 0; trial < num_trials; ++trial) {
    const test::Drawn drawn = draw(trial);
    double estimate = 0;
    for (std::size_t i = 0; i < drawn.positions.size(); ++i) {
      const double weight =
          drawn.weights.empty() ? 1.0 / static_cast<double>(drawn.positions.size()) : drawn.weights[i];
      estimate += weight * values[static_cast<std::size_t>(drawn.positions[i])];
    }
    sum += estimate;
    squares += estimate * estimate;
  }
  const auto trials = static_cast<double>(num_trials);
  const double mean = sum / trials;
  const double whole = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  // Never less than what rounding does to the weights: a row that is taken whole has no other error.
  const double error = std::max(std::sqrt(std::max(0.0, squares / trials - mean * mean) / trials), 1e-6);
  return test::normal_verdict((mean - whole) / error, kDeviation / error);
}

struct Case {
  SamplerOptions options;
  Row row;

  std::int32_t fanout() const { return options.fanouts.front(); }
  std::int64_t num_trials() const { return fanout() == 1 ? 20'000 : 5'000; }  // one draw has the largest spread
  std::string name() const {
    return concat(name_of(options.kind), ", fanout ", fanout(), ", p ", options.p_intra, ", replacement ",
                  options.with_replacement, ", ", row.num_inside, " of ", row.degree, " inside");
  }
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const double p : {0.5, 0.7, 0.9, 1.0}) {
    for (const std::int32_t fanout : {1, 2, 5}) {
      if (p == 1 && fanout == 1) continue;  // refused: one draw cannot stand for both classes
      for (const Row& row : kRows) {
        const SamplerOptions options{.fanouts = {fanout}, .p_intra = p, .is_unbiased = true, .seed = 41};
        cases.push_back({options, row});
        cases.push_back({options, row});
        cases.back().options.with_replacement = true;
        cases.push_back({options, row});
        cases.back().options.kind = SamplerKind::labor;
      }
    }
  }
  return cases;
}

TEST(UnbiasedLaw, TheWeightedSumHasTheMeanOfTheRow) {
  for (const Case& c : all_cases()) {
    const Draw draw = test::sampled(c.row, c.options);
    EXPECT_TRUE(obeys(mean_over_trials(draw, mixed_values(c.row), c.num_trials()))) << c.name();
  }
}

TEST(UnbiasedLaw, WeightsSumToOneAndWithOneDrawTheyDoOnAverage) {
  for (const Case& c : all_cases()) {
    const Draw draw = test::sampled(c.row, c.options);
    if (c.fanout() == 1) {
      const Values ones(static_cast<std::size_t>(c.row.degree), 1.0);
      EXPECT_TRUE(obeys(mean_over_trials(draw, ones, c.num_trials()))) << c.name();
      continue;
    }
    for (std::int64_t trial = 0; trial < 100; ++trial) {
      const auto weights = draw(trial).weights;
      ASSERT_NEAR(std::accumulate(weights.begin(), weights.end(), 0.0), 1, 1e-6) << c.name();
    }
  }
}

TEST(UnbiasedLaw, CatchesAPlainMeanOfBiasedDraws) {
  for (const Case& c : all_cases()) {
    if (c.options.p_intra < 0.9 || c.row.num_inside % c.row.degree == 0) continue;
    if (c.fanout() >= c.row.degree) continue;  // the whole row, without replacement
    SamplerOptions biased = c.options;
    biased.is_unbiased = false;
    EXPECT_TRUE(is_caught(mean_over_trials(test::sampled(c.row, biased), mixed_values(c.row), c.num_trials())))
        << c.name();
  }
}

// The draws of unbiased sampling are biased too: that each class has one at least changes little of that.
TEST(UnbiasedLaw, CatchesWeightsThatAreLeftOut) {
  const Row row = kRows[2];
  const SamplerOptions options{.fanouts = {5}, .p_intra = 0.5, .is_unbiased = true, .seed = 42};
  const Draw draw = test::sampled(row, options);
  EXPECT_TRUE(obeys(mean_over_trials(draw, mixed_values(row), 5'000)));
  EXPECT_TRUE(is_caught(mean_over_trials(test::wrong::unweighted(draw), mixed_values(row), 5'000)));
}

}  // namespace
}  // namespace kith
