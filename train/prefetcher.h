// Makes items ahead of their consumer, in order, on background threads.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "train/kept_thread.h"

namespace kith {

/// Calls make(i) for i in [begin, end) on `num_workers` threads and hands the results out in order of i. At
/// most `depth` items are made and not yet taken. depth 0 makes each item inside next(), on the caller's
/// thread: the same items, as make must be a pure function of i (and safe to call from several threads). An
/// exception of make(i) comes out of the next() that would have returned item i, and ends the stream.
template <typename T>
class Prefetcher {
 public:
  Prefetcher(std::size_t begin, std::size_t end, std::size_t depth, std::function<T(std::size_t)> make,
             std::size_t num_workers = 1)
      : make_(std::move(make)), end_(end), next_to_make_(begin), next_to_take_(begin), slots_(depth) {
    try {
      for (std::size_t i = 0; i < std::min(depth, num_workers); ++i) {
        workers_.emplace_back([this] { work(); });
      }
    } catch (...) {
      stop();  // no destructor will: without memory or threads for all of them, those that run must end
      throw;
    }
  }

  ~Prefetcher() { stop(); }

  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;

  /// The next item, or nothing after the last one or after an exception.
  std::optional<T> next() {
    if (next_to_take_ == end_) return std::nullopt;
    if (slots_.empty()) return make_inline();
    Slot taken;
    {
      std::unique_lock lock(mutex_);
      Slot& slot = slots_[next_to_take_ % slots_.size()];
      slot_filled_.wait(lock, [&] { return slot.item || slot.error; });
      taken = std::exchange(slot, {});
      next_to_take_ = taken.error ? end_ : next_to_take_ + 1;
      is_stopping_ = taken.error != nullptr;  // nobody will take what follows
    }
    slot_freed_.notify_all();
    if (taken.error) std::rethrow_exception(taken.error);
    return std::move(taken.item);
  }

 private:
  struct Slot {
    std::optional<T> item;
    std::exception_ptr error;
  };

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
    }
    slot_freed_.notify_all();
    workers_.clear();  // waits for them
  }

  std::optional<T> make_inline() {
    const std::size_t i = std::exchange(next_to_take_, end_);  // stays at the end if make throws
    std::optional<T> item(make_(i));
    next_to_take_ = i + 1;
    return item;
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      slot_freed_.wait(lock, [&] {
        return is_stopping_ || next_to_make_ == end_ || next_to_make_ < next_to_take_ + slots_.size();
      });
      if (is_stopping_ || next_to_make_ == end_) return;
      const std::size_t i = next_to_make_++;
      lock.unlock();
      Slot made;
      try {
        made.item.emplace(make_(i));
      } catch (...) {
        made.error = std::current_exception();
      }
      lock.lock();
      slots_[i % slots_.size()] = std::move(made);
      slot_filled_.notify_all();
    }
  }

  std::function<T(std::size_t)> make_;
  const std::size_t end_;
  std::size_t next_to_make_;
  std::size_t next_to_take_;
  bool is_stopping_ = false;
  std::vector<Slot> slots_;  ///< item i waits in slot i % depth
  std::mutex mutex_;
  std::condition_variable slot_filled_;
  std::condition_variable slot_freed_;
  std::vector<KeptThread> workers_;
};

}  // namespace kith
