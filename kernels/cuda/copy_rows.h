// Copies rows from anywhere to anywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/cuda/context.h"

namespace kith::cuda {

/// to[to_rows[i]] = from[from_rows[i]] for rows of row_bytes bytes, an even number. Rows may lie in pinned host
/// memory; the two sides must not overlap, and their beginnings be aligned to 16 bytes. Rows are numbered on
/// the device.
struct RowCopy {
  const std::byte* from;
  const std::int32_t* from_rows;
  std::byte* to;
  const std::int32_t* to_rows;
  std::int64_t count;
  std::size_t row_bytes;
};
void copy_rows(const Context& context, const RowCopy& copy);

/// to[i] = slots[slot_of[ids[i]]], or table[ids[i]] where that is -1; numbers[i] = i; *num_hits += how many are
/// not -1, an exact sum in any order. Rows as those of RowCopy.
struct RowPick {
  std::span<const std::int32_t> ids;
  const std::int32_t* slot_of;
  const std::byte* slots;
  const std::byte* table;
  std::byte* to;
  std::int32_t* numbers;
  double* num_hits;
  std::size_t row_bytes;
};
void pick_rows(const Context& context, const RowPick& pick);

/// out[i] = i.
void count_up(const Context& context, std::span<std::int32_t> out);

/// out[ids[i]] = i.
void number_rows(const Context& context, std::span<const std::int32_t> ids, std::span<std::int32_t> out);

}  // namespace kith::cuda
