// Sums over many rows: fixed tiles are summed in parallel, then their partial sums in order.
#pragma once

#include <cstdint>

#include "kernels/cpu/parallel.h"

namespace kith::cpu {

/// out[i] = the sum over the tiles of partials[tile][i], in order, + beta * out[i]. beta 0 does not read out.
template <typename T>
void sum_partials(const T* partials, std::int64_t num_tiles, std::int64_t count, double beta, T* out) {
  constexpr std::int64_t kValuesPerTile = 1 << 14;
  for_tiles(count, kValuesPerTile, [&](std::int64_t, std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      T sum{0};
      for (std::int64_t tile = 0; tile < num_tiles; ++tile) {
        sum += partials[tile * count + i];
      }
      out[i] = beta == 0 ? sum : sum + static_cast<T>(beta) * out[i];
    }
  });
}

}  // namespace kith::cpu
