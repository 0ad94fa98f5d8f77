// Threads that are kept for whoever needs the next one.
#pragma once

#include <functional>

namespace kith {

/// Runs one function, as std::thread does, but on the thread that an earlier KeptThread left behind if there is
/// one. oneTBB holds on to some memory for every thread that ever called it, so a process that starts a thread
/// an epoch grows for ever. Kept threads end with the process; a fork starts its own.
class KeptThread {
 public:
  /// work must not throw. Throws std::system_error or std::bad_alloc if a thread is needed and can't be had.
  explicit KeptThread(std::function<void()> work);
  KeptThread(KeptThread&& other) noexcept;
  KeptThread& operator=(KeptThread&&) = delete;

  /// Waits until `work` has returned.
  ~KeptThread();

  struct Seat;

 private:
  Seat* seat_;  ///< of the thread; or null, moved from
};

}  // namespace kith
