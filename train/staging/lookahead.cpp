#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>

#include "train/staging/replacement.h"

namespace kith {
namespace {

constexpr std::int32_t kUnknown = std::numeric_limits<std::int32_t>::max();

/// The known batches of every item, soonest first, in one pool of cells.
class KnownUses {
 public:
  explicit KnownUses(Item num_items)
      : first_(static_cast<std::size_t>(num_items), kNone), last_(static_cast<std::size_t>(num_items), kNone) {}

  void push(Item item, std::int32_t batch) {
    std::int32_t cell = free_;
    if (cell == kNone) {
      cell = static_cast<std::int32_t>(cells_.size());
      cells_.push_back({});
    } else {
      free_ = cells_[cell].next;
    }
    cells_[cell] = {.batch = batch, .next = kNone};
    (first_[item] == kNone ? first_[item] : cells_[last_[item]].next) = cell;
    last_[item] = cell;
  }

  std::int32_t soonest(Item item) const {
    return first_[item] == kNone ? kUnknown : cells_[first_[item]].batch;
  }

  void pop(Item item) {
    const std::int32_t cell = first_[item];
    first_[item] = cells_[cell].next;
    cells_[cell].next = free_;
    free_ = cell;
  }

 private:
  static constexpr std::int32_t kNone = -1;
  struct Cell {
    std::int32_t batch = 0;
    std::int32_t next = kNone;
  };
  std::vector<Cell> cells_;
  std::vector<std::int32_t> first_, last_;  ///< cells of an item
  std::int32_t free_ = kNone;
};

/// Exact with every batch revealed: a hit is an interval between two uses of an item during which it is held,
/// at most `capacity` intervals may lie over one another, and of intervals the ones that end first leave the
/// most room, at every batch anew.
class Lookahead final : public Replacement {
 public:
  Lookahead(Item num_items, std::int64_t capacity, bool is_full_at_start)
      : uses_(num_items),
        capacity_(static_cast<std::size_t>(checked_capacity(capacity))),
        is_held_(static_cast<std::size_t>(num_items)),
        last_use_(static_cast<std::size_t>(num_items), -1),
        is_full_at_start_(is_full_at_start) {}

  void reveal(std::span<const Item> items) override {
    for (const Item item : items) uses_.push(item, num_revealed_);
    ++num_revealed_;
  }

  void serve(const Request& request, Changes& changes) override {
    changes.clear();
    if (now_ == 0 && is_full_at_start_) fill();
    for (const Item item : request.items) {
      if (uses_.soonest(item) == now_) uses_.pop(item);
      if (!is_held_[item]) changes.missed.push_back(item);
      last_use_[item] = now_;
    }
    ++now_;
    held_.insert(held_.end(), changes.missed.begin(), changes.missed.end());
    for (std::size_t i = keep_best(); i < held_.size(); ++i) {
      if (is_held_[held_[i]]) changes.evicted.push_back(held_[i]);
      is_held_[held_[i]] = false;
    }
    held_.resize(std::min(held_.size(), capacity_));
    for (const Item item : held_) {
      if (!is_held_[item]) changes.admitted.push_back(item);
      is_held_[item] = true;
    }
  }

  bool holds(Item item) const override { return is_held_[item]; }

 private:
  /// Moves the items worth keeping to the front of held_ and returns how many they are.
  std::size_t keep_best() {
    if (held_.size() <= capacity_) return held_.size();
    const auto is_better = [this](Item a, Item b) {
      const std::int32_t next_a = uses_.soonest(a), next_b = uses_.soonest(b);
      if (next_a != next_b) return next_a < next_b;
      if (last_use_[a] != last_use_[b]) return last_use_[a] > last_use_[b];
      return a < b;
    };
    std::nth_element(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(capacity_), held_.end(),
                     is_better);
    return capacity_;
  }

  void fill() {
    held_.resize(is_held_.size());
    std::iota(held_.begin(), held_.end(), Item{0});
    held_.resize(keep_best());
    for (const Item item : held_) is_held_[item] = true;
  }

  KnownUses uses_;
  std::size_t capacity_;
  std::vector<bool> is_held_;
  std::vector<std::int32_t> last_use_;  ///< batch
  std::vector<Item> held_;
  std::int32_t num_revealed_ = 0;
  std::int32_t now_ = 0;  ///< the batch to serve next
  bool is_full_at_start_;
};

}  // namespace

std::unique_ptr<Replacement> make_lookahead(Item num_items, std::int64_t capacity, bool is_full_at_start) {
  return std::make_unique<Lookahead>(num_items, capacity, is_full_at_start);
}

}  // namespace kith
