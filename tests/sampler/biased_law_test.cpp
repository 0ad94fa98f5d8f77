// Biased draws: each takes an unused neighbour in proportion to its weight, p_intra inside the community and
// 1 - p_intra outside.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "graph/errors.h"
#include "tests/sampler/class_law.h"
#include "tests/sampler/law.h"
#include "tests/sampler/sampled_row.h"
#include "tests/sampler/wrong_samplers.h"

namespace kith {
namespace {

using test::class_law;
using test::ClassLaw;
using test::Draw;
using test::fit;
using test::mean_of;
using test::Row;
using test::Verdict;

/// The deviations that a test has to notice: p_intra off by 0.03, or half of a class drawn that much more often
/// than the other half. Outside, draws are few.
constexpr double kDeviationOfP = 0.03;
constexpr double kDeviationInside = 0.05;
constexpr double kDeviationOutside = 0.15;

struct Case {
  Row row;
  std::int32_t fanout;
  std::int64_t num_trials = 40'000;
};

const std::vector<Case> kCases = {{{.degree = 8, .inside_begin = 2, .num_inside = 3}, 4},
                                  {{.degree = 8, .num_inside = 5}, 4},
                                  {{.degree = 40, .inside_begin = 7, .num_inside = 12}, 10},
                                  {{.degree = 66, .inside_begin = 60, .num_inside = 6}, 10},
                                  {{.degree = 66, .inside_begin = 3, .num_inside = 60}, 10},
                                  {{.degree = 300, .inside_begin = 80, .num_inside = 90}, 80, 5000}};

std::string name_of(const Case& c, double p) {
  return concat("p ", p, ", ", c.row.num_inside, " of ", c.row.degree, " inside, fanout ", c.fanout);
}

/// What many trials drew of a row.
struct Tally {
  std::vector<std::int64_t> of_position;    ///< [degree]
  std::vector<std::int64_t> of_num_inside;  ///< [fanout + 1]
};

Tally tally(const Draw& draw, const Case& c) {
  Tally counts{.of_position = std::vector<std::int64_t>(static_cast<std::size_t>(c.row.degree)),
               .of_num_inside = std::vector<std::int64_t>(static_cast<std::size_t>(c.fanout) + 1)};
  for (std::int64_t trial = 0; trial < c.num_trials; ++trial) {
    std::size_t num_inside = 0;
    for (const std::int32_t position : draw(trial).positions) {
      ++counts.of_position.at(static_cast<std::size_t>(position));
      num_inside += c.row.is_inside(position) ? 1 : 0;
    }
    ++counts.of_num_inside.at(num_inside);
  }
  return counts;
}

/// How many fall inside.
Verdict classes_fit(const Tally& counts, const Case& c, double p, bool with_replacement = false) {
  return fit(counts.of_num_inside, class_law(c.row, c.fanout, p, with_replacement),
             class_law(c.row, c.fanout, p - kDeviationOfP, with_replacement));
}

/// The inclusion probability of a neighbour inside, E[a] / num_inside, and so of one outside.
Verdict inclusion_fits(const Tally& counts, const Case& c, double p, bool with_replacement = false) {
  const auto moments = [&](double at) {
    const ClassLaw law = class_law(c.row, c.fanout, at, with_replacement);
    const double mean = mean_of(law, [](double a) { return a; });
    return std::pair(mean, mean_of(law, [&](double a) { return (a - mean) * (a - mean); }));
  };
  const auto [mean, variance] = moments(p);
  double total = 0;
  for (std::size_t a = 0; a < counts.of_num_inside.size(); ++a) {
    total += static_cast<double>(a) * static_cast<double>(counts.of_num_inside[a]);
  }
  const auto trials = static_cast<double>(c.num_trials);
  const double error = std::sqrt(variance * trials);
  return test::normal_verdict((total - trials * mean) / error,
                              trials * std::abs(moments(p - kDeviationOfP).first - mean) / error);
}

/// Members of one class, all alike. Given that a of n are drawn, counts vary by a (n - a) / (n (n - 1)) a trial
/// in every direction, with replacement by a / n.
Verdict members_fit(const Tally& counts, const Case& c, const ClassLaw& law, bool is_inside,
                    bool with_replacement = false) {
  const double deviation = is_inside ? kDeviationInside : kDeviationOutside;
  const double n = is_inside ? c.row.num_inside : c.row.num_outside();
  const auto drawn = [&](double a) { return is_inside ? a : static_cast<double>(law.size()) - 1 - a; };
  const auto trials = static_cast<double>(c.num_trials);
  const double variance = trials * mean_of(law, [&](double a) {
                            return with_replacement ? drawn(a) / n : drawn(a) * (n - drawn(a)) / (n * (n - 1));
                          });
  const double mean = trials * mean_of(law, drawn) / n;
  double total = 0, squares = 0;
  for (std::int32_t i = 0; i < c.row.degree; ++i) {
    if (c.row.is_inside(i) != is_inside) continue;
    const auto count = static_cast<double>(counts.of_position[static_cast<std::size_t>(i)]);
    total += count;
    squares += count * count;
  }
  return test::chi_square_verdict((squares - total * total / n) / variance, n - 1,
                                  n * std::pow(mean * deviation, 2) / variance);
}

TEST(ClassLaw, AgreesWithEveryOrderOfNeighbours) {
  const Row row{.degree = 5, .num_inside = 3};
  constexpr double kP = 0.8;
  ClassLaw expected(4);
  std::vector<std::int32_t> order = {0, 1, 2, 3, 4};
  std::set<std::vector<std::int32_t>> seen;
  do {
    std::vector<std::int32_t> drawn(order.begin(), order.begin() + 3);
    if (!seen.insert(drawn).second) continue;
    double left = 3 * kP + 2 * (1 - kP), chance = 1;
    std::size_t num_inside = 0;
    for (const std::int32_t position : drawn) {
      const double weight = row.is_inside(position) ? kP : 1 - kP;
      chance *= weight / left;
      left -= weight;
      num_inside += row.is_inside(position) ? 1 : 0;
    }
    expected[num_inside] += chance;
  } while (std::next_permutation(order.begin(), order.end()));
  const ClassLaw law = class_law(row, 3, kP);
  for (std::size_t a = 0; a < 4; ++a) EXPECT_NEAR(law[a], expected[a], 1e-14);
}

TEST(BiasedLaw, DrawsEachClassInProportionToTheWeightThatIsLeft) {
  for (const SamplerKind kind : {SamplerKind::neighbor, SamplerKind::labor}) {
    for (const double p : {0.5, 0.7, 0.9}) {
      for (const Case& c : kCases) {
        const Draw draw = test::sampled(c.row, {.kind = kind, .fanouts = {c.fanout}, .p_intra = p, .seed = 21});
        const Tally counts = tally(draw, c);
        const ClassLaw law = class_law(c.row, c.fanout, p);
        const std::string name = concat(name_of(kind), ", ", name_of(c, p));
        EXPECT_TRUE(obeys(classes_fit(counts, c, p))) << name;
        EXPECT_TRUE(obeys(inclusion_fits(counts, c, p))) << name;
        EXPECT_TRUE(obeys(members_fit(counts, c, law, true))) << name << ", inside";
        EXPECT_TRUE(obeys(members_fit(counts, c, law, false))) << name << ", outside";
      }
    }
  }
}

TEST(BiasedLaw, NeverLeavesTheCommunityAtPIntraOne) {
  for (const SamplerKind kind : {SamplerKind::neighbor, SamplerKind::labor}) {
    for (const Case& c : kCases) {
      const Draw draw = test::sampled(c.row, {.kind = kind, .fanouts = {c.fanout}, .p_intra = 1, .seed = 22});
      const std::int32_t count = std::min(c.fanout, c.row.num_inside);
      const Tally counts = tally(draw, c);
      ASSERT_EQ(counts.of_num_inside[static_cast<std::size_t>(count)], c.num_trials)
          << "all inside, and as many as there are";
      ClassLaw law(static_cast<std::size_t>(count) + 1);
      law.back() = 1;
      if (count < c.row.num_inside) {
        EXPECT_TRUE(obeys(members_fit(counts, c, law, true))) << name_of(c, 1);
      }
      for (std::int32_t i = 0; i < c.row.degree; ++i) {
        ASSERT_TRUE(c.row.is_inside(i) || counts.of_position[static_cast<std::size_t>(i)] == 0);
      }
    }
  }
}

TEST(BiasedLaw, DrawsEachClassByItsFullWeightWithReplacement) {
  for (const double p : {0.5, 0.7, 0.9, 1.0}) {
    for (const Case& c : kCases) {
      const Draw draw =
          test::sampled(c.row, {.fanouts = {c.fanout}, .p_intra = p, .with_replacement = true, .seed = 23});
      const Tally counts = tally(draw, c);
      const ClassLaw law = class_law(c.row, c.fanout, p, true);
      const std::string name = name_of(c, p);
      EXPECT_TRUE(obeys(members_fit(counts, c, law, true, true))) << name << ", inside";
      if (p == 1) {
        EXPECT_EQ(counts.of_num_inside.back(), c.num_trials) << name;
        continue;
      }
      EXPECT_TRUE(obeys(members_fit(counts, c, law, false, true))) << name << ", outside";
      EXPECT_TRUE(obeys(classes_fit(counts, c, p, true))) << name;
      EXPECT_TRUE(obeys(inclusion_fits(counts, c, p, true))) << name;
    }
  }
}

TEST(BiasedLaw, CatchesASideThatIsChosenWhateverItsSize) {
  for (const double p : {0.5, 0.7, 0.9}) {
    for (const Case& c : kCases) {
      const Draw draw = test::wrong::side_first(c.row, c.fanout, p);
      const Tally counts = tally(draw, c);
      EXPECT_TRUE(is_caught(classes_fit(counts, c, p))) << name_of(c, p);
      EXPECT_TRUE(is_caught(inclusion_fits(counts, c, p))) << name_of(c, p);
    }
  }
}

TEST(BiasedLaw, CatchesWeightsThatStayAsTheyWere) {
  for (const double p : {0.5, 0.7, 0.9}) {
    for (const Case& c : kCases) {
      const Draw draw = test::wrong::weights_not_updated(c.row, c.fanout, p);
      const Tally counts = tally(draw, c);
      EXPECT_TRUE(is_caught(classes_fit(counts, c, p))) << name_of(c, p);
    }
  }
}

}  // namespace
}  // namespace kith
