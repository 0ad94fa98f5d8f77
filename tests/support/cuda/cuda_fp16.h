// Emulated: binary16 and the conversions that Kith uses. Arithmetic goes through float, which rounds alike.
#pragma once

#include "tests/support/cuda/emulated/small_floats.h"
#include "tests/support/cuda/emulated/together.h"
#include "tests/support/cuda/vector_types.h"

// NOLINTBEGIN: names are CUDA's
struct alignas(2) __half {
  std::uint16_t bits;

  __half() = default;
  __half(float value) : bits(kith::emulation::half_bits(value)) {}
  operator float() const { return kith::emulation::half_value(bits); }
};
struct alignas(4) __half2 {
  __half x, y;

  __half2() = default;
  __half2(__half x, __half y) : x(x), y(y) {}
};
using half = __half;
using half2 = __half2;

inline __half __float2half(float x) { return x; }
inline __half __float2half_rn(float x) { return x; }
inline float __half2float(__half x) { return x; }
inline __half __ushort_as_half(unsigned short bits) {
  __half x;
  x.bits = bits;
  return x;
}
inline unsigned short __half_as_ushort(__half x) { return x.bits; }
inline __half2 __floats2half2_rn(float x, float y) { return {x, y}; }
inline __half2 __float2half2_rn(float x) { return {x, x}; }
inline __half2 __float22half2_rn(float2 x) { return {x.x, x.y}; }
inline float2 __half22float2(__half2 x) { return {x.x, x.y}; }
inline float __low2float(__half2 x) { return x.x; }
inline float __high2float(__half2 x) { return x.y; }
inline __half __low2half(__half2 x) { return x.x; }
inline __half __high2half(__half2 x) { return x.y; }
inline __half2 __halves2half2(__half x, __half y) { return {x, y}; }
inline __half2 __half2half2(__half x) { return {x, x}; }

inline __half operator+(__half a, __half b) { return static_cast<float>(a) + static_cast<float>(b); }
inline __half operator-(__half a, __half b) { return static_cast<float>(a) - static_cast<float>(b); }
inline __half operator*(__half a, __half b) { return static_cast<float>(a) * static_cast<float>(b); }
inline __half operator/(__half a, __half b) { return static_cast<float>(a) / static_cast<float>(b); }
// NOLINTEND
