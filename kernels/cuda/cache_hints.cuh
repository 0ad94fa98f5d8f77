// What loads ask the second-level cache to do: rows that are read again are to stay (evict-last), while the
// streams of offsets, sources and weights, read once a pass, are the first to go (__ldcs, evict-first).
#pragma once

#include <cuda_runtime.h>

namespace kith::cuda {

/// An eviction priority, as loads take it. PTX ISA, createpolicy and .L2::cache_hint: sm_80 and later.
using CachePolicy = unsigned long long;

/// is_kept: the last to be evicted; else as any load.
__device__ __forceinline__ CachePolicy row_policy(bool is_kept) {
  CachePolicy kept, ordinary;
  asm("createpolicy.fractional.L2::evict_last.b64 %0, 1.0;" : "=l"(kept));
  asm("createpolicy.fractional.L2::evict_normal.b64 %0, 1.0;" : "=l"(ordinary));
  return is_kept ? kept : ordinary;
}

// Each loads global memory that no kernel of this launch writes, aligned to its size.
__device__ __forceinline__ unsigned short load_with_policy(const unsigned short* from, CachePolicy policy) {
  unsigned short value;
  asm("ld.global.nc.L2::cache_hint.u16 %0, [%1], %2;" : "=h"(value) : "l"(from), "l"(policy));
  return value;
}
__device__ __forceinline__ unsigned load_with_policy(const unsigned* from, CachePolicy policy) {
  unsigned value;
  asm("ld.global.nc.L2::cache_hint.u32 %0, [%1], %2;" : "=r"(value) : "l"(from), "l"(policy));
  return value;
}
__device__ __forceinline__ uint2 load_with_policy(const uint2* from, CachePolicy policy) {
  uint2 value;
  asm("ld.global.nc.L2::cache_hint.v2.u32 {%0, %1}, [%2], %3;"
      : "=r"(value.x), "=r"(value.y)
      : "l"(from), "l"(policy));
  return value;
}
__device__ __forceinline__ uint4 load_with_policy(const uint4* from, CachePolicy policy) {
  uint4 value;
  asm("ld.global.nc.L2::cache_hint.v4.u32 {%0, %1, %2, %3}, [%4], %5;"
      : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w)
      : "l"(from), "l"(policy));
  return value;
}

/// Asks the second-level cache to fetch what lies there.
__device__ __forceinline__ void prefetch(const void* from) {
  asm volatile("prefetch.global.L2 [%0];" ::"l"(from));
}

}  // namespace kith::cuda
