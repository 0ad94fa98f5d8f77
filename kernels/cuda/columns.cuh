// The columns of a row that one lane works on, and how it loads and stores them.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/cuda/cache_hints.cuh"
#include "kernels/cuda/tiling.h"

namespace kith::cuda {

__device__ __forceinline__ float to_number(float x) { return x; }
__device__ __forceinline__ double to_number(double x) { return x; }
__device__ __forceinline__ float to_number(__half x) { return __half2float(x); }
__device__ __forceinline__ float to_number(__nv_bfloat16 x) { return __bfloat162float(x); }

/// Values that one instruction loads or stores.
template <typename T, int kCount>
struct alignas(sizeof(T) * kCount) Packed {
  T values[kCount];
};

/// A built-in type of `kBytes` bytes.
template <int kBytes>
struct Bits;
template <>
struct Bits<2> {
  using Type = unsigned short;
};
template <>
struct Bits<4> {
  using Type = unsigned;
};
template <>
struct Bits<8> {
  using Type = uint2;
};
template <>
struct Bits<16> {
  using Type = uint4;
};

/// Loads what no kernel of this launch writes, aligned to its size.
template <int kCount, typename T>
__device__ __forceinline__ Packed<T, kCount> load_read_only(const T* from) {
  using Raw = typename Bits<sizeof(T) * kCount>::Type;
  const Raw raw = __ldg(reinterpret_cast<const Raw*>(from));
  Packed<T, kCount> packed;
  memcpy(&packed, &raw, sizeof raw);
  return packed;
}

/// The same for a row that others read too: what the cache does with it is up to `policy`.
template <int kCount, typename T>
__device__ __forceinline__ Packed<T, kCount> load_row(const T* from, CachePolicy policy) {
  using Raw = typename Bits<sizeof(T) * kCount>::Type;
  const Raw raw = load_with_policy(reinterpret_cast<const Raw*>(from), policy);
  Packed<T, kCount> packed;
  memcpy(&packed, &raw, sizeof raw);
  return packed;
}

/// Values of one access: at most 16 bytes.
template <int kCount, typename T>
inline constexpr int kAccess = sizeof(T) * kCount > 16 ? static_cast<int>(16 / sizeof(T)) : kCount;

template <int kCount, typename T>
__device__ __forceinline__ void store(T* to, const T* values) {
  constexpr int kPiece = kAccess<kCount, T>;
#pragma unroll
  for (int i = 0; i < kCount; i += kPiece) {
    Packed<T, kPiece> piece;
#pragma unroll
    for (int j = 0; j < kPiece; ++j) piece.values[j] = values[i + j];
    *reinterpret_cast<Packed<T, kPiece>*>(to + i) = piece;
  }
}

/// to += values.
template <int kCount, typename T>
__device__ __forceinline__ void add(T* to, const T* values) {
  constexpr int kPiece = kAccess<kCount, T>;
#pragma unroll
  for (int i = 0; i < kCount; i += kPiece) {
    Packed<T, kPiece> piece = *reinterpret_cast<const Packed<T, kPiece>*>(to + i);
#pragma unroll
    for (int j = 0; j < kPiece; ++j) piece.values[j] += values[i + j];
    *reinterpret_cast<Packed<T, kPiece>*>(to + i) = piece;
  }
}

/// How the columns of a row are cut into tiles, one for each block along y.
struct ColumnSplit {
  std::int32_t columns;
  std::int32_t tile_columns;
  std::int32_t hub_parts = 1;  ///< see tiling.h
  bool keeps_rows = false;     ///< asks the cache to keep the rows that are read
};

/// What lane threadIdx.x of the group, blockDim.x lanes wide, works on: kNumVectors vectors of kVector columns.
template <int kVector, int kNumVectors>
struct LaneColumns {
  static constexpr int kVectorValues = kVector;
  static constexpr int kVectors = kNumVectors;
  static constexpr int kValues = kVector * kNumVectors;

  std::int32_t begin;  ///< of the tile
  std::int32_t end;
  std::int32_t hub_parts;
  CachePolicy policy;  ///< for the rows that are read

  __device__ explicit LaneColumns(ColumnSplit split)
      : begin(static_cast<std::int32_t>(blockIdx.y) * split.tile_columns),
        end(min(begin + split.tile_columns, split.columns)),
        hub_parts(split.hub_parts),
        policy(row_policy(split.keeps_rows)) {}

  /// First column of the k-th vector, if there is one.
  __device__ std::int32_t column(int k) const {
    return begin + static_cast<std::int32_t>(k * blockDim.x + threadIdx.x) * kVector;
  }
  __device__ bool has(int k) const { return column(k) < end; }
  /// A column that can be read: lanes without one of their own read the tile's first, and store nothing.
  __device__ std::int32_t readable(int k) const { return has(k) ? column(k) : begin; }
};

/// Columns of rows of `Source`, of which a lane takes kLeast vectors or more.
template <typename Source, int kVector, int kLeast = 1>
using ColumnsOf = LaneColumns<kVector, std::max(vectors_per_lane(sizeof(Source), kVector), kLeast)>;

/// Calls body(std::integral_constant<int, vector>): vector is a power of two up to kWidest.
template <int kWidest, typename Body>
void with_vector(int vector, const Body& body) {
  if constexpr (kWidest > 1) {
    if (vector < kWidest) return with_vector<kWidest / 2>(vector, body);
  }
  body(std::integral_constant<int, kWidest>{});
}

}  // namespace kith::cuda
