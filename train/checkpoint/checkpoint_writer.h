// Writes checkpoints on a thread of its own.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "train/checkpoint/checkpoint.h"
#include "train/checkpoint/checkpoint_folder.h"

namespace kith {

/// At most one checkpoint is being written: the next one waits for it. All methods are for one thread.
class CheckpointWriter {
 public:
  /// on_failure: is told, on the writer's thread, why a checkpoint could not be written; the run need not stop.
  CheckpointWriter(CheckpointFolder folder, std::function<void(const std::string& problem)> on_failure);
  /// Finishes what was begun.
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  /// Returns once the checkpoint before is written.
  void write(Checkpoint checkpoint);
  /// Returns once everything is written.
  void wait();

  std::int64_t num_written();
  double seconds();         ///< spent writing
  std::string last_path();  ///< of the latest one that was written; empty: none was

 private:
  void work();
  void write_one(const Checkpoint& checkpoint);

  CheckpointFolder folder_;
  std::function<void(const std::string&)> on_failure_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Checkpoint> pending_;  ///< also while it is being written
  bool is_stopping_ = false;
  std::int64_t num_written_ = 0;
  double seconds_ = 0;
  std::string last_path_;
  std::thread thread_;
};

}  // namespace kith
