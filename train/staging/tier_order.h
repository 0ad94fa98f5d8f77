// The order in which batches pass through tiers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

#include "graph/errors.h"

namespace kith {

/// Takes batches through tiers of features, which must see them in order: each is drawn and revealed as far
/// ahead as the policy wants to know, begun num_ahead batches before it is asked for, so that a disk never
/// waits for drawing or copying, and finished. One thread at a time.
///
/// Steps of take() say how: Item draw(std::size_t index), void reveal(Item&), void begin(Item&) and void
/// finish(Item&), which waits for the rows of the oldest one begun.
template <typename Item>
class TierOrder {
 public:
  TierOrder(std::int32_t lookahead, std::size_t num_ahead)
      : lookahead_(static_cast<std::size_t>(lookahead)), num_ahead_(num_ahead) {}

  /// Batch `index` of an epoch of num_batches: in order, from any one on. Throws what the steps throw, and
  /// EnvironmentError ever after: the tiers are then of no use.
  template <typename Steps>
  Item take(std::int32_t epoch, std::size_t index, std::size_t num_batches, Steps& steps) {
    // Batches may be asked for until somebody hears of one that failed.
    KITH_CHECK(!has_failed_, EnvironmentError, "staging: an earlier batch failed");
    has_failed_ = true;  // until this one is done
    if (index != next_index_ || epoch != epoch_) go_to(epoch, index, steps);
    ++next_index_;
    const std::size_t end = std::min(num_batches, index + 1 + num_ahead_);
    while (index + begun_.size() < end) begin_next(num_batches, steps);
    steps.finish(begun_.front());
    Item item = std::move(begun_.front());
    begun_.pop_front();
    has_failed_ = false;
    return item;
  }

 private:
  /// Serves what an epoch that was left in the middle had revealed: the tiers keep the order.
  template <typename Steps>
  void go_to(std::int32_t epoch, std::size_t index, Steps& steps) {
    for (; !begun_.empty(); begun_.pop_front()) steps.finish(begun_.front());
    for (; !ahead_.empty(); ahead_.pop_front()) {
      steps.begin(ahead_.front());
      steps.finish(ahead_.front());
    }
    epoch_ = epoch;
    next_index_ = num_drawn_ = index;
  }

  /// Of the batches that are not begun, the first one.
  template <typename Steps>
  void begin_next(std::size_t num_batches, Steps& steps) {
    const std::size_t index = num_drawn_ - ahead_.size();
    const std::size_t end = std::min(num_batches, index + 1 + lookahead_);
    for (; num_drawn_ < end; ++num_drawn_) {
      ahead_.push_back(steps.draw(num_drawn_));
      steps.reveal(ahead_.back());
    }
    begun_.push_back(std::move(ahead_.front()));
    ahead_.pop_front();
    steps.begin(begun_.back());
  }

  std::size_t lookahead_, num_ahead_;
  std::deque<Item> ahead_;  ///< revealed and not begun
  std::deque<Item> begun_;  ///< their rows are on the way
  bool has_failed_ = false;
  std::int32_t epoch_ = -1;     ///< the present one
  std::size_t next_index_ = 0;  ///< of its batches, to be taken
  std::size_t num_drawn_ = 0;   ///< index of the next one to reveal
};

}  // namespace kith
