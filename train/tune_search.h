// How the search for knobs decides, apart from what it decides about.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace kith {

/// What a search may cost and what its choice may lose.
struct TuneOptions {
  double share = 0.15;           ///< of the time that training with random batches would take, 0 < share <= 1
  double accuracy_loss = 0.002;  ///< of the metric that is put up with, 0..1
};

/// How far a contender has trained.
struct TuneEffort {
  double seconds = 0;
  double epochs = 0;  ///< a part of one counts as such

  double seconds_per_epoch() const { return seconds / epochs; }
};

/// Contenders that train one at a time, all from the same start. Number 0 is the measure of the others.
class TuneArena {
 public:
  virtual ~TuneArena() = default;
  virtual std::size_t size() const = 0;
  virtual double batches_per_epoch() const = 0;
  virtual double seconds() const = 0;  ///< that everything has taken so far

  /// Trains until it has done so many batches, or so many seconds. At least one batch. Returns what it comes
  /// to.
  virtual TuneEffort train_to_batches(std::size_t contender, std::int64_t batches) = 0;
  virtual TuneEffort train_to_seconds(std::size_t contender, double seconds) = 0;

  /// The metric on each of the same few batches; at least two.
  virtual std::vector<double> score(std::size_t contender) = 0;
};

/// What became of one contender.
struct TuneResult {
  TuneEffort effort;
  double accuracy = 0;          ///< mean of its scores; NaN: none
  double difference = 0;        ///< to contender 0 after as many seconds; NaN: none
  double difference_error = 0;  ///< half the width of its one-sided 95 % interval; NaN: none
  std::string verdict;          ///< in words
};

struct TuneOutcome {
  std::vector<TuneResult> results;  ///< a contender
  std::size_t chosen = 0;
  std::size_t best = 0;  ///< the last one left beside number 0; 0: none
  double seconds = 0;    ///< that each of the last ones has trained
  std::size_t num_slow = 0;
  bool was_worthwhile = true;  ///< false: training is too short to search for anything
};

/// Times a few batches of each, drops what is hardly faster an epoch than number 0, and lets the others train
/// to as many seconds as number 0 in two rounds, of which the first leaves the two best (successive halving,
/// Jamieson and Talwalkar, arXiv 1502.07943). The best one is chosen if it is ahead of number 0, or behind by
/// less than accuracy_loss, with 95 % confidence. num_epochs: that training would take, > 0.
TuneOutcome search(TuneArena& arena, const TuneOptions& options, std::int32_t num_epochs);

}  // namespace kith
