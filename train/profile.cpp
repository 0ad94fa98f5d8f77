#include "train/profile.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>

namespace kith {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, kNumActivities> kNames = {
    "wait for a batch", "forward", "backward", "optimiser", "evaluate", "sample", "stage"};

constexpr double kMuchWaiting = 0.1;  // of the time of training

/// Which row of the viewer. Batches are made on other threads than they are trained on.
int row_of(Activity activity) { return activity == Activity::sample ? 2 : activity == Activity::stage ? 3 : 1; }

Json name_row(int row, const char* name) {
  return {{"name", "thread_name"}, {"ph", "M"}, {"pid", 1}, {"tid", row}, {"args", {{"name", name}}}};
}

double training_seconds(const Profile& profile) {
  double seconds = 0;
  for (const Activity activity : {Activity::wait, Activity::forward, Activity::backward, Activity::optimize}) {
    seconds += profile.seconds(activity);
  }
  return seconds;
}

double mean_of(const RunProgress& progress, std::int64_t BatchStats::*what) {
  std::int64_t sum = 0, batches = 0;
  for (const EpochReport& epoch : progress.epochs) {
    sum += epoch.stats.*what;
    batches += epoch.stats.batches;
  }
  return batches == 0 ? 0 : static_cast<double>(sum) / static_cast<double>(batches);
}

void advise(const Profile& profile, const RunProgress& progress, std::ostream& out) {
  const double training = training_seconds(profile);
  const double sample = profile.seconds(Activity::sample), stage = profile.seconds(Activity::stage);
  const bool is_waiting = profile.seconds(Activity::wait) > kMuchWaiting * training;
  if (is_waiting && sample >= stage) {
    out << "Compute waits for sampling: give it more threads (--threads) and a deeper queue "
           "(--prefetch-depth), draw "
           "fewer neighbours (--fanout), or let batches follow the communities (--tune).\n";
  } else if (is_waiting) {
    out << "Compute waits for feature rows: a larger fast tier (--stage-bytes, --host-bytes), another policy "
           "(kith "
           "stage-eval compares them), or batches that follow the communities (--tune) and so read fewer "
           "rows.\n";
  } else {
    out << "Batches are there in time; compute is the limit, over "
        << std::llround(mean_of(progress, &BatchStats::edges)) << " edges and "
        << std::llround(mean_of(progress, &BatchStats::input_nodes))
        << " input nodes a batch: what makes those fewer (--tune, --fanout) makes it faster.\n";
  }
}

}  // namespace

std::string_view name_of(Activity activity) { return kNames[static_cast<std::size_t>(activity)]; }

void Profile::add(const Span& span) {
  const std::lock_guard lock(mutex_);
  seconds_[static_cast<std::size_t>(span.activity)] += span.end - span.begin;
  if (spans_.size() < kMostSpans) {
    spans_.push_back(span);
  } else {
    ++num_left_out_;
  }
}

double Profile::seconds(Activity activity) const {
  const std::lock_guard lock(mutex_);
  return seconds_[static_cast<std::size_t>(activity)];
}

std::size_t Profile::num_left_out() const {
  const std::lock_guard lock(mutex_);
  return num_left_out_;
}

Json Profile::trace() const {
  const std::lock_guard lock(mutex_);
  Json events = {name_row(1, "train"), name_row(2, "sample ahead"), name_row(3, "stage ahead")};
  for (const Span& span : spans_) {
    Json arguments = {{"epoch", span.epoch}};
    if (span.batch >= 0) arguments["batch"] = span.batch;
    events.push_back({{"name", name_of(span.activity)},
                      {"ph", "X"},
                      {"pid", 1},
                      {"tid", row_of(span.activity)},
                      {"ts", 1e6 * span.begin},
                      {"dur", 1e6 * (span.end - span.begin)},
                      {"args", std::move(arguments)}});
  }
  return {{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}};
}

std::string describe(const Profile& profile, const RunProgress& progress) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(2);
  const double whole = training_seconds(profile) + profile.seconds(Activity::evaluate);
  const auto line = [&](Activity activity) {
    const double seconds = profile.seconds(activity);
    out << "  " << std::left << std::setw(17) << name_of(activity) << std::right << std::setw(9) << seconds
        << " s";
    if (whole > 0) out << std::setw(5) << std::llround(100 * seconds / whole) << " %";
    out << '\n';
  };
  out << "Time of training and evaluation:\n";
  for (const Activity activity :
       {Activity::wait, Activity::forward, Activity::backward, Activity::optimize, Activity::evaluate}) {
    line(activity);
  }
  out << "Beside it, on the threads that make batches ahead:\n";
  line(Activity::sample);
  line(Activity::stage);
  if (profile.num_left_out() > 0) {
    out << "The trace lacks the last " << profile.num_left_out() << " spans; the sums above have them.\n";
  }
  advise(profile, progress, out);
  return out.str();
}

std::string describe(std::span<const GatheringChoice> choices) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(1);
  for (const GatheringChoice& choice : choices) {
    const double calls = std::max(choice.num_measured, 1);
    out << "First layers over " << choice.columns << " columns of " << choice.type << " in "
        << (choice.is_in_host_memory ? "host" : "GPU") << " memory, " << choice.reads_per_row
        << " edges a row or more: " << 1e6 * choice.fused_seconds / calls << " us fused, "
        << 1e6 * choice.two_step_seconds / calls << " us in two steps, of " << choice.num_measured
        << " calls: " << (choice.is_fused ? "fused" : "two-step") << " (--gather)\n";
  }
  return out.str();
}

}  // namespace kith
