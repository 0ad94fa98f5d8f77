// Which items (pages, or rows) a cache of fixed size holds. One batch asks for all its items at once, so what
// is a hit is judged against the content before the batch, and a missed item need not be kept: it is read for
// the batch in any case, and keeping it is a choice.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace kith {

/// An item of [0, num_items).
using Item = std::int32_t;

/// What one batch asks for.
struct Request {
  std::span<const Item> items;  ///< each once, in the order of first touch
  std::int32_t context = 0;     ///< where the batch comes from: the community of most of its roots
};

/// What serving a batch did to a cache. An item that came and went within it is neither admitted nor evicted.
struct Changes {
  std::vector<Item> missed;    ///< asked for and not held before, in order
  std::vector<Item> ahead;     ///< read although nobody asked for it
  std::vector<Item> admitted;  ///< held now and not before; among missed or ahead
  std::vector<Item> evicted;   ///< held before and not now

  void clear() {
    missed.clear();
    ahead.clear();
    admitted.clear();
    evicted.clear();
  }
};

/// Holds at most `capacity` items. One thread at a time; the same calls give the same content everywhere.
class Replacement {
 public:
  virtual ~Replacement() = default;

  /// Tells of a batch that is still to come, in order, each before it is served. Only those that look ahead
  /// listen.
  virtual void reveal(std::span<const Item> /*items*/) {}

  /// Serves the next batch and says what changed (overwritten).
  virtual void serve(const Request& request, Changes& changes) = 0;

  virtual bool holds(Item item) const = 0;
};

/// Returns it, or throws InvalidArgument if it is negative.
std::int64_t checked_capacity(std::int64_t capacity);

/// Never holds anything.
std::unique_ptr<Replacement> make_no_replacement();

/// Evicts what was asked for longest ago; of one batch, what it touched first.
std::unique_ptr<Replacement> make_lru(Item num_items, std::int64_t capacity);

/// SIEVE (Zhang et al., NSDI 2024): a queue whose hand spares, once, what was asked for since it last came by.
std::unique_ptr<Replacement> make_sieve(Item num_items, std::int64_t capacity);

/// Belady's rule with bypass over what reveal() told: keeps what is asked for soonest. Of the items whose next
/// use is not known yet it keeps those used last, so with nothing revealed it is LRU by batch.
/// is_full_at_start: starts with the best content for the batches that were revealed before the first one is
/// served. With all batches revealed no content of `capacity` items gives fewer misses.
std::unique_ptr<Replacement> make_lookahead(Item num_items, std::int64_t capacity,
                                            bool is_full_at_start = false);

}  // namespace kith
