#include "train/staging/replacement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <list>
#include <map>

#include "graph/errors.h"
#include "tests/train/staging/staging_traces.h"

namespace kith {
namespace {

using test::ItemBatches;
using test::random_batches;
using Items = std::vector<Item>;

bool has(const Items& items, Item item) { return std::find(items.begin(), items.end(), item) != items.end(); }

/// Replays batches, `window` of them revealed ahead, and checks that the changes tell the truth about the
/// content. Returns the content after each batch, ascending. on_missed is told the misses of each batch.
std::vector<Items> replay(Replacement& cache, const ItemBatches& batches, Item num_items, std::size_t window,
                          std::int64_t capacity, std::int64_t* num_missed = nullptr) {
  std::vector<Items> contents;
  Items before;
  for (Item item = 0; item < num_items; ++item) {
    if (cache.holds(item)) before.push_back(item);
  }
  Changes changes;
  std::size_t revealed = 0;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    while (revealed < std::min(batches.size(), i + 1 + window)) cache.reveal(batches[revealed++]);
    cache.serve({.items = batches[i]}, changes);
    Items after, missed, admitted, evicted;
    for (Item item = 0; item < num_items; ++item) {
      const bool was = has(before, item), is = cache.holds(item);
      if (is) after.push_back(item);
      if (is && !was) admitted.push_back(item);
      if (was && !is) evicted.push_back(item);
    }
    for (const Item item : batches[i]) {
      if (!has(before, item)) missed.push_back(item);
    }
    EXPECT_LE(static_cast<std::int64_t>(after.size()), capacity);
    EXPECT_EQ(changes.missed, missed) << "batch " << i;
    EXPECT_THAT(changes.admitted, ::testing::UnorderedElementsAreArray(admitted)) << "batch " << i;
    EXPECT_THAT(changes.evicted, ::testing::UnorderedElementsAreArray(evicted)) << "batch " << i;
    if (num_missed != nullptr) *num_missed += static_cast<std::int64_t>(missed.size());
    contents.push_back(after);
    before = after;
  }
  return contents;
}

/// LRU on a list: first the hits become recent, in order, then the misses.
std::vector<Items> naive_lru(const ItemBatches& batches, std::size_t capacity) {
  std::list<Item> recent;
  std::vector<Items> contents;
  for (const Items& batch : batches) {
    const std::list<Item> before = recent;
    for (const bool is_hit : {true, false}) {
      for (const Item item : batch) {
        if ((std::find(before.begin(), before.end(), item) != before.end()) != is_hit) continue;
        recent.remove(item);
        recent.push_front(item);
        if (recent.size() > capacity) recent.pop_back();
      }
    }
    Items content(recent.begin(), recent.end());
    std::sort(content.begin(), content.end());
    contents.push_back(content);
  }
  return contents;
}

/// SIEVE as its paper states it, on a vector, newest first.
std::vector<Items> naive_sieve(const ItemBatches& batches, std::size_t capacity) {
  struct Entry {
    Item item;
    bool is_visited;
  };
  std::vector<Entry> queue;
  std::ptrdiff_t hand = -1;  // index; -1 = the tail
  std::vector<Items> contents;
  for (const Items& batch : batches) {
    Items missed;
    for (const Item item : batch) {
      const auto at = std::find_if(queue.begin(), queue.end(), [&](const Entry& e) { return e.item == item; });
      if (at == queue.end()) {
        missed.push_back(item);
      } else {
        at->is_visited = true;
      }
    }
    for (const Item item : missed) {
      if (queue.size() == capacity) {
        std::ptrdiff_t at = hand < 0 ? static_cast<std::ptrdiff_t>(queue.size()) - 1 : hand;
        while (queue[at].is_visited) {
          queue[at].is_visited = false;
          at = at == 0 ? static_cast<std::ptrdiff_t>(queue.size()) - 1 : at - 1;
        }
        hand = at - 1;
        queue.erase(queue.begin() + at);
      }
      queue.insert(queue.begin(), {item, false});
      if (hand >= 0) ++hand;
    }
    Items content;
    for (const Entry& entry : queue) content.push_back(entry.item);
    std::sort(content.begin(), content.end());
    contents.push_back(content);
  }
  return contents;
}

/// Sorts candidates by a scan of the window.
std::vector<Items> naive_lookahead(const ItemBatches& batches, std::size_t capacity, std::size_t window) {
  std::vector<Items> contents;
  Items content;
  std::map<Item, std::size_t> last_use;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    for (const Item item : batches[i]) {
      if (!has(content, item)) content.push_back(item);
      last_use[item] = i;
    }
    const auto key = [&](Item item) {
      std::size_t next = std::numeric_limits<std::size_t>::max();
      for (std::size_t t = std::min(batches.size() - 1, i + window); t > i; --t) {
        if (has(batches[t], item)) next = t;
      }
      return std::tuple(next, batches.size() - last_use[item], item);
    };
    std::sort(content.begin(), content.end(), [&](Item a, Item b) { return key(a) < key(b); });
    if (content.size() > capacity) content.resize(capacity);
    Items sorted = content;
    std::sort(sorted.begin(), sorted.end());
    contents.push_back(sorted);
  }
  return contents;
}

