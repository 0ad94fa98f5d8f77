// Blocks for the tests of the operations that read one.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "graph/views.h"

namespace kith::test {

/// Owns a block; every edge has a weight.
struct Block {
  std::int32_t num_sources = 0;
  std::vector<std::int32_t> offsets{0}, sources;
  std::vector<float> weights;

  BlockCsrView view() const { return {num_sources, offsets, sources}; }
  std::int64_t num_destinations() const { return view().num_destinations(); }
  std::int64_t num_edges() const { return view().num_edges(); }
};

/// Empty rows, short rows with duplicates, and a hub as row 1.
inline Block random_block(std::int32_t num_destinations, std::int32_t num_sources, std::int32_t hub_degree) {
  std::mt19937_64 random(5);
  Block block;
  block.num_sources = num_sources;
  for (std::int32_t v = 0; v < num_destinations; ++v) {
    const std::int64_t degree = v == 1 ? hub_degree : static_cast<std::int64_t>(random() % 7);
    for (std::int64_t i = 0; i < degree; ++i) {
      block.sources.push_back(static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(num_sources)));
      block.weights.push_back(static_cast<float>(random() % 64) / 32 - 1);
    }
    block.offsets.push_back(static_cast<std::int32_t>(block.sources.size()));
  }
  return block;
}

/// Several hubs beside each other and at both ends, short rows and empty ones, and a number of rows that fills
/// no block of a device.
inline Block block_with_hubs() {
  std::mt19937_64 random(9);
  Block block;
  block.num_sources = 130;
  for (int v = 0; v < 77; ++v) {
    const bool is_hub = v == 0 || v == 33 || v == 34 || v == 76;
    const std::uint64_t degree = is_hub ? 129 + random() % 900 : v % 5 == 0 ? 0 : random() % 130;
    for (std::uint64_t i = 0; i < degree; ++i) {
      block.sources.push_back(static_cast<std::int32_t>(random() % 130));
      block.weights.push_back(static_cast<float>(random() % 64) / 32 - 1);
    }
    block.offsets.push_back(static_cast<std::int32_t>(block.sources.size()));
  }
  return block;
}

}  // namespace kith::test
