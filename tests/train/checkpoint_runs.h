// Small runs with checkpoints.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "tests/support/learnable.h"
#include "tests/support/temp_folder.h"
#include "train/checkpoint/checkpoint_folder.h"
#include "train/report.h"
#include "train/run.h"

namespace kith::test {

/// 3 epochs of 4 batches.
inline RunOptions small_run(ModelKind kind) {
  RunOptions run;
  run.model = {.kind = kind,
               .hidden_channels = 8,
               .num_layers = 2,
               .heads = kind == ModelKind::gat ? 2 : 1,
               .dropout = 0.2};
  run.loader = {.plan = {.batch_size = 64}, .sampler = {.fanouts = {4, 4}}};
  run.trainer.adam.lr = 0.02;
  run.epochs = 3;
  run.patience = 0;
  run.seed = 3;
  return run;
}

/// The report as JSON without what a clock or the memory meter says.
inline std::string timeless(const RunReport& report, const Dataset& dataset) {
  nlohmann::ordered_json json = to_json(report, dataset, "cpu");
  for (auto& epoch : json["epochs"]) epoch.erase("seconds");
  for (const char* key :
       {"seconds_to_best", "total_seconds", "peak_rss_bytes", "checkpoint_seconds", "gathering"}) {
    json.erase(key);
  }
  return json.dump();
}

/// Stops after `num_batches` batches; -1: never.
inline RunReport run_for(int num_batches, const Dataset& dataset, Backend& backend, const RunOptions& options,
                         RunControl control) {
  int done = 0;
  control.on_batch = [&](std::size_t, std::size_t) { ++done; };
  control.should_stop = [&] { return done == num_batches; };
  return run_training(dataset, backend, options, control);
}

/// Runs over a small graph that keep checkpoints in a folder of their own.
class CheckpointRuns : public testing::Test {
 protected:
  RunControl into(const std::string& folder, bool is_resuming = false) {
    return {.checkpoint = {.folder = folder, .is_resuming = is_resuming},
            .on_note = [this](const std::string& text) { notes += text + "\n"; }};
  }

  RunReport train(const RunOptions& options, const RunControl& control) {
    return run_training(dataset, *backend, options, control);
  }

  RunReport train_for(int num_batches, const RunOptions& options, RunControl control) {
    return run_for(num_batches, dataset, *backend, options, std::move(control));
  }

  static Checkpoint newest(const std::string& folder) {
    return *CheckpointFolder(folder).read_newest(
        [](const std::string&, const std::string& problem) { ADD_FAILURE() << problem; });
  }

  /// All that later training and prediction depend on.
  static void expect_same_state(const std::string& a, const std::string& b) {
    const Checkpoint x = newest(a), y = newest(b);
    EXPECT_EQ(x.trainer.parameters, y.trainer.parameters);
    EXPECT_EQ(x.trainer.optimizer, y.trainer.optimizer);
    EXPECT_EQ(x.best_parameters, y.best_parameters);
    EXPECT_EQ(x.trainer.step, y.trainer.step);
    EXPECT_EQ(x.trainer.num_optimizer_steps, y.trainer.num_optimizer_steps);
  }

  Dataset dataset = learnable_dataset();
  std::unique_ptr<Backend> backend = make_cpu_backend();
  TempFolder temp;
  std::string notes;
};

}  // namespace kith::test
