// Rows of bytes in a device's memory whose content the host decides: the fast tier of feature staging.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "kernels/tensor.h"

namespace kith {

/// Row from[i] of one place goes to row to[i] of another. No row is a target twice.
struct RowMoves {
  std::vector<std::int32_t> from, to;

  void add(std::int64_t source, std::int64_t target) {
    from.push_back(static_cast<std::int32_t>(source));
    to.push_back(static_cast<std::int32_t>(target));
  }
  void reserve(std::size_t count) {
    from.reserve(count);
    to.reserve(count);
  }
  std::int64_t size() const { return static_cast<std::int64_t>(from.size()); }
};

/// How the rows of one batch come together, and what of them the tier keeps. What is in `copies` arrives in
/// `incoming`, one run after another; a slot is a row of the tier.
///
/// Example, a batch of rows A B C, the tier holds A in slot 5 and is to hold C there from now on; B and C lie
/// one behind the other in pinned memory:
///   num_rows = 3, copies = [{address of B, 2}], hits = 5 -> 0, arrived = 0 -> 1, 1 -> 2, kept = 1 -> 5
struct RowTransfer {
  /// Rows that lie one behind the other in pinned memory.
  struct Run {
    const std::byte* data;
    std::int64_t count;
  };
  std::int64_t num_rows = 0;         ///< of the batch
  std::vector<Run> copies;           ///< to `incoming`
  const std::byte* table = nullptr;  ///< rows in pinned memory that `read` picks from
  RowMoves hits;                     ///< slot -> place in the batch
  RowMoves read;                     ///< row of `table` -> place: the device reads it over the bus
  RowMoves arrived;                  ///< row of `incoming` -> place
  RowMoves kept;                     ///< row of `incoming` -> slot
  RowMoves kept_of_batch;            ///< place -> slot
};

/// Owns the slots, and a stream that all transfers run on one after another, beside the backend's operations.
/// So a slot is only overwritten when every batch before has its rows, whoever still computes on it: a batch
/// gets rows of its own. One thread at a time.
class RowTier {
 public:
  virtual ~RowTier() = default;

  /// Host memory that the device reads, and that it copies from beside its work. Throws EnvironmentError.
  virtual Tensor::Buffer pinned(std::size_t bytes) = 0;

  /// Pinned room for `num_rows` rows that the next transfer may copy. There are two in turn: waits for the
  /// transfer before the last one.
  virtual std::byte* block(std::int64_t num_rows) = 0;

  /// Array 0 of the result: [num_rows x row_bytes], array 1: int32 0, 1, 2, ... [num_rows], both after
  /// Backend::wait_for. Returns before anything has moved. What `copies` and `table` name must stay, but for
  /// block(). Throws EnvironmentError without memory.
  virtual DeviceArrays transfer(const RowTransfer& transfer) = 0;

  /// For a tier that no transfer changes from now on. table: rows in pinned memory, which must stay. slot_of:
  /// [rows of the table] where the tier holds each of them, or -1.
  virtual void fix(const std::byte* table, std::span<const std::int32_t> slot_of) = 0;

  /// The rows of the table that array 0 of `ids`, int32, names, from their slots or else over the bus: the
  /// device looks them up, and waits for `ids` itself. Arrays 0 and 1 as above, array 2: double [1], how many
  /// came from slots. The result keeps `ids`. Only after fix(). Throws EnvironmentError without memory.
  virtual DeviceArrays pick(DeviceArrays ids) = 0;

  /// Copies an array of the device to the host, and waits for it but not for transfers.
  virtual void download(const DeviceArrays& arrays, std::size_t index, std::span<std::byte> to) = 0;
};

/// num_slots: >= 0; row_bytes: even. The backend must outlive it. Throws InvalidArgument for a backend other
/// than CUDA, DeviceError in a build without it, EnvironmentError without memory.
std::unique_ptr<RowTier> make_row_tier(Backend& backend, std::int64_t num_slots, std::size_t row_bytes);

}  // namespace kith
