#include "train/staging/lru.h"

#include <algorithm>

namespace kith {

void Lru::serve(const Request& request, Changes& changes) {
  changes.clear();
  for (const Item item : request.items) {
    if (!list_.has(item)) {
      changes.missed.push_back(item);
      continue;
    }
    list_.remove(item);
    list_.push_front(item);
  }
  // Of more misses than fit, the later ones push out the earlier ones.
  const auto kept = std::min(static_cast<std::int64_t>(changes.missed.size()), capacity_);
  changes.admitted.assign(changes.missed.end() - kept, changes.missed.end());
  while (list_.size() + kept > capacity_) {
    changes.evicted.push_back(list_.back());
    list_.remove(list_.back());
  }
  for (const Item item : changes.admitted) list_.push_front(item);
}

void Lru::take_ahead(std::span<const Item> items, Changes& changes) {
  if (capacity_ == 0) return;
  const auto is_in = [](const std::vector<Item>& all, Item item) {
    return std::find(all.begin(), all.end(), item) != all.end();
  };
  for (const Item item : items) {
    if (list_.has(item) || is_in(changes.evicted, item)) continue;
    if (list_.size() == capacity_) {
      const Item last = list_.back();
      list_.remove(last);
      if (is_in(changes.admitted, last)) {
        std::erase(changes.admitted, last);
      } else {
        changes.evicted.push_back(last);
      }
    }
    list_.push_front(item);
    changes.ahead.push_back(item);
    changes.admitted.push_back(item);
  }
}

}  // namespace kith
