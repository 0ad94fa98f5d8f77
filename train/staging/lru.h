// Least recently used, with room for what a predictor asks for.
#pragma once

#include <cstdint>
#include <span>

#include "train/staging/item_list.h"
#include "train/staging/replacement.h"

namespace kith {

/// Evicts what was asked for longest ago; of one batch, what it touched first. See Replacement.
class Lru final : public Replacement {
 public:
  Lru(Item num_items, std::int64_t capacity) : list_(num_items), capacity_(checked_capacity(capacity)) {}

  void serve(const Request& request, Changes& changes) override;
  bool holds(Item item) const override { return list_.has(item); }
  std::int64_t capacity() const { return capacity_; }

  /// Takes in items that nobody asked for, as the most recent ones, and adds to the changes of the batch just
  /// served. Items that are held, or that the batch evicted, are left out.
  void take_ahead(std::span<const Item> items, Changes& changes);

 private:
  ItemList list_;  ///< most recent first
  std::int64_t capacity_;
};

}  // namespace kith
