// How fast this machine reads the rows that an aggregation has to read: the same rows in the same order, added
// up into a few numbers, nothing written.
#pragma once

#include <benchmark/benchmark.h>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <cstdint>

#include "bench/kernels/best_seconds.h"
#include "bench/kernels/random_block.h"
#include "kernels/tensor.h"

namespace kith::bench {

/// Reads the rows of edges [first, last), asking for those of a few edges later.
inline float read_rows(const Block& block, const Tensor& x, std::int64_t first, std::int64_t last) {
  constexpr std::int64_t kLanes = 16, kAhead = 8, kLine = 16;  // floats
  const std::int64_t cols = x.cols();
  const float* const data = x.data<float>();
  float sum[kLanes] = {};
  for (std::int64_t e = first; e < last; ++e) {
    const float* const later = data + block.sources[std::min(e + kAhead, last - 1)] * cols;
    for (std::int64_t j = 0; j < cols; j += kLine) __builtin_prefetch(later + j);
    const float* const row = data + block.sources[e] * cols;
    std::int64_t j = 0;
    for (; j + kLanes <= cols; j += kLanes) {
      for (std::int64_t lane = 0; lane < kLanes; ++lane) sum[lane] += row[j + lane];
    }
    for (; j < cols; ++j) sum[0] += row[j];
  }
  float total = 0;
  for (const float lane : sum) total += lane;
  return total;
}

/// Seconds of one pass over all edges, with the threads that oneTBB may use.
inline double gather_seconds(const Block& block, const Tensor& x) {
  constexpr std::int64_t kEdgesPerTask = 4096;
  return best_seconds([&] {
    tbb::parallel_for(
        tbb::blocked_range<std::int64_t>(0, block.view().num_edges(), kEdgesPerTask),
        [&](const auto& edges) { benchmark::DoNotOptimize(read_rows(block, x, edges.begin(), edges.end())); });
  });
}

/// Sets the counter `over_gather`: the time of the fastest run of `run`, as a multiple of gather_seconds.
template <typename Run>
void count_over_gather(benchmark::State& state, const Block& block, const Tensor& x, const Run& run) {
  const double gather = gather_seconds(block, x);
  state.counters["over_gather"] = best_seconds(run) / gather;
}

}  // namespace kith::bench
