#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace {

// The neighbours of x among numbers of `digits` binary digits, and which of them is nearest, by arithmetic in
// double.
double rounded(double x, int digits, int min_exponent) {
  int exponent = 0;
  std::frexp(x, &exponent);
  const double unit = std::ldexp(1.0, std::max(exponent - digits, min_exponent));
  return std::nearbyint(x / unit) * unit;
}

TEST(Half, EveryOneOfItsNumbersSurvivesTheWayToFloatAndBack) {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const __half x = __ushort_as_half(static_cast<unsigned short>(bits));
    const unsigned short back = __half_as_ushort(__float2half(__half2float(x)));
    ASSERT_EQ(back, (bits & 0x7fff) > 0x7c00 ? 0x7fff : bits);
  }
}

TEST(Half, RoundsToTheNearestAndTiesToEven) {
  for (unsigned bits = 0; bits < 0x7bff; ++bits) {
    const float low = __half2float(__ushort_as_half(static_cast<unsigned short>(bits)));
    const float high = __half2float(__ushort_as_half(static_cast<unsigned short>(bits + 1)));
    const float middle = (low + high) / 2;
    for (const float x : {middle, std::nextafter(middle, 0.0F), std::nextafter(middle, high), -middle}) {
      ASSERT_EQ(__half2float(__float2half_rn(x)), rounded(x, 11, -24)) << x;
    }
  }
}

TEST(Half, OverflowsWhereItsLargestNumberWouldRoundUp) {
  EXPECT_EQ(__half_as_ushort(__float2half(65519.996F)), 0x7bff);
  EXPECT_EQ(__half_as_ushort(__float2half(65520.0F)), 0x7c00);
  EXPECT_EQ(__half_as_ushort(__float2half(-std::numeric_limits<float>::infinity())), 0xfc00);
  EXPECT_EQ(__half_as_ushort(__float2half(std::nanf(""))), 0x7fff);
  EXPECT_EQ(__half_as_ushort(__float2half(0x1p-25F)), 0);  // half of the smallest: to even
  EXPECT_EQ(__half_as_ushort(__float2half(0x1.8p-25F)), 1);
  EXPECT_EQ(__half_as_ushort(__float2half(-0.0F)), 0x8000);
}

TEST(BFloat16, EveryOneOfItsNumbersSurvivesTheWayToFloatAndBack) {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const __nv_bfloat16 x = __ushort_as_bfloat16(static_cast<unsigned short>(bits));
    const unsigned short back = __bfloat16_as_ushort(__float2bfloat16(__bfloat162float(x)));
    ASSERT_EQ(back, (bits & 0x7fff) > 0x7f80 ? 0x7fff : bits);
  }
}

TEST(BFloat16, RoundsToTheNearestAndTiesToEven) {
  for (unsigned bits = 0x80; bits < 0x7f7f; ++bits) {
    const float low = __bfloat162float(__ushort_as_bfloat16(static_cast<unsigned short>(bits)));
    const float high = __bfloat162float(__ushort_as_bfloat16(static_cast<unsigned short>(bits + 1)));
    const float middle = low + (high - low) / 2;
    for (const float x : {middle, std::nextafter(middle, 0.0F), std::nextafter(middle, high), -middle}) {
      ASSERT_EQ(__bfloat162float(__float2bfloat16_rn(x)), rounded(x, 8, -133)) << x;
    }
  }
}

TEST(SmallFloats, PairsKeepTheirOrder) {
  const float2 pair = __half22float2(__floats2half2_rn(1.5F, -2.0F));
  EXPECT_EQ(pair.x, 1.5F);
  EXPECT_EQ(pair.y, -2.0F);
  const __nv_bfloat162 other = __floats2bfloat162_rn(3.0F, 4.0F);
  EXPECT_EQ(__low2float(other), 3.0F);
  EXPECT_EQ(__high2float(other), 4.0F);
  EXPECT_EQ(static_cast<float>(__half(0.5F) + __half(0.25F)), 0.75F);
}

}  // namespace
