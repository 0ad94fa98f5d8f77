#include "train/staging/replacement.h"

#include <algorithm>
#include <utility>

#include "graph/errors.h"
#include "train/staging/item_list.h"
#include "train/staging/lru.h"

namespace kith {
namespace {

class NoReplacement final : public Replacement {
 public:
  void serve(const Request& request, Changes& changes) override {
    changes.clear();
    changes.missed.assign(request.items.begin(), request.items.end());
  }
  bool holds(Item) const override { return false; }
};

class Sieve final : public Replacement {
 public:
  Sieve(Item num_items, std::int64_t capacity)
      : queue_(num_items),
        capacity_(checked_capacity(capacity)),
        is_visited_(static_cast<std::size_t>(num_items)),
        hand_(queue_.end()) {}

  void serve(const Request& request, Changes& changes) override {
    changes.clear();
    for (const Item item : request.items) {
      if (queue_.has(item)) {
        is_visited_[item] = true;
      } else {
        changes.missed.push_back(item);
      }
    }
    if (capacity_ == 0) return;
    std::vector<Item> gone;
    for (const Item item : changes.missed) {
      if (queue_.size() == capacity_) gone.push_back(evict());
      is_visited_[item] = false;
      queue_.push_front(item);
    }
    for (const Item item : changes.missed) {
      if (queue_.has(item)) changes.admitted.push_back(item);
    }
    // What was evicted is either from before the batch, or a miss that the batch itself pushed out again.
    std::vector<Item> missed = changes.missed;
    std::sort(missed.begin(), missed.end());
    for (const Item item : gone) {
      if (!std::binary_search(missed.begin(), missed.end(), item)) changes.evicted.push_back(item);
    }
  }

  bool holds(Item item) const override { return queue_.has(item); }

 private:
  Item evict() {
    Item item = hand_ == queue_.end() ? queue_.back() : hand_;
    while (is_visited_[item]) {
      is_visited_[item] = false;
      item = queue_.before(item) == queue_.end() ? queue_.back() : queue_.before(item);
    }
    hand_ = queue_.before(item);
    queue_.remove(item);
    return item;
  }

  ItemList queue_;  ///< newest first
  std::int64_t capacity_;
  std::vector<bool> is_visited_;
  Item hand_;
};

}  // namespace

std::int64_t checked_capacity(std::int64_t capacity) {
  KITH_CHECK(capacity >= 0, InvalidArgument, "staging: a cache must have 0 items or more, got ", capacity);
  return capacity;
}

std::unique_ptr<Replacement> make_no_replacement() { return std::make_unique<NoReplacement>(); }

std::unique_ptr<Replacement> make_lru(Item num_items, std::int64_t capacity) {
  return std::make_unique<Lru>(num_items, capacity);
}

std::unique_ptr<Replacement> make_sieve(Item num_items, std::int64_t capacity) {
  return std::make_unique<Sieve>(num_items, capacity);
}

}  // namespace kith
