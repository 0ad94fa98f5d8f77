// What a training run has come to.
#pragma once

#include <cstdint>
#include <vector>

#include "train/trainer.h"

namespace kith {

/// What checkpoints have cost.
struct CheckpointCosts {
  std::int64_t count = 0;    ///< written
  double stall_seconds = 0;  ///< that training waited: for copies of the parameters, and for the writer
  double write_seconds = 0;  ///< of the writer, beside training

  bool operator==(const CheckpointCosts&) const = default;
};

/// The finished epochs of a run, and the best of them.
struct RunProgress {
  std::vector<EpochReport> epochs = {};
  std::int32_t best_epoch =
      -1;  ///< by the validation metric, the earliest if tied; the last without validation nodes
  double best_valid_accuracy = 0;
  double seconds_to_best = 0;            ///< training seconds (evaluation left out) up to the end of best_epoch
  double total_seconds = 0;              ///< wall clock, evaluation included
  std::int32_t first_random_epoch = -1;  ///< see RunOptions::finish_random; -1: not yet
  CheckpointCosts checkpoints = {};
};

}  // namespace kith
