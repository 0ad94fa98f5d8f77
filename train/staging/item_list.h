// A doubly linked list of items in two arrays: every operation is O(1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "train/staging/replacement.h"

namespace kith {

/// Each item of [0, num_items) at most once.
class ItemList {
 public:
  explicit ItemList(Item num_items)
      : end_(num_items),
        next_(static_cast<std::size_t>(num_items) + 1, kOutside),
        previous_(static_cast<std::size_t>(num_items) + 1, kOutside) {
    next_[end_] = previous_[end_] = end_;
  }

  bool has(Item item) const { return next_[item] != kOutside; }
  std::int64_t size() const { return size_; }
  Item end() const { return end_; }  ///< what lies before the front and after the back
  Item back() const { return previous_[end_]; }
  Item before(Item item) const { return previous_[item]; }

  void push_front(Item item) {
    next_[item] = next_[end_];
    previous_[item] = end_;
    previous_[next_[end_]] = item;
    next_[end_] = item;
    ++size_;
  }

  void remove(Item item) {
    next_[previous_[item]] = next_[item];
    previous_[next_[item]] = previous_[item];
    next_[item] = previous_[item] = kOutside;
    --size_;
  }

 private:
  static constexpr Item kOutside = -1;

  Item end_;
  std::vector<Item> next_, previous_;
  std::int64_t size_ = 0;
};

}  // namespace kith
