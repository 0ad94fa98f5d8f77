// Bits of binary16 and bfloat16 from and to float, rounded to the nearest, ties to even, as CUDA does it.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace kith::emulation {

inline std::uint16_t half_bits(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  const std::uint32_t sign = bits >> 16 & 0x8000U;
  if (magnitude > 0x7f800000U) {
    return 0x7fff;  // CUDA has one NaN
  }
  std::uint32_t half = 0;
  if (magnitude >= 0x477ff000U) {  // 65520, half way from the largest number to the one after it
    half = 0x7c00;
  } else if (magnitude < 0x38800000U) {  // below 2^-14: a multiple of 2^-24
    half = static_cast<std::uint32_t>(std::lrint(std::bit_cast<float>(magnitude) * 0x1p24F));
  } else {
    const std::uint32_t rebiased = magnitude - 0x38000000U;
    half = (rebiased + 0xfffU + (rebiased >> 13 & 1U)) >> 13;
  }
  return static_cast<std::uint16_t>(sign | half);
}

inline float half_value(std::uint16_t half) {
  const float sign = (half & 0x8000U) != 0 ? -1.0F : 1.0F;
  const int exponent = half >> 10 & 0x1f;
  const int fraction = half & 0x3ff;
  if (exponent == 0x1f) {
    return fraction == 0 ? sign * HUGE_VALF : std::bit_cast<float>(0x7fffffffU);
  }
  return sign * (exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                               : std::ldexp(static_cast<float>(fraction + 0x400), exponent - 25));
}

inline std::uint16_t bfloat16_bits(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if ((bits & 0x7fffffffU) > 0x7f800000U) {
    return 0x7fff;
  }
  return static_cast<std::uint16_t>((bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
}

inline float bfloat16_value(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

}  // namespace kith::emulation
