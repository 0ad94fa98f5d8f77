// Goodness of fit for tests of sampling laws, and how likely a misfit is to be seen.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace kith::test {

/// How many standard deviations a chi-square value with `freedom` degrees lies above its mean
/// (Wilson-Hilferty).
inline double chi_square_z(double chi_square, double freedom) {
  const double spread = 2 / (9 * freedom);
  return (std::cbrt(chi_square / freedom) - (1 - spread)) / std::sqrt(spread);
}

/// The chi-square value that lies z standard deviations above its mean: the inverse of chi_square_z.
inline double chi_square_at(double z, double freedom) {
  const double spread = 2 / (9 * freedom);
  const double root = std::max(0.0, 1 - spread + z * std::sqrt(spread));
  return freedom * root * root * root;
}

/// Chance that a normal variable is above z.
inline double normal_tail(double z) { return std::erfc(z / std::sqrt(2.0)) / 2; }

/// Chance that chi_square_z exceeds `threshold` when the value follows a non-central chi-square law instead
/// (Patnaik, Biometrika 36, 1949: a central one of the same mean and variance, scaled).
/// noncentrality: sum of (true mean - expected mean)^2 / variance.
inline double chi_square_power(double noncentrality, double freedom, double threshold) {
  const double scale = (freedom + 2 * noncentrality) / (freedom + noncentrality);
  const double matched = (freedom + noncentrality) / scale;
  return normal_tail(chi_square_z(chi_square_at(threshold, freedom) / scale, matched));
}

/// Of counts that should all have one mean, drawn one at a time.
inline double chi_square(std::span<const std::int64_t> counts) {
  const auto total = static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
  const double mean = total / static_cast<double>(counts.size());
  double sum = 0;
  for (const std::int64_t count : counts) {
    sum += (static_cast<double>(count) - mean) * (static_cast<double>(count) - mean) / mean;
  }
  return sum;
}

/// chi_square_z of such counts.
inline double chi_square_z(std::span<const std::int64_t> counts) {
  return chi_square_z(chi_square(counts), static_cast<double>(counts.size()) - 1);
}

}  // namespace kith::test