/// The fewest misses of any choice: after each batch any `capacity` of what was held and what was read may
/// stay.
std::int64_t fewest_misses(const ItemBatches& batches, Item num_items, int capacity, bool is_full_at_start) {
  const unsigned num_contents = 1U << num_items;
  constexpr std::int64_t kNever = 1 << 20;
  std::vector<std::int64_t> best(num_contents, kNever);
  for (unsigned content = 0; content < num_contents; ++content) {
    if (content == 0 || (is_full_at_start && __builtin_popcount(content) <= capacity)) best[content] = 0;
  }
  for (const Items& batch : batches) {
    unsigned asked = 0;
    for (const Item item : batch) asked |= 1U << item;
    std::vector<std::int64_t> next(num_contents, kNever);
    for (unsigned content = 0; content < num_contents; ++content) {
      if (best[content] == kNever) continue;
      const std::int64_t cost = best[content] + __builtin_popcount(asked & ~content);
      const unsigned all = content | asked;
      for (unsigned kept = all;; kept = (kept - 1) & all) {
        if (__builtin_popcount(kept) <= capacity) next[kept] = std::min(next[kept], cost);
        if (kept == 0) break;
      }
    }
    best = next;
  }
  return *std::min_element(best.begin(), best.end());
}

std::int64_t bound_misses(const ItemBatches& batches, Item num_items, int capacity, bool is_full_at_start) {
  const auto cache = make_lookahead(num_items, capacity, is_full_at_start);
  for (const Items& batch : batches) cache->reveal(batch);
  std::int64_t missed = 0;
  Changes changes;
  for (const Items& batch : batches) {
    cache->serve({.items = batch}, changes);
    missed += static_cast<std::int64_t>(changes.missed.size());
  }
  return missed;
}

constexpr Item kNumItems = 24;

TEST(Replacement, LruAgreesWithAList) {
  for (const std::int64_t capacity : {0, 1, 5, 9, 30}) {
    const ItemBatches batches = random_batches(kNumItems, 80, 12, 1);
    const auto cache = make_lru(kNumItems, capacity);
    EXPECT_EQ(replay(*cache, batches, kNumItems, 0, capacity), naive_lru(batches, capacity)) << capacity;
  }
}

TEST(Replacement, SieveAgreesWithItsDefinition) {
  for (const std::int64_t capacity : {1, 2, 5, 9, 30}) {
    const ItemBatches batches = random_batches(kNumItems, 80, 12, 2);
    const auto cache = make_sieve(kNumItems, capacity);
    EXPECT_EQ(replay(*cache, batches, kNumItems, 0, capacity), naive_sieve(batches, capacity)) << capacity;
  }
  const auto empty = make_sieve(kNumItems, 0);
  EXPECT_THAT(replay(*empty, random_batches(kNumItems, 5, 12, 2), kNumItems, 0, 0),
              ::testing::Each(::testing::IsEmpty()));
}

TEST(Replacement, LookaheadAgreesWithAScanOfItsWindow) {
  for (const std::int64_t capacity : {0, 1, 5, 9, 30}) {
    for (const std::size_t window : {0, 1, 3, 100}) {
      const ItemBatches batches = random_batches(kNumItems, 60, 12, 3);
      const auto cache = make_lookahead(kNumItems, capacity);
      EXPECT_EQ(replay(*cache, batches, kNumItems, window, capacity),
                naive_lookahead(batches, capacity, window))
          << capacity << " items, window " << window;
    }
  }
}

TEST(Replacement, WholeLookaheadMissesAsLittleAsAnyChoice) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    constexpr Item kFew = 6;
    const ItemBatches batches = random_batches(kFew, 7, 4, seed);
    for (const int capacity : {1, 2, 3}) {
      for (const bool is_full : {false, true}) {
        EXPECT_EQ(bound_misses(batches, kFew, capacity, is_full),
                  fewest_misses(batches, kFew, capacity, is_full))
            << "seed " << seed << ", " << capacity;
      }
    }
  }
}

TEST(Replacement, NothingBeatsTheBound) {
  using Maker = std::function<std::unique_ptr<Replacement>(std::int64_t)>;
  const std::vector<Maker> makers = {
      [](std::int64_t) { return make_no_replacement(); },
      [](std::int64_t capacity) { return make_lru(kNumItems, capacity); },
      [](std::int64_t capacity) { return make_sieve(kNumItems, capacity); },
      [](std::int64_t capacity) { return make_lookahead(kNumItems, capacity); },
  };
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const ItemBatches batches = random_batches(kNumItems, 50, 10, seed);
    for (const int capacity : {1, 4, 10}) {
      const std::int64_t fewest = bound_misses(batches, kNumItems, capacity, true);
      for (const Maker& make : makers) {
        std::int64_t missed = 0;
        replay(*make(capacity), batches, kNumItems, seed % 5, capacity, &missed);
        EXPECT_GE(missed, fewest) << "seed " << seed;
      }
    }
  }
}

TEST(Replacement, RefusesANegativeCapacity) {
  EXPECT_THROW(make_lru(4, -1), InvalidArgument);
  EXPECT_THROW(make_sieve(4, -1), InvalidArgument);
  EXPECT_THROW(make_lookahead(4, -1), InvalidArgument);
}

}  // namespace
}  // namespace kith
