// Sorts more records than fit in memory: sorted runs in a file, merged as often as the buffers make it
// necessary.
#pragma once

#include <tbb/parallel_sort.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "graph/run_file.h"
#include "graph/scratch.h"

namespace kith {

/// Record: plain bytes with an operator< that is a total order. Fold: bool(Record& kept, const Record& next),
/// called for neighbours in the sorted order; true if `next` is taken up in `kept` and vanishes. It is called
/// in some order that depends on the memory, so what it does to the records must not.
///
/// Example, records 3 1 2 1 with room for two of them, Fold true for equals: the runs are {1, 3} and {1, 2},
/// and finish() visits 1 2 3.
template <typename Record, typename Fold>
class ExternalSorter {
  static_assert(std::is_trivially_copyable_v<Record>);

 public:
  /// scratch must outlive the sorter.
  ExternalSorter(Scratch& scratch, Fold fold)
      : scratch_(scratch),
        fold_(std::move(fold)),
        capacity_(std::max<std::size_t>(8, scratch.sort_bytes() / sizeof(Record))) {}

  /// Throws IoError or EnvironmentError if a run cannot be written.
  void add(const Record& record) {
    if (buffer_.size() == buffer_.capacity()) make_room();
    buffer_.push_back(record);
  }

  /// Calls visit(std::span<const Record>) with all records, in order. To be called once.
  template <typename Visit>
  void finish(const Visit& visit) {
    sort_buffer();
    if (runs_.empty()) {
      if (!buffer_.empty()) visit(std::span<const Record>(buffer_));
      buffer_ = {};
      return;
    }
    spill();
    buffer_.resize(capacity_);
    while (runs_.size() > max_inputs()) merge_once();
    merge(runs_, [&](std::span<const Record> records) { visit(records); });
    buffer_ = {};
  }

 private:
  struct Run {
    std::uint64_t offset;  ///< bytes
    std::uint64_t count;   ///< records
  };

  /// A run while it is read.
  struct Input {
    Run rest;                    ///< not yet read
    std::span<Record> block;     ///< its part of the buffer
    std::span<const Record> in;  ///< of the block, not yet merged
  };

  static constexpr std::size_t kUsualBlock = std::size_t{256} << 10;  ///< bytes: a read worth its seek

  /// Takes a little memory first, then all of it at once (growing step by step would need the old and the new
  /// buffer), and then makes runs.
  void make_room() {
    if (buffer_.capacity() < capacity_) {
      buffer_.reserve(buffer_.capacity() == 0 ? std::min<std::size_t>(1024, capacity_) : capacity_);
      return;
    }
    sort_buffer();
    // Where much was folded, the buffer is filled up again first.
    if (buffer_.size() > capacity_ / 2) spill();
  }

  void sort_buffer() {
    tbb::parallel_sort(buffer_.begin(), buffer_.end());
    std::size_t kept = 0;
    for (std::size_t i = 1; i < buffer_.size(); ++i) {
      if (!fold_(buffer_[kept], buffer_[i])) buffer_[++kept] = buffer_[i];
    }
    if (!buffer_.empty()) buffer_.resize(kept + 1);
  }

  void spill() {
    if (buffer_.empty()) return;
    if (runs_.empty()) file_.emplace_back(scratch_.folder);
    runs_.push_back({file_.back().num_bytes(), buffer_.size()});
    append(buffer_);
    buffer_.clear();
  }

  void append(std::span<const Record> records) {
    file_.back().append(std::as_bytes(records));
    scratch_.written_bytes += static_cast<std::int64_t>(records.size_bytes());
  }

  std::size_t max_inputs() const {
    return std::clamp<std::size_t>(capacity_ * sizeof(Record) / kUsualBlock, 2, 512);
  }

  /// Every max_inputs() runs become one, in a new file.
  void merge_once() {
    const std::vector<Run> before = std::exchange(runs_, {});
    file_.emplace_back(scratch_.folder);
    for (std::size_t first = 0; first < before.size(); first += max_inputs()) {
      const std::span<const Run> group =
          std::span(before).subspan(first, std::min(max_inputs(), before.size() - first));
      Run made{file_.back().num_bytes(), 0};
      merge(group, [&](std::span<const Record> records) {
        append(records);
        made.count += records.size();
      });
      runs_.push_back(made);
    }
    file_.erase(file_.begin());
  }

  bool refill(Input& input) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(input.rest.count, input.block.size()));
    input.in = input.block.first(count);
    if (count == 0) return false;
    file_.front().read(input.rest.offset, std::as_writable_bytes(input.block.first(count)));
    input.rest.offset += count * sizeof(Record);
    input.rest.count -= count;
    return true;
  }

  /// The buffer in as many blocks as there are runs, and one for what comes out.
  template <typename Emit>
  void merge(std::span<const Run> runs, const Emit& emit) {
    const std::size_t block = buffer_.size() / (runs.size() + 1);
    std::vector<Input> heap;  // the least record on top
    for (std::size_t r = 0; r < runs.size(); ++r) {
      Input input{runs[r], std::span(buffer_).subspan((r + 1) * block, block), {}};
      if (refill(input)) heap.push_back(input);
    }
    const auto is_later = [](const Input& a, const Input& b) { return b.in.front() < a.in.front(); };
    std::make_heap(heap.begin(), heap.end(), is_later);
    const std::span<Record> out = std::span(buffer_).first(block);
    std::size_t filled = 0;
    while (!heap.empty()) {
      Input& top = heap.front();
      const Record next = top.in.front();
      top.in = top.in.subspan(1);
      const bool is_over = top.in.empty() && !refill(top);
      if (is_over) {
        std::swap(top, heap.back());
        heap.pop_back();
      }
      sift_down(heap);
      if (filled > 0 && fold_(out[filled - 1], next)) continue;
      if (filled == out.size()) {
        // The last one stays, since what comes next may fold into it.
        emit(std::span<const Record>(out).first(filled - 1));
        out[0] = out[filled - 1];
        filled = 1;
      }
      out[filled++] = next;
    }
    if (filled > 0) emit(std::span<const Record>(out).first(filled));
  }

  /// Puts the top of the heap where it belongs, after its record changed.
  static void sift_down(std::vector<Input>& heap) {
    for (std::size_t i = 0, child = 1; child < heap.size(); i = child, child = 2 * i + 1) {
      if (child + 1 < heap.size() && heap[child + 1].in.front() < heap[child].in.front()) ++child;
      if (!(heap[child].in.front() < heap[i].in.front())) return;
      std::swap(heap[i], heap[child]);
    }
  }

  Scratch& scratch_;
  Fold fold_;
  std::size_t capacity_;        ///< records
  std::vector<Record> buffer_;  ///< a run in the making, later the blocks of a merge
  std::vector<RunFile> file_;   ///< that of the runs, and while they are merged the next one
  std::vector<Run> runs_;
};

}  // namespace kith
