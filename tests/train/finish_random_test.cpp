// RunOptions::finish_random.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>

#include "graph/errors.h"
#include "tests/support/learnable.h"
#include "train/checkpoint/checkpoint_folder.h"
#include "train/run.h"

namespace kith {
namespace {

/// A structured run that gives up early, then random batches.
RunOptions finishing_run() {
  RunOptions run;
  run.model = {.hidden_channels = 16, .num_layers = 2, .dropout = 0.2};
  run.loader = {.plan = {.batch_size = 32}, .sampler = {.fanouts = {5, 5}}};
  run.trainer.adam.lr = 0.02;
  run.seed = 3;
  run.loader.plan.mix = 0;
  run.loader.sampler.p_intra = 1;
  run.epochs = 14;
  run.patience = 2;
  run.finish_random = 3;
  return run;
}

double communities_per_batch(const EpochReport& epoch) {
  return static_cast<double>(epoch.stats.communities) / static_cast<double>(epoch.stats.batches);
}

TEST(FinishRandom, GoesOnWithRandomBatchesOnceTheKnobsAreDone) {
  const Dataset dataset = test::learnable_dataset();
  const auto backend = make_cpu_backend();
  const RunReport report = run_training(dataset, *backend, finishing_run());
  ASSERT_GE(report.first_random_epoch, 1);
  const auto first = static_cast<std::size_t>(report.first_random_epoch);
  ASSERT_GT(report.epochs.size(), first);
  for (std::size_t e = 0; e < report.epochs.size(); ++e) {
    // A batch of 32 holds the roots of a few communities of 10 training nodes, or of nearly all 20.
    EXPECT_EQ(communities_per_batch(report.epochs[e]) > 10, e >= first) << e;
  }
  // It stopped when three random epochs in a row were no better, or at the last epoch.
  const auto last = static_cast<std::int32_t>(report.epochs.size()) - 1;
  const std::int32_t since = std::max(report.best_epoch, report.first_random_epoch - 1);
  EXPECT_TRUE(last - since == 3 || last == 13) << last << " " << since;
}

TEST(FinishRandom, EpochsAreReservedForIt) {
  const Dataset dataset = test::learnable_dataset();
  const auto backend = make_cpu_backend();
  RunOptions run = finishing_run();
  run.epochs = 5;
  run.patience = 0;
  const RunReport report = run_training(dataset, *backend, run);
  EXPECT_EQ(report.first_random_epoch, 2);
  EXPECT_LE(report.epochs.size(), 5U);
}

TEST(FinishRandom, StartsFromTheBestParametersAndGoesOnAfterAStop) {
  const Dataset dataset = test::learnable_dataset();
  const auto backend = make_cpu_backend();
  const RunReport whole = run_training(dataset, *backend, finishing_run());
  ASSERT_GE(whole.first_random_epoch, 1);
  const std::string folder = testing::TempDir() + "/kith_finish_random";
  std::filesystem::remove_all(folder);
  std::int32_t num_epochs = 0;
  RunControl control{.checkpoint = {.folder = folder}, .on_epoch = [&](const EpochReport&) { ++num_epochs; }};
  control.should_stop = [&] { return num_epochs == whole.first_random_epoch; };
  EXPECT_TRUE(run_training(dataset, *backend, finishing_run(), control).was_stopped);
  const std::optional<Checkpoint> stopped = CheckpointFolder(folder).read_newest({});
  ASSERT_TRUE(stopped);
  EXPECT_EQ(stopped->progress.first_random_epoch, whole.first_random_epoch);
  EXPECT_LT(stopped->progress.best_epoch, whole.first_random_epoch - 1)
      << "the last parameters are not the best";
  EXPECT_EQ(stopped->trainer.parameters, stopped->best_parameters);
  control.should_stop = {};
  control.checkpoint.is_resuming = true;
  const RunReport resumed = run_training(dataset, *backend, finishing_run(), control);
  EXPECT_EQ(resumed.first_random_epoch, whole.first_random_epoch);
  EXPECT_EQ(resumed.test_accuracy, whole.test_accuracy);
  ASSERT_EQ(resumed.epochs.size(), whole.epochs.size());
  EXPECT_EQ(resumed.epochs.back().train_loss, whole.epochs.back().train_loss);
  std::filesystem::remove_all(folder);
}

TEST(FinishRandom, IsRefusedWhereItLeavesNoEpochForTheKnobs) {
  const Dataset dataset = test::learnable_dataset();
  const auto backend = make_cpu_backend();
  RunOptions run = finishing_run();
  for (const std::int32_t epochs : {-1, 14, 20}) {
    run.finish_random = epochs;
    EXPECT_THROW(run_training(dataset, *backend, run), InvalidArgument) << epochs;
  }
}

}  // namespace
}  // namespace kith
