#include "datasets/feature_cast.h"

#include <bit>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace kith {
namespace {

// The smallest magnitudes that round to infinity: the largest finite value plus half of its last place.
constexpr float kF16Limit = 65520.0F;
constexpr std::uint32_t kBf16Limit = 0x7F7F8000U;  // as bits of a float

// Round to nearest even on the 16 bits that go; a NaN stays one.
std::uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(bits >> 16 | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16);
}

std::uint16_t to_f16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000U);
  const float magnitude = std::fabs(value);
  if (std::isnan(value)) return sign | 0x7E00U;
  if (magnitude >= kF16Limit) return sign | 0x7C00U;
  if (magnitude < 0x1.0p-14F) {  // subnormal: a multiple of 2^-24, which the addition rounds to
    const auto shifted = std::bit_cast<std::uint32_t>(magnitude + 0.5F);
    return static_cast<std::uint16_t>(sign | (shifted - std::bit_cast<std::uint32_t>(0.5F)));
  }
  const std::uint32_t absolute = bits & 0x7FFFFFFFU;
  const std::uint32_t rounded = absolute + 0xFFFU + (absolute >> 13 & 1U);
  return static_cast<std::uint16_t>(sign | ((rounded >> 13) - (112U << 10)));
}

}  // namespace

void cast_features(std::span<const float> values, FeatureType type, std::span<std::byte> out) {
  assert(out.size() == values.size() * size_of(type));
  if (values.empty()) return;
  if (type == FeatureType::f32) {
    std::memcpy(out.data(), values.data(), out.size());
    return;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t half = type == FeatureType::f16 ? to_f16(values[i]) : to_bf16(values[i]);
    std::memcpy(out.data() + 2 * i, &half, 2);
  }
}

std::size_t first_not_finite(std::span<const float> values, FeatureType type) {
  float limit = HUGE_VALF;
  if (type == FeatureType::f16) limit = kF16Limit;
  if (type == FeatureType::bf16) limit = std::bit_cast<float>(kBf16Limit);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!(std::fabs(values[i]) < limit)) return i;
  }
  return values.size();
}

}  // namespace kith
