#include "train/tune_search.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

namespace kith {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kWorthwhile = 1.15;       // times faster an epoch than random batches
constexpr std::int64_t kTimedBatches = 4;  // a contender, at most, before anything is decided
constexpr double kTimingShare = 0.5;       // of the time of the search
constexpr std::size_t kFinalists = 2;

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// One-sided 95 % quantile of Student's t distribution, within 0.5 % from 3 degrees of freedom on (the
/// expansion about the normal quantile; Abramowitz and Stegun, 26.7.5).
double student95(double degrees) {
  constexpr double x = 1.6448536, x3 = x * x * x, x5 = x3 * x * x, x7 = x5 * x * x;
  return x + (x3 + x) / (4 * degrees) + (5 * x5 + 16 * x3 + 3 * x) / (96 * degrees * degrees) +
         (3 * x7 + 19 * x5 + 17 * x3 - 15 * x) / (384 * degrees * degrees * degrees);
}

/// Sets the difference of paired scores and half the width of its interval.
void compare(const std::vector<double>& scores, const std::vector<double>& measure, TuneResult& out) {
  const auto n = static_cast<double>(scores.size());
  std::vector<double> differences(scores.size());
  std::ranges::transform(scores, measure, differences.begin(), std::minus());
  out.difference = mean(differences);
  double squares = 0;
  for (const double d : differences) squares += (d - out.difference) * (d - out.difference);
  out.difference_error = student95(n - 1) * std::sqrt(squares / (n - 1) / n);
}

class Search {
 public:
  Search(TuneArena& arena, const TuneOptions& options, std::int32_t num_epochs)
      : arena_(arena), options_(options), num_epochs_(num_epochs) {
    const TuneResult nothing{
        .effort = {}, .accuracy = kNaN, .difference = kNaN, .difference_error = kNaN, .verdict = ""};
    out_.results.assign(arena.size(), nothing);
  }

  TuneOutcome run() {
    if (!time_all()) {
      out_.was_worthwhile = false;
      for (TuneResult& result : out_.results) result.verdict = "not tried";
    } else {
      std::vector<std::size_t> left = faster_ones();
      run_round(left, (end_ - arena_.seconds()) / 2, kFinalists, "behind in the first round");
      run_round(left, end_ - arena_.seconds(), 1, "behind in the last round");
      if (!left.empty()) judge(left.front());
    }
    out_.results[0].verdict = out_.chosen == 0 ? "chosen" : "the measure of the others";
    return out_;
  }

 private:
  TuneResult& measure() { return out_.results[0]; }

  /// Times a few batches of each. Returns false if not even that is worth its time.
  bool time_all() {
    const double whole = options_.share * num_epochs_;  // of the epochs of number 0
    const double batches =
        kTimingShare * whole * arena_.batches_per_epoch() / static_cast<double>(arena_.size());
    if (batches < 1) return false;
    const std::int64_t timed = std::min(kTimedBatches, static_cast<std::int64_t>(batches));
    const double begin = arena_.seconds();
    for (std::size_t i = 0; i < arena_.size(); ++i) out_.results[i].effort = arena_.train_to_batches(i, timed);
    const double before_score = arena_.seconds();
    arena_.score(0);
    score_seconds_ = arena_.seconds() - before_score;
    end_ = begin + whole * measure().effort.seconds_per_epoch();
    return true;
  }

  /// Of those but number 0.
  std::vector<std::size_t> faster_ones() {
    std::vector<std::size_t> out;
    for (std::size_t i = 1; i < out_.results.size(); ++i) {
      TuneResult& result = out_.results[i];
      if (result.effort.seconds_per_epoch() * kWorthwhile <= measure().effort.seconds_per_epoch()) {
        out.push_back(i);
      } else {
        result.verdict = "hardly faster than random batches";
        ++out_.num_slow;
      }
    }
    return out;
  }

  /// Trains number 0 and those in `left` to as many seconds each, and leaves the `keep` best.
  void run_round(std::vector<std::size_t>& left, double seconds, std::size_t keep, const char* verdict) {
    if (left.empty()) return;
    const double each = seconds / static_cast<double>(left.size() + 1) - score_seconds_;
    double goal = out_.seconds + std::max(each, 0.0);
    goal = std::max(goal, measure().effort.seconds);  // the timing may have been longer
    for (const std::size_t i : left) goal = std::max(goal, out_.results[i].effort.seconds);
    out_.seconds = goal;
    const std::vector<double> measured = train_and_score(0);
    for (const std::size_t i : left) compare(train_and_score(i), measured, out_.results[i]);
    std::ranges::stable_sort(left, std::ranges::greater(),
                             [this](std::size_t i) { return out_.results[i].accuracy; });
    for (std::size_t i = keep; i < left.size(); ++i) out_.results[left[i]].verdict = verdict;
    left.resize(std::min(left.size(), keep));
  }

  std::vector<double> train_and_score(std::size_t i) {
    TuneResult& result = out_.results[i];
    if (result.effort.seconds < out_.seconds) result.effort = arena_.train_to_seconds(i, out_.seconds);
    std::vector<double> scores = arena_.score(i);
    result.accuracy = mean(scores);
    return scores;
  }

  void judge(std::size_t best) {
    TuneResult& result = out_.results[best];
    const bool is_safe = result.difference - result.difference_error > -options_.accuracy_loss;
    result.verdict = is_safe ? "chosen" : "not safely as accurate as random batches";
    out_.best = best;
    if (is_safe) out_.chosen = best;
  }

  TuneArena& arena_;
  const TuneOptions options_;
  const std::int32_t num_epochs_;
  double end_ = 0;  ///< of the search, on the arena's clock
  double score_seconds_ = 0;
  TuneOutcome out_;
};

}  // namespace

TuneOutcome search(TuneArena& arena, const TuneOptions& options, std::int32_t num_epochs) {
  return Search(arena, options, num_epochs).run();
}

}  // namespace kith
