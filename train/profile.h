// Where the time of a run goes: spans for a trace viewer, and sums for advice.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/backend.h"
#include "train/run_progress.h"
#include "train/stopwatch.h"

namespace kith {

/// What a thread of a run does. sample and stage are those of the threads that make batches ahead; on a device
/// that computes beside the host, the others are what the host spends on giving it work.
enum class Activity : std::uint8_t { wait, forward, backward, optimize, evaluate, sample, stage };
inline constexpr std::size_t kNumActivities = 7;
std::string_view name_of(Activity activity);

/// Collects the spans of one run. Thread-safe.
class Profile {
 public:
  static constexpr std::size_t kMostSpans = 1U << 20;  ///< that are kept; later ones are only added up

  /// One stretch of time; seconds since the profile was made.
  struct Span {
    Activity activity = Activity::wait;
    std::int32_t epoch = 0;
    std::int64_t batch = -1;  ///< -1: of the whole epoch
    double begin = 0;
    double end = 0;
  };

  double now() const { return watch_.seconds(); }
  void add(const Span& span);

  double seconds(Activity activity) const;  ///< of all its spans
  std::size_t num_left_out() const;

  /// For chrome://tracing and Perfetto (the JSON trace event format, complete events): a thread that trains,
  /// one that samples and one that stages.
  nlohmann::ordered_json trace() const;

 private:
  const Stopwatch watch_;
  mutable std::mutex mutex_;
  std::vector<Span> spans_;
  std::array<double, kNumActivities> seconds_{};
  std::size_t num_left_out_ = 0;
};

/// Adds the time from its construction to its end. profile: null = nothing.
class ProfileSpan {
 public:
  ProfileSpan(Profile* profile, Activity activity, std::int32_t epoch, std::int64_t batch = -1)
      : profile_(profile) {
    if (profile_ != nullptr)
      span_ = {.activity = activity, .epoch = epoch, .batch = batch, .begin = profile_->now()};
  }
  ~ProfileSpan() {
    if (profile_ == nullptr) return;
    span_.end = profile_->now();
    profile_->add(span_);
  }
  ProfileSpan(const ProfileSpan&) = delete;
  ProfileSpan& operator=(const ProfileSpan&) = delete;

 private:
  Profile* profile_;
  Profile::Span span_;
};

/// For people: a line an activity with its share of the run, then what to change, the largest stall first.
std::string describe(const Profile& profile, const RunProgress& progress);

/// For people: a line for each kind of call that a GPU timed both ways. Empty if there was none.
std::string describe(std::span<const GatheringChoice> choices);

}  // namespace kith
