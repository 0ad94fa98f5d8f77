// Trains the predictor beside a running training, within a share of one processor.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace kith {

/// Seconds to rest after `busy_seconds` of work so that work takes `percent` of the time; percent in (0, 100].
double rest_seconds(double busy_seconds, double percent);

/// Calls `work` again and again on a thread of its own, resting in between, until it is destroyed or work says
/// that it has nothing to do (then it rests for a moment and asks again). Busy time is the thread's processor
/// time.
class BackgroundTraining {
 public:
  /// work: one short piece, true if something was done; must not throw. Throws InvalidArgument for a percent
  /// out of range.
  BackgroundTraining(double percent, std::function<bool()> work);
  ~BackgroundTraining();
  BackgroundTraining(const BackgroundTraining&) = delete;
  BackgroundTraining& operator=(const BackgroundTraining&) = delete;

 private:
  void run();

  double percent_;
  std::function<bool()> work_;
  bool is_stopping_ = false;
  std::mutex mutex_;
  std::condition_variable stopped_;
  std::thread thread_;
};

}  // namespace kith
