// Goodness of fit for tests of sampling laws.
#pragma once

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

/// The same for counts that should all have one mean, drawn one at a time.
inline double chi_square_z(std::span<const std::int64_t> counts) {
  const auto total = static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
  const double mean = total / static_cast<double>(counts.size());
  double chi_square = 0;
  for (const std::int64_t count : counts)
    chi_square += (static_cast<double>(count) - mean) * (static_cast<double>(count) - mean) / mean;
  return chi_square_z(chi_square, static_cast<double>(counts.size()) - 1);
}

/// The same for counts of inclusion when every trial takes `taken` of the n without replacement, all alike:
/// such counts vary less than independent ones, by (n - taken) / (n - 1).
inline double inclusion_z(std::span<const std::int64_t> counts, std::int64_t taken) {
  const auto n = static_cast<double>(counts.size());
  const auto total = static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
  const double mean = total / n;
  double chi_square = 0;
  for (const std::int64_t count : counts)
    chi_square += (static_cast<double>(count) - mean) * (static_cast<double>(count) - mean) / mean;
  return chi_square_z(chi_square * (n - 1) / (n - static_cast<double>(taken)), n - 1);
}

}  // namespace kith::test
