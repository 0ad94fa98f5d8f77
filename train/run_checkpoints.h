// When a run writes its checkpoints, and which one it goes on from.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "train/checkpoint/checkpoint.h"
#include "train/checkpoint/checkpoint_folder.h"
#include "train/checkpoint/checkpoint_writer.h"
#include "train/run.h"
#include "train/stopwatch.h"

namespace kith {

/// Throws InvalidArgument if a new run is to begin in a folder that holds checkpoints.
void check_may_begin(const CheckpointOptions& options);

/// The checkpoints of one run. One thread at a time.
class RunCheckpoints {
 public:
  using Snapshot = std::function<Checkpoint()>;  ///< of the run as it is now

  /// on_note: may be empty; from any thread. Throws InvalidArgument for options out of range.
  RunCheckpoints(const CheckpointOptions& options, std::function<void(const std::string&)> on_note);

  /// The checkpoint to go on from, or nothing for a new run. Throws InvalidArgument if the folder holds
  /// checkpoints and the run is not to go on, or they are of another run; IoError.
  std::optional<Checkpoint> begin(const RunOptions& options, const Dataset& dataset);

  /// num_batches: trained on since the run began.
  void after_batch(std::int64_t num_batches, const Snapshot& snapshot);
  void after_epoch(const Snapshot& snapshot);
  /// Writes the last one, and waits for it.
  void finish(const Snapshot& snapshot);

  const std::string& request() const { return request_; }  ///< what the checkpoints say that they are of
  CheckpointCosts costs();
  /// Of the latest one that was written or read; empty: none.
  std::string last_path();

 private:
  void note(const std::string& text) const;
  void write(const Snapshot& snapshot);

  CheckpointOptions options_;
  std::function<void(const std::string&)> on_note_;
  CheckpointFolder folder_;
  std::optional<FolderLock> lock_;
  std::string request_, path_read_;
  CheckpointCosts costs_before_;  ///< of the runs that this one goes on from
  double stall_seconds_ = 0;
  Stopwatch since_last_;
  bool has_warned_ = false;                 ///< on the writer's thread
  std::optional<CheckpointWriter> writer_;  ///< last: its thread uses the others
};

}  // namespace kith
