// Random transfers to a RowTier, and what they must give.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "kernels/row_tier.h"

namespace kith::test {

/// Rows as bytes in host memory.
class ByteRows {
 public:
  ByteRows(std::int64_t count, std::size_t row_bytes)
      : row_bytes_(row_bytes), bytes_(static_cast<std::size_t>(count) * row_bytes) {}

  std::byte* row(std::int64_t i) { return bytes_.data() + static_cast<std::size_t>(i) * row_bytes_; }
  void set(std::int64_t i, const std::byte* from) { std::memcpy(row(i), from, row_bytes_); }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::size_t row_bytes_;
  std::vector<std::byte> bytes_;
};

/// Makes one random transfer after another, and does on the host what the tier is to do.
class RandomTransfers {
 public:
  static constexpr std::int64_t kSlots = 12, kTableRows = 30;

  RandomTransfers(Backend& backend, std::size_t row_bytes, std::uint64_t seed)
      : tier(make_row_tier(backend, kSlots, row_bytes)),
        row_bytes_(row_bytes),
        random_(seed),
        table_(tier->pinned(kTableRows * row_bytes)),
        slots_(kSlots, row_bytes) {
    scribble(table_.get(), kTableRows);
  }

  ~RandomTransfers() { tier.reset(); }  // waits for what still reads the table
  RandomTransfers(const RandomTransfers&) = delete;
  RandomTransfers& operator=(const RandomTransfers&) = delete;

  /// The rows of a batch on the device; `expected` gets what they must be.
  DeviceArrays next(std::vector<std::byte>& expected) {
    RowTransfer transfer;
    transfer.table = table_.get();
    std::byte* const block = tier->block(kBlockRows);
    scribble(block, kBlockRows);  // must not spoil what an earlier transfer has yet to copy
    const std::int64_t in_table = below(kTableRows - 5);
    transfer.copies = {{.data = row_of(table_.get(), in_table), .count = 5},
                       {.data = block, .count = kBlockRows}};
    const auto incoming = [&](std::int64_t i) {
      return i < 5 ? row_of(table_.get(), in_table + i) : row_of(block, i - 5);
    };
    transfer.num_rows = 10 + below(5);
    ByteRows batch(transfer.num_rows, row_bytes_);
    for (const std::int64_t place : shuffled(transfer.num_rows)) {
      const std::int64_t kind = below(held_.empty() ? 2 : 3);
      if (kind == 0) {
        const std::int64_t i = below(5 + kBlockRows);
        transfer.arrived.add(i, place);
        batch.set(place, incoming(i));
      } else if (kind == 1) {
        const std::int64_t i = below(kTableRows);
        transfer.read.add(i, place);
        batch.set(place, row_of(table_.get(), i));
      } else {
        const std::int64_t slot =
            held_[static_cast<std::size_t>(below(static_cast<std::int64_t>(held_.size())))];
        transfer.hits.add(slot, place);
        batch.set(place, slots_.row(slot));
      }
    }
    const std::vector<std::int64_t> targets = shuffled(kSlots);  // most of what is held is evicted every time
    for (std::int64_t i = 0; i < 5; ++i) {
      transfer.kept.add(i, targets[i]);
      transfer.kept_of_batch.add(i, targets[i + 5]);
    }
    DeviceArrays arrays = tier->transfer(transfer);
    for (std::int64_t i = 0; i < 5; ++i) {
      slots_.set(targets[i], incoming(i));
      slots_.set(targets[i + 5], batch.row(i));
    }
    for (std::int64_t i = 0; i < 10; ++i) {
      if (std::ranges::find(held_, targets[i]) == held_.end()) held_.push_back(targets[i]);
    }
    expected = batch.bytes();
    return arrays;
  }

  std::vector<std::byte> rows_of(const DeviceArrays& arrays) {
    std::vector<std::byte> rows(arrays.get<std::byte>(0).size());
    tier->download(arrays, 0, rows);
    return rows;
  }

  std::unique_ptr<RowTier> tier;

 private:
  static constexpr std::int64_t kBlockRows = 4;

  std::int64_t below(std::int64_t bound) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(bound));
  }
  std::byte* row_of(std::byte* rows, std::int64_t i) const {
    return rows + static_cast<std::size_t>(i) * row_bytes_;
  }
  void scribble(std::byte* rows, std::int64_t count) {
    std::generate_n(rows, static_cast<std::size_t>(count) * row_bytes_,
                    [&] { return static_cast<std::byte>(random_()); });
  }
  std::vector<std::int64_t> shuffled(std::int64_t count) {
    std::vector<std::int64_t> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    std::ranges::shuffle(all, random_);
    return all;
  }

  std::size_t row_bytes_;
  std::mt19937_64 random_;
  Tensor::Buffer table_;
  ByteRows slots_;
  std::vector<std::int64_t> held_;
};

}  // namespace kith::test
