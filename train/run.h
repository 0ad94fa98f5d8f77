// A whole training run: options in, report out. The kith command, the sweep and the tests drive this.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "graph/dataset.h"
#include "kernels/backend.h"
#include "train/loader.h"
#include "train/model.h"
#include "train/trainer.h"

namespace kith {

/// Everything that a run's result depends on. `model.in_channels` and `out_channels` come from the dataset, all
/// seeds from `seed`.
struct RunOptions {
  ModelOptions model;
  LoaderOptions loader;
  TrainerOptions trainer;
  std::int32_t epochs = 100;  ///< at most, > 0
  std::int32_t patience =
      10;  ///< epochs without a better validation result before stopping; 0 = never stop early
  std::uint64_t seed = 0;
};

/// What a run did.
struct RunReport {
  RunOptions options;  ///< resolved
  std::vector<EpochReport> epochs;
  std::int32_t best_epoch =
      -1;  ///< by the validation metric, the earliest if tied; the last without validation nodes
  double best_valid_accuracy = 0;
  double test_accuracy = 0;    ///< with the parameters of best_epoch
  double seconds_to_best = 0;  ///< training seconds (evaluation left out) up to the end of best_epoch
  double total_seconds = 0;    ///< wall clock, evaluation included
};

/// Trains until `epochs` or until patience runs out, and keeps the best parameters in `model`'s place for the
/// test. on_epoch is told each finished epoch, on_batch the progress inside one; both may be empty. Throws
/// InvalidArgument for options that do not fit the dataset.
RunReport run_training(const Dataset& dataset, Backend& backend, RunOptions options,
                       const std::function<void(const EpochReport&)>& on_epoch = {},
                       const std::function<void(std::size_t, std::size_t)>& on_batch = {});

}  // namespace kith
