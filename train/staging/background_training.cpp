#include "train/staging/background_training.h"

#include <chrono>
#include <ctime>
#include <utility>

#include "graph/errors.h"

namespace kith {
namespace {

constexpr double kIdleSeconds = 0.01;  // between two questions whether there is work

double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

double rest_seconds(double busy_seconds, double percent) {
  KITH_CHECK(percent > 0 && percent <= 100, InvalidArgument,
             "staging: the predictor's share of a processor must be in (0, 100] percent, got ", percent);
  return busy_seconds * (100 / percent - 1);
}

BackgroundTraining::BackgroundTraining(double percent, std::function<bool()> work)
    : percent_(percent), work_(std::move(work)) {
  rest_seconds(0, percent);  // throws
  thread_ = std::thread([this] { run(); });
}

BackgroundTraining::~BackgroundTraining() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  stopped_.notify_all();
  thread_.join();
}

void BackgroundTraining::run() {
  while (true) {
    const double start = thread_seconds();
    const bool has_worked = work_();
    const double rest = has_worked ? rest_seconds(thread_seconds() - start, percent_) : kIdleSeconds;
    std::unique_lock lock(mutex_);
    if (stopped_.wait_for(lock, std::chrono::duration<double>(rest), [this] { return is_stopping_; })) return;
  }
}

}  // namespace kith
