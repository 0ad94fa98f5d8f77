// A RowTier that stays as it is, and what picks from it must give.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "kernels/row_tier.h"

namespace kith::test {

/// The slots hold other bytes than the table, so that a row shows where it came from.
class FixedRows {
 public:
  static constexpr std::int64_t kSlots = 12, kTableRows = 30;

  struct Picked {
    DeviceArrays arrays;
    std::vector<std::byte> rows;  ///< what they must be, as the rest
    std::vector<std::int32_t> numbers;
    double num_hits = 0;
  };

  FixedRows(Backend& backend, std::size_t row_bytes, std::uint64_t seed)
      : tier(make_row_tier(backend, kSlots, row_bytes)),
        backend_(backend),
        row_bytes_(row_bytes),
        random_(seed),
        table_(tier->pinned(kTableRows * row_bytes)),
        slots_(tier->pinned(kSlots * row_bytes)),
        slot_of_(kTableRows, -1) {
    scribble(table_.get(), kTableRows);
    scribble(slots_.get(), kSlots);
    RowTransfer fill;
    fill.copies = {{.data = slots_.get(), .count = kSlots}};
    for (std::int32_t slot = 0; slot < kSlots; ++slot) {
      fill.kept.add(slot, slot);
      slot_of_[static_cast<std::size_t>((7 * slot + 3) % kTableRows)] = slot;
    }
    tier->transfer(fill);
    tier->fix(table_.get(), slot_of_);
  }

  ~FixedRows() { tier.reset(); }  // waits for what still reads the table
  FixedRows(const FixedRows&) = delete;
  FixedRows& operator=(const FixedRows&) = delete;

  /// `count` random rows.
  Picked next(std::int64_t count) {
    Picked out;
    std::vector<std::int32_t> ids;
    for (std::int32_t i = 0; i < count; ++i) {
      const auto id = static_cast<std::size_t>(random_() % kTableRows);
      const std::int32_t slot = slot_of_[id];
      const std::byte* const row = slot < 0 ? table_.get() + id * row_bytes_
                                            : slots_.get() + static_cast<std::size_t>(slot) * row_bytes_;
      ids.push_back(static_cast<std::int32_t>(id));
      out.rows.insert(out.rows.end(), row, row + row_bytes_);
      out.numbers.push_back(i);
      out.num_hits += slot < 0 ? 0 : 1;
    }
    out.arrays = tier->pick(backend_.to_device(std::span<const std::int32_t>(ids)));
    return out;
  }

  template <typename T>
  std::vector<T> array_of(const DeviceArrays& arrays, std::size_t index) {
    std::vector<T> values(arrays.get<T>(index).size());
    tier->download(arrays, index, std::as_writable_bytes(std::span(values)));
    return values;
  }

  std::unique_ptr<RowTier> tier;

 private:
  void scribble(std::byte* rows, std::int64_t count) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(count) * row_bytes_; ++i) {
      rows[i] = static_cast<std::byte>(random_());
    }
  }

  Backend& backend_;
  std::size_t row_bytes_;
  std::mt19937_64 random_;
  Tensor::Buffer table_, slots_;
  std::vector<std::int32_t> slot_of_;
};

}  // namespace kith::test
