// How a call over rows is cut into groups of lanes and tiles of columns. Pure functions: what a kernel is
// launched with follows from sizes and addresses alone.
//
// A group of lanes, at most a warp, owns one row and one tile of its columns, and reads the tile of several
// source rows at a time. A tile is what 32 lanes read of a row at once, so rows of up to 512 or 1024 bytes are
// one. Narrower tiles, so that a slice of all source rows stays in the second-level cache, lose on an H100
// (DECISIONS.md): each pass over the edges costs what it saves. Where all source rows fit half of that cache
// and are read twice or more on average, they are read with the request to keep them there (cache_hints.cuh).
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace kith::cuda {

inline constexpr int kBlockThreads = 256;
inline constexpr int kMaxLanes = 32;  // of a group: a warp

/// Vectors of `vector` values that a lane takes from each row, at least: one of 16 bytes, else two.
constexpr int vectors_per_lane(std::size_t value_bytes, int vector) {
  return value_bytes * static_cast<std::size_t>(vector) < 16 ? 2 : 1;
}

/// An array that is read or written in vectors.
struct VectorAccess {
  const void* data;
  std::size_t value_bytes;
};

/// Values that one access may cover: the largest power of two up to `widest` that divides the `columns` of a
/// row and keeps every access aligned, to 16 bytes at most.
inline int widest_vector(int widest, std::int64_t columns, std::initializer_list<VectorAccess> accesses) {
  const auto fits = [&](int vector) {
    return columns % vector == 0 && std::ranges::all_of(accesses, [&](const VectorAccess& access) {
             const std::size_t alignment = std::min<std::size_t>(16, access.value_bytes * vector);
             return reinterpret_cast<std::uintptr_t>(access.data) % alignment == 0;
           });
  };
  int vector = widest;
  while (vector > 1 && !fits(vector)) vector /= 2;
  return vector;
}

/// The source rows that one call reads.
struct RowReads {
  std::int64_t columns = 0;
  std::size_t value_bytes = 4;
  std::int64_t num_rows = 0;  ///< different rows
  std::int64_t num_reads = 0;
};

/// What a lane takes of each row.
struct LaneReads {
  int vector = 1;   ///< values a load
  int vectors = 1;  ///< loads
};

struct ColumnTiling {
  int lanes = 1;  ///< of a group: a power of two
  std::int32_t tile_columns = 0;
  std::int32_t num_tiles = 0;
  bool is_reused = false;  ///< the rows fit the cache, and are read again from there

  int rows_per_block() const { return kBlockThreads / lanes; }
};

/// Parts that the edges of a hub are cut into. They fix the order of its sum, so they depend on the columns of
/// a whole row alone: not on how its values are stored, nor on tiles. Every tiling has as many groups or more,
/// since a lane takes two values or more.
constexpr int hub_parts(std::int64_t columns) {
  const auto lanes = std::bit_ceil(static_cast<std::uint64_t>(columns < 2 ? 1 : (columns + 1) / 2));
  return kBlockThreads / static_cast<int>(std::min<std::uint64_t>(lanes, kMaxLanes));
}

inline ColumnTiling tile_columns(const RowReads& reads, LaneReads lane, std::size_t l2_bytes) {
  constexpr std::int64_t kSector = 32;  // what memory is read in: tiles do not share one
  const auto round_up = [](std::int64_t count, std::int64_t to) { return (count + to - 1) / to * to; };
  const auto bytes = static_cast<std::int64_t>(reads.value_bytes);
  const std::int64_t columns = std::max<std::int64_t>(reads.columns, 1);
  const std::int64_t values = std::int64_t{lane.vectors} * lane.vector;
  const std::int64_t most = kMaxLanes * values;
  const std::int64_t even = round_up(columns, most) / most;  // tiles of about equal width
  const std::int64_t tile =
      round_up(round_up(columns, even) / even, std::max<std::int64_t>(lane.vector, kSector / bytes));
  const std::int64_t lanes = round_up(std::min(tile, columns), values) / values;
  return {.lanes = static_cast<int>(std::bit_ceil(static_cast<std::uint64_t>(lanes))),
          .tile_columns = static_cast<std::int32_t>(tile),
          .num_tiles = static_cast<std::int32_t>(round_up(reads.columns, tile) / tile),
          .is_reused = reads.num_reads >= 2 * reads.num_rows &&
                       reads.columns * bytes * reads.num_rows <= static_cast<std::int64_t>(l2_bytes / 2)};
}

}  // namespace kith::cuda
