// How a stored value becomes a number.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "kernels/cpu/multiversion.h"
#include "kernels/rows.h"

namespace kith::cpu {

/// IEEE binary16, as bits.
struct Half {
  std::uint16_t bits;
};

/// The upper half of a binary32, as bits.
struct BFloat16 {
  std::uint16_t bits;
};

KITH_INLINE float to_float(float x) { return x; }
KITH_INLINE double to_float(double x) { return x; }
KITH_INLINE float to_float(BFloat16 x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16);
}

/// Exact, and free of branches so that it vectorises on every processor: moves the fields to binary32's places,
/// and scales by the difference of the exponent biases, which also normalises subnormals.
KITH_INLINE float to_float(Half x) {
  const std::uint32_t magnitude = static_cast<std::uint32_t>(x.bits & 0x7fffU) << 13;
  const std::uint32_t sign = static_cast<std::uint32_t>(x.bits & 0x8000U) << 16;
  const std::uint32_t scaled = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112F);
  const std::uint32_t not_finite = magnitude >= 0x0f800000U ? 0x7f800000U : 0U;
  return std::bit_cast<float>(scaled | not_finite | sign);
}

}  // namespace kith::cpu
