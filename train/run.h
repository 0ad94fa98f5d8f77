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
#include "train/run_progress.h"
#include "train/trainer.h"

namespace kith {

/// Everything that a run's result depends on. `model.in_channels` and `out_channels` come from the dataset, all
/// seeds from `seed`.
struct RunOptions {
  ModelOptions model;
  LoaderOptions loader;
  TrainerOptions trainer;
  std::int32_t epochs = 100;  ///< at most, > 0; also of loader.schedule, unless that says otherwise
  std::int32_t patience =
      10;  ///< epochs without a better validation result before stopping; 0 = never stop early
  std::uint64_t seed = 0;
  /// At the end come random batches, from the best parameters on, until this many epochs are no better. A
  /// quarter of `epochs` (at least as many) is kept for them; patience may leave more. 0 = none.
  std::int32_t finish_random = 0;
};

/// Everything that follows from the dataset and from other options is set. Throws InvalidArgument for options
/// out of range.
RunOptions resolve(RunOptions options, const Dataset& dataset);

/// When a run writes checkpoints. One is written at the end in any case, and when the run is stopped.
struct CheckpointOptions {
  std::string folder;              ///< empty: no checkpoints
  std::int64_t every_batches = 0;  ///< of the run; 0 = not by batches
  double every_seconds = 0;        ///< at the next end of a batch; 0 = not by time. Neither: after every epoch
  std::int32_t keep = 2;           ///< the latest that stay, > 0
  bool is_resuming = false;        ///< go on from the newest in `folder`; else the folder must not hold any
};

/// What a run's result does not depend on. Functions may be empty; all but on_note are called between batches,
/// on the caller's thread.
struct RunControl {
  CheckpointOptions checkpoint = {};
  Profile* profile = nullptr;                                           ///< null: none
  std::function<void(const EpochReport&)> on_epoch = {};                ///< each finished epoch
  std::function<void(std::size_t done, std::size_t of)> on_batch = {};  ///< the progress inside one
  std::function<bool()> should_stop = {};                               ///< asked after every batch
  std::function<void(const std::string&)> on_note = {};  ///< what a user should know; from any thread
};

/// What a run did.
struct RunReport : RunProgress {
  RunOptions options;                      ///< resolved
  double test_accuracy = 0;                ///< with the parameters of best_epoch
  std::vector<GatheringChoice> gathering;  ///< what a GPU measured and chose, if it had to
  bool has_checkpoints = false;
  bool was_stopped = false;     ///< by should_stop; then nothing was tested
  std::string last_checkpoint;  ///< path of the latest one that was written or read; empty: none
  std::string stopped_at;       ///< in words, if it was stopped
};

/// Trains until `epochs` or until patience runs out, and tests the best parameters. Stopped after any batch and
/// resumed, a run ends with the same bits. Throws InvalidArgument for options that do not fit the dataset or
/// the checkpoint, Divergence if the loss is not finite any more, IoError if no checkpoint can be read. A
/// checkpoint that cannot be written is noted once, and training goes on.
RunReport run_training(const Dataset& dataset, Backend& backend, RunOptions options,
                       const RunControl& control = {});

}  // namespace kith
