#include "datasets/feature_cast.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace kith {
namespace {

std::uint16_t cast(float value, FeatureType type) {
  std::uint16_t out = 0;
  cast_features(std::span(&value, 1), type, std::as_writable_bytes(std::span(&out, 1)));
  return out;
}

TEST(FeatureCast, RoundsToTheNearestF16) {
  EXPECT_EQ(cast(1.0F, FeatureType::f16), 0x3C00);
  EXPECT_EQ(cast(-2.0F, FeatureType::f16), 0xC000);
  EXPECT_EQ(cast(65504.0F, FeatureType::f16), 0x7BFF);
  EXPECT_EQ(cast(65519.9F, FeatureType::f16), 0x7BFF);
  EXPECT_EQ(cast(65520.0F, FeatureType::f16), 0x7C00);
  EXPECT_EQ(cast(1.0F + 0x1.0p-11F, FeatureType::f16), 0x3C00);      // half way: to even
  EXPECT_EQ(cast(1.0F + 3 * 0x1.0p-11F, FeatureType::f16), 0x3C02);  // half way: to even
  EXPECT_EQ(cast(0x1.0p-24F, FeatureType::f16), 0x0001);             // smallest subnormal
  EXPECT_EQ(cast(0x1.0p-25F, FeatureType::f16), 0x0000);
  EXPECT_EQ(cast(-0x1.8p-25F, FeatureType::f16), 0x8001);
  EXPECT_EQ(cast(0x1.0p-14F, FeatureType::f16), 0x0400);
  EXPECT_EQ(cast(std::nanf(""), FeatureType::f16) & 0x7FFF, 0x7E00);
}

TEST(FeatureCast, RoundsToTheNearestBf16) {
  EXPECT_EQ(cast(1.0F, FeatureType::bf16), 0x3F80);
  EXPECT_EQ(cast(1.0F + 0x1.0p-8F, FeatureType::bf16), 0x3F80);      // half way: to even
  EXPECT_EQ(cast(1.0F + 3 * 0x1.0p-8F, FeatureType::bf16), 0x3F82);  // half way: to even
  EXPECT_EQ(cast(-0.0F, FeatureType::bf16), 0x8000);
}

TEST(FeatureCast, FindsTheFirstValueThatWouldNotBeFinite) {
  const std::array<float, 3> values = {1.0F, 65520.0F, std::nanf("")};
  EXPECT_EQ(first_not_finite(values, FeatureType::f16), 1U);
  EXPECT_EQ(first_not_finite(values, FeatureType::f32), 2U);
  EXPECT_EQ(first_not_finite(values, FeatureType::bf16), 2U);
  EXPECT_EQ(first_not_finite(std::span(values).first(1), FeatureType::f16), 1U);
  const float huge = 3.4e38F;
  EXPECT_EQ(first_not_finite(std::span(&huge, 1), FeatureType::bf16), 0U);
  EXPECT_EQ(first_not_finite(std::span(&huge, 1), FeatureType::f32), 1U);
}

}  // namespace
}  // namespace kith
