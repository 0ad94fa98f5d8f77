// All that a run needs to go on to the same bits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "train/checkpoint/host_tensor.h"
#include "train/run_progress.h"
#include "train/trainer.h"

namespace kith {

/// A run between two batches. Independent of devices.
struct Checkpoint {
  std::string request;                             ///< JSON: options and dataset, see train/run_request.h
  std::int32_t in_channels = 0, out_channels = 0;  ///< of the model
  RunProgress progress;
  EpochReport running = {};  ///< sums of the epoch after those of `progress`
  LossResult running_loss = {};
  std::int64_t next_batch = 0;  ///< of that epoch
  TrainerState trainer = {};
  std::vector<HostTensor> best_parameters = {};  ///< of progress.best_epoch; empty before the first evaluation

  std::int32_t epoch() const { return static_cast<std::int32_t>(progress.epochs.size()); }
};

}  // namespace kith
