#include "train/run.h"

#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "graph/errors.h"
#include "tests/support/learnable.h"
#include "tests/train/checkpoint_runs.h"
#include "train/report.h"

namespace kith {
namespace {

RunOptions small_run(ModelKind kind) {
  RunOptions run;
  run.model = {.kind = kind,
               .hidden_channels = 16,
               .num_layers = 2,
               .heads = kind == ModelKind::gat ? 4 : 1,
               .dropout = 0.2};
  run.loader = {.plan = {.batch_size = 32}, .sampler = {.fanouts = {5, 5}}};
  run.trainer.adam.lr = 0.02;
  run.epochs = 12;
  run.patience = 0;
  run.seed = 3;
  return run;
}

class Runs : public testing::TestWithParam<ModelKind> {};
INSTANTIATE_TEST_SUITE_P(All, Runs,
                         testing::Values(ModelKind::sage, ModelKind::gcn, ModelKind::gat, ModelKind::gin),
                         [](const auto& info) { return std::string(name_of(info.param)); });

TEST_P(Runs, LearnWhatTheNeighboursSay) {
  const Dataset dataset = test::learnable_dataset();
  const auto backend = make_cpu_backend();
  const RunReport report = run_training(dataset, *backend, small_run(GetParam()));
  // Chance is 0.25 and the features alone give about 0.55.
  EXPECT_GT(report.test_accuracy, 0.75);
  EXPECT_GT(report.epochs.front().train_loss, report.epochs.back().train_loss);
}

TEST_P(Runs, AreTheSameToTheByteForAnyThreadsAndPrefetchDepth) {
  const Dataset dataset = test::learnable_dataset();
  const auto backend = make_cpu_backend();
  std::string first;
  for (const std::size_t threads : {1, 2}) {
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
    for (const std::int32_t depth : {0, 4}) {
      RunOptions run = small_run(GetParam());
      run.epochs = 3;
      run.loader.prefetch_depth = depth;
      const std::string json = test::timeless(run_training(dataset, *backend, run), dataset);
      if (first.empty()) first = json;
      EXPECT_EQ(json, first) << threads << " threads, depth " << depth;
    }
  }
  RunOptions other = small_run(GetParam());
  other.epochs = 3;
  other.seed = 4;
  EXPECT_NE(test::timeless(run_training(dataset, *backend, other), dataset), first);
}

TEST(Run, StopsEarlyAndTestsTheBestParameters) {
  const Dataset dataset = test::learnable_dataset();
  const auto backend = make_cpu_backend();
  RunOptions run = small_run(ModelKind::sage);
  run.epochs = 200;
  run.patience = 3;
  const RunReport report = run_training(dataset, *backend, run);
  ASSERT_LT(report.epochs.size(), 200U);
  EXPECT_EQ(report.best_epoch + 3, report.epochs.back().epoch);
  EXPECT_EQ(report.epochs[report.best_epoch].valid_accuracy, report.best_valid_accuracy);
  // Running exactly up to the best epoch ends with the same parameters, so with the same test result.
  run.epochs = report.best_epoch + 1;
  run.patience = 0;
  EXPECT_EQ(run_training(dataset, *backend, run).test_accuracy, report.test_accuracy);
}

TEST(Run, KeepsTheLastEpochWithoutValidationNodes) {
  Dataset dataset = test::learnable_dataset();
  dataset.splits.valid.clear();
  const auto backend = make_cpu_backend();
  RunOptions run = small_run(ModelKind::sage);
  run.epochs = 5;
  run.patience = 2;
  EXPECT_EQ(run_training(dataset, *backend, run).best_epoch, 4);
}

TEST(Run, CountsEveryRootOnce) {
  const Dataset dataset = test::learnable_dataset();
  const auto backend = make_cpu_backend();
  RunOptions run = small_run(ModelKind::sage);
  run.epochs = 1;
  const EpochReport epoch = run_training(dataset, *backend, run).epochs.at(0);
  EXPECT_EQ(epoch.stats.roots, 200);
  EXPECT_EQ(epoch.stats.batches, 7);
  EXPECT_GT(epoch.stats.label_entropy_bits / 7, 0.5);
  EXPECT_LE(epoch.stats.label_entropy_bits / 7, 2);
  EXPECT_GT(epoch.seconds.cpu, 0);
}

TEST(Run, AScheduleLastsForAllEpochsUnlessItSaysOtherwise) {
  const Dataset dataset = test::learnable_dataset();
  const auto backend = make_cpu_backend();
  RunOptions run = small_run(ModelKind::sage);
  run.epochs = 3;
  run.loader.set_mix({0, 1});
  RunReport report = run_training(dataset, *backend, run);
  auto json = to_json(report, dataset, "cpu");
  EXPECT_EQ(json["options"]["mix"], "0:1");
  EXPECT_EQ(json["options"]["p_intra"], 0.9);
  EXPECT_EQ(json["options"]["schedule"], "linear");
  EXPECT_EQ(json["options"]["schedule_epochs"], 3);
  // The last epoch is that of random roots, which come from more communities.
  EXPECT_LT(report.epochs[0].stats.communities, report.epochs[1].stats.communities);
  EXPECT_LT(report.epochs[1].stats.communities, report.epochs[2].stats.communities);

  run.loader.schedule.epochs = 2;
  report = run_training(dataset, *backend, run);
  EXPECT_EQ(report.options.loader.schedule.epochs, 2);
  run.loader.set_mix({1, 1});
  json = to_json(run_training(dataset, *backend, run), dataset, "cpu");
  EXPECT_EQ(json["options"]["mix"], 1);
  EXPECT_FALSE(json["options"].contains("schedule_epochs"));
}

TEST(Run, RefusesWhatCannotBeTrained) {
  const auto backend = make_cpu_backend();
  const auto refuses = [&](auto spoil_data, auto spoil_options) {
    Dataset dataset = test::learnable_dataset();
    RunOptions run = small_run(ModelKind::sage);
    spoil_data(dataset);
    spoil_options(run);
    EXPECT_THROW(run_training(dataset, *backend, run), InvalidArgument);
  };
  const auto keep_data = [](Dataset&) {};
  const auto keep_options = [](RunOptions&) {};
  refuses([](Dataset& d) { d.features = FeatureStore(); }, keep_options);
  refuses([](Dataset& d) { d.labels = Labels(); }, keep_options);
  refuses([](Dataset& d) { d.splits.train.clear(); }, keep_options);
  refuses(keep_data, [](RunOptions& o) { o.epochs = 0; });
  refuses(keep_data, [](RunOptions& o) { o.patience = -1; });
  refuses(keep_data, [](RunOptions& o) { o.model.num_layers = 3; });
  refuses(keep_data, [](RunOptions& o) { o.loader.plan.mix = 1.5; });
  refuses(keep_data, [](RunOptions& o) { o.loader.sampler.p_intra = 0.4; });
  refuses(keep_data, [](RunOptions& o) { o.loader.set_mix({0, 1.5}); });
  refuses(keep_data, [](RunOptions& o) { o.trainer.adam.lr = 0; });
  refuses(keep_data, [](RunOptions& o) { o.trainer.metric = Metric::roc_auc; });
  refuses(keep_data, [](RunOptions& o) { o.model.heads = 4; });
  refuses(keep_data, [](RunOptions& o) {
    o.model.kind = ModelKind::gat;
    o.loader.sampler.is_unbiased = true;
  });
}

TEST(Run, SaysBeforeItBeginsThatEvaluationWouldNotFit) {
  const Dataset dataset = test::learnable_dataset();
  const auto backend = make_cpu_backend();
  RunOptions run = small_run(ModelKind::sage);
  run.model.hidden_channels = 1'000'000'000;
  try {
    run_training(dataset, *backend, run);
    FAIL();
  } catch (const EnvironmentError& error) {
    EXPECT_NE(std::string(error.what()).find("evaluation over all nodes needs about 1525"), std::string::npos)
        << error.what();
    EXPECT_NE(std::string(error.what()).find("--hidden"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace kith
