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

/// out[ids[i]] = i.
void number_rows(const Context& context, std::span<const std::int32_t> ids, std::span<std::int32_t> out);

}  // namespace kith::cuda
