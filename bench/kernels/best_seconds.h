// The time of the fastest of a few runs: what the machine can do when nothing disturbs it.
#pragma once

#include <algorithm>
#include <chrono>
#include <limits>

namespace kith::bench {

template <typename Run>
double best_seconds(const Run& run) {
  constexpr int kRuns = 7;
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kRuns; ++i) {
    const auto start = std::chrono::steady_clock::now();
    run();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::min(best, seconds.count());
  }
  return best;
}

}  // namespace kith::bench
