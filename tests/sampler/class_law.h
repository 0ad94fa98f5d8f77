// The exact law of a biased draw: how many of the neighbours drawn lie inside the community.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "tests/sampler/law.h"

namespace kith::test {

/// Entry a: the chance that a of the draws fall inside.
using ClassLaw = std::vector<double>;

/// fanout draws, one after another, each with the weight p inside and 1 - p outside of those that `inside` and
/// `outside` say are left. with_replacement: nothing is ever used up.
inline ClassLaw class_law(const Row& row, std::int32_t fanout, double p, bool with_replacement = false) {
  const std::int32_t count = with_replacement ? fanout : std::min(fanout, row.degree);
  ClassLaw law(static_cast<std::size_t>(count) + 1);
  law[0] = 1;
  for (std::int32_t draw = 0; draw < count; ++draw) {
    ClassLaw next(law.size());
    for (std::int32_t a = 0; a <= draw; ++a) {
      const double inside = p * (row.num_inside - (with_replacement ? 0 : a));
      const double outside = (1 - p) * (row.num_outside() - (with_replacement ? 0 : draw - a));
      const double reached = law[static_cast<std::size_t>(a)];
      if (reached == 0) continue;
      next[static_cast<std::size_t>(a) + 1] += reached * inside / (inside + outside);
      next[static_cast<std::size_t>(a)] += reached * outside / (inside + outside);
    }
    law = std::move(next);
  }
  return law;
}

/// Mean of value(a).
template <typename Value>
double mean_of(const ClassLaw& law, const Value& value) {
  double mean = 0;
  for (std::size_t a = 0; a < law.size(); ++a) mean += law[a] * value(static_cast<double>(a));
  return mean;
}

/// Counts of independent outcomes against their chances, and the power if the chances were `deviating`.
/// Outcomes expected less than 10 times are joined with their neighbours.
inline Verdict fit(const std::vector<std::int64_t>& counts, const std::vector<double>& chances,
                   const std::vector<double>& deviating) {
  double trials = 0;
  for (const std::int64_t count : counts) trials += static_cast<double>(count);
  struct Cell {
    double count = 0, mean = 0, deviating_mean = 0;
    void operator+=(const Cell& other) {
      count += other.count, mean += other.mean, deviating_mean += other.deviating_mean;
    }
  };
  std::vector<Cell> cells;
  Cell open;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    open += {static_cast<double>(counts[i]), trials * chances[i], trials * deviating[i]};
    if (open.mean < 10) continue;
    cells.push_back(open);
    open = {};
  }
  cells.back() += open;
  double chi_square = 0, noncentrality = 0;
  for (const Cell& cell : cells) {
    chi_square += (cell.count - cell.mean) * (cell.count - cell.mean) / cell.mean;
    noncentrality += (cell.deviating_mean - cell.mean) * (cell.deviating_mean - cell.mean) / cell.mean;
  }
  return chi_square_verdict(chi_square, static_cast<double>(cells.size()) - 1, noncentrality);
}

}  // namespace kith::test
