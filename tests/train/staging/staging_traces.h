// Small streams of batches for the tests of staging.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

#include "train/staging/access_trace.h"

namespace kith::test {

/// Batches of items, each once a batch.
using ItemBatches = std::vector<std::vector<std::int32_t>>;

/// num_batches batches of 0 to `largest` distinct items. Items below num_items / 4 come more often.
inline ItemBatches random_batches(std::int32_t num_items, std::size_t num_batches, std::size_t largest,
                                  std::uint64_t seed) {
  std::mt19937_64 random(seed);
  ItemBatches batches(num_batches);
  for (auto& batch : batches) {
    std::vector<std::int32_t> items(static_cast<std::size_t>(num_items));
    std::iota(items.begin(), items.end(), 0);
    const std::size_t size = random() % (largest + 1);
    while (batch.size() < size) {
      const bool is_hot = random() % 2 == 0;
      const auto bound = static_cast<std::uint64_t>(is_hot ? std::max(num_items / 4, 1) : num_items);
      const auto item = static_cast<std::int32_t>(random() % bound);
      if (std::find(batch.begin(), batch.end(), item) == batch.end()) batch.push_back(item);
    }
  }
  return batches;
}

/// The same as a trace; references are twice the rows, the root community is the batch number.
inline AccessTrace to_trace(const ItemBatches& batches) {
  AccessTrace trace;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const std::vector<std::int32_t> community{static_cast<std::int32_t>(i)};
    trace.add(batches[i], community, 2 * static_cast<std::int64_t>(batches[i].size()));
  }
  return trace;
}

}  // namespace kith::test
