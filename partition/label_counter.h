// Adds up weights by label: the inner loop of label propagation and of the quotient graph.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace kith {

/// A small open-addressing table, reused from node to node; one per thread.
class LabelCounter {
 public:
  struct Entry {
    std::int32_t label;
    std::int64_t weight;
  };

  /// Empties the table and makes room for `max_labels` different labels.
  void reset(std::size_t max_labels) {
    std::size_t wanted = 16;
    while (wanted < 2 * max_labels) wanted *= 2;
    if (wanted > slots_.size()) {
      slots_.assign(wanted, kEmpty);
    } else {
      for (const std::size_t slot : used_) slots_[slot] = kEmpty;
    }
    entries_.clear();
    used_.clear();
  }

  void add(std::int32_t label, std::int64_t weight) {
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = (static_cast<std::uint32_t>(label) * 2654435769U >> 7) & mask;
    while (slots_[slot] != kEmpty) {
      Entry& entry = entries_[static_cast<std::size_t>(slots_[slot])];
      if (entry.label == label) {
        entry.weight += weight;
        return;
      }
      slot = (slot + 1) & mask;
    }
    slots_[slot] = static_cast<std::int32_t>(entries_.size());
    used_.push_back(slot);
    entries_.push_back({label, weight});
  }

  /// In the order in which the labels came first.
  std::span<Entry> entries() { return entries_; }

 private:
  static constexpr std::int32_t kEmpty = -1;
  std::vector<std::int32_t> slots_;  ///< position in entries_, or kEmpty
  std::vector<std::size_t> used_;
  std::vector<Entry> entries_;
};

}  // namespace kith
