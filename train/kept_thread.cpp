#include "train/kept_thread.h"

#include <pthread.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace kith {

/// Where a kept thread waits for work.
struct KeptThread::Seat {
  std::mutex mutex;
  std::condition_variable changed;
  std::function<void()> work;  ///< empty: there is none, or it is done

  void serve() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [this] { return work != nullptr; });
      lock.unlock();
      work();
      lock.lock();
      work = nullptr;  // what it holds is released before the one who waits goes on
      changed.notify_all();
    }
  }
};

namespace {

struct IdleThreads {
  std::mutex mutex;
  std::vector<KeptThread::Seat*> seats;
  std::size_t num_started = 0;  ///< seats has room for all of them, so that giving one back can't fail
};

IdleThreads* make_idle_threads();

/// Never destroyed: its threads may wait for work until the very end of the process.
IdleThreads*& idle_threads() {
  static IdleThreads* idle = make_idle_threads();
  return idle;
}

IdleThreads* make_idle_threads() {
  // The threads of the parent are not in a fork of it.
  pthread_atfork(nullptr, nullptr, [] { idle_threads() = new IdleThreads; });
  return new IdleThreads;
}

KeptThread::Seat* take_seat() {
  IdleThreads& idle = *idle_threads();
  const std::lock_guard lock(idle.mutex);
  if (!idle.seats.empty()) {
    KeptThread::Seat* seat = idle.seats.back();
    idle.seats.pop_back();
    return seat;
  }
  idle.seats.reserve(idle.num_started + 1);
  auto seat = std::make_unique<KeptThread::Seat>();
  std::thread(&KeptThread::Seat::serve, seat.get()).detach();
  ++idle.num_started;
  return seat.release();
}

}  // namespace

KeptThread::KeptThread(std::function<void()> work) : seat_(take_seat()) {
  {
    const std::lock_guard lock(seat_->mutex);
    seat_->work = std::move(work);
  }
  seat_->changed.notify_all();
}

KeptThread::KeptThread(KeptThread&& other) noexcept : seat_(std::exchange(other.seat_, nullptr)) {}

KeptThread::~KeptThread() {
  if (seat_ == nullptr) return;
  {
    std::unique_lock lock(seat_->mutex);
    seat_->changed.wait(lock, [this] { return seat_->work == nullptr; });
  }
  IdleThreads& idle = *idle_threads();
  const std::lock_guard lock(idle.mutex);
  idle.seats.push_back(seat_);
}

}  // namespace kith
