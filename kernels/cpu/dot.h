// A dot product whose sum has a fixed shape.
#pragma once

#include <cstdint>

#include "kernels/cpu/multiversion.h"

namespace kith::cpu {

/// <a, b> over `count` values, in eight independent sums: fixes the shape of the sum, and vectorises.
template <typename T>
KITH_INLINE T dot(const T* __restrict a, const T* __restrict b, std::int64_t count) {
  constexpr std::int64_t kLanes = 8;
  T lanes[kLanes] = {};
  std::int64_t j = 0;
  for (; j + kLanes <= count; j += kLanes) {
    for (std::int64_t k = 0; k < kLanes; ++k) {
      lanes[k] += a[j + k] * b[j + k];
    }
  }
  T sum = ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
  for (; j < count; ++j) {
    sum += a[j] * b[j];
  }
  return sum;
}

}  // namespace kith::cpu
