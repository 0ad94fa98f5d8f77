// Training on a device with staged features ends where training with all of them in its memory ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/backend.h"
#include "tests/support/devices.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"
#include "tests/train/checkpoint_runs.h"
#include "tests/train/ring_dataset.h"
#include "tests/train/staging/stored_features.h"
#include "train/device_data.h"
#include "train/profile.h"
#include "train/run.h"
#include "train/trainer.h"

namespace kith {
namespace {

using test::kPolicies;
using test::StoredFeatures;

/// What of a run must not depend on where features are, and what the tiers did.
struct Outcome {
  std::vector<double> numbers;
  std::vector<HostTensor> parameters;
  StageTraffic traffic;
};

class DeviceStaging : public testing::TestWithParam<std::string> {
 protected:
  /// Some epochs, evaluated.
  Outcome train(const Dataset& dataset, const RunOptions& options, std::int32_t num_epochs = 1) {
    Outcome out;
    Model model(*backend_, options.model);
    Trainer trainer(model, dataset, options.trainer);
    const Loader loader(dataset, dataset.splits.train, options.loader);
    for (std::int32_t epoch = 0; epoch < num_epochs; ++epoch) {
      const EpochReport report = trainer.run_epoch(loader, epoch);
      out.numbers.push_back(report.train_loss);
      out.numbers.push_back(trainer.evaluate(dataset.splits.valid));
      out.traffic += report.traffic;
    }
    out.parameters = download_parameters(model);
    return out;
  }

  static RunOptions options_for(const StoredFeatures& stored, ModelKind kind, std::int32_t hidden) {
    RunOptions options;
    options.model = {.kind = kind,
                     .in_channels = stored.mapped.features.dim(),
                     .hidden_channels = hidden,
                     .out_channels = stored.mapped.labels.num_classes,
                     .num_layers = 2,
                     .heads = kind == ModelKind::gat ? 2 : 1,
                     .dropout = 0.2};
    options.loader = stored.loader;
    options.loader.plan.batch_size = 50;
    return options;
  }

  static void expect_same(const Outcome& got, const Outcome& expected) {
    EXPECT_EQ(got.numbers, expected.numbers);
    EXPECT_EQ(got.parameters, expected.parameters);
    EXPECT_GT(got.traffic.rows, 0);
  }

  std::unique_ptr<Backend> backend_ = make_backend(GetParam());
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DeviceStaging);
INSTANTIATE_TEST_SUITE_P(Devices, DeviceStaging, testing::ValuesIn(test::other_devices()),
                         [](const auto& info) { return info.param; });

TEST_P(DeviceStaging, TrainsToTheSameBitsUnderEveryPolicy) {
  const StoredFeatures stored;
  RunOptions options = options_for(stored, ModelKind::sage, 6);
  const Outcome in_place = train(stored.mapped, options, 2);
  EXPECT_EQ(in_place.traffic.bus_bytes, 0);
  for (const StagePolicy policy : kPolicies) {
    SCOPED_TRACE(name_of(policy));
    options.trainer.staging = stored.staging(policy, stored.table_bytes() / 3);
    StageTraffic on_host;
    for (const SampleOn where : {SampleOn::host, SampleOn::device}) {
      options.trainer.sample_on = where;
      options.loader.prefetch_depth = where == SampleOn::host ? 0 : 3;
      const Outcome staged = train(stored.mapped, options, 2);
      expect_same(staged, in_place);
      if (where == SampleOn::host) on_host = staged.traffic;
      if (policy == StagePolicy::lstm) continue;  // a thread beside training decides
      EXPECT_EQ(staged.traffic.hits, on_host.hits);
      EXPECT_EQ(staged.traffic.bus_bytes, on_host.bus_bytes);
    }
  }
}

TEST_P(DeviceStaging, PicksTheRowsOfAFixedTierOnTheDevice) {
  const StoredFeatures stored;
  RunOptions options = options_for(stored, ModelKind::sage, 6);
  const Outcome in_place = train(stored.mapped, options, 2);
  const auto row_bytes = static_cast<std::int64_t>(stored.row_bytes());
  for (const StagePolicy policy : {StagePolicy::degree, StagePolicy::presample, StagePolicy::lookahead}) {
    SCOPED_TRACE(name_of(policy));
    options.trainer.staging = stored.staging(policy, stored.table_bytes());  // planned on the host
    if (policy == StagePolicy::lookahead) options.trainer.staging.stage_bytes = 0;
    options.trainer.sample_on = SampleOn::host;
    const Outcome planned = train(stored.mapped, options, 2);
    options.trainer.staging.host_bytes = -1;
    for (const SampleOn where : {SampleOn::host, SampleOn::device}) {
      options.trainer.sample_on = where;
      for (const std::int32_t depth : {0, 3}) {
        options.loader.prefetch_depth = depth;
        const Outcome picked = train(stored.mapped, options, 2);
        expect_same(picked, in_place);
        EXPECT_EQ(picked.traffic.rows, planned.traffic.rows);
        EXPECT_EQ(picked.traffic.hits, planned.traffic.hits);
        EXPECT_EQ(picked.traffic.hits > 0, policy != StagePolicy::lookahead);
        // Rows alone; the planned path also reads what else their pages hold.
        EXPECT_EQ(picked.traffic.bus_bytes, (picked.traffic.rows - picked.traffic.hits) * row_bytes);
        EXPECT_EQ(picked.traffic.host_bytes, picked.traffic.bus_bytes);
        EXPECT_LE(picked.traffic.bus_bytes, planned.traffic.bus_bytes);
      }
    }
  }
}

TEST_P(DeviceStaging, GiveEpochsLocalityWhereTheHostKnowsTheRows) {
  const StoredFeatures stored;
  RunOptions options = options_for(stored, ModelKind::sage, 6);
  const auto epoch = [&](SampleOn where, StagePolicy policy) {
    options.trainer.sample_on = where;
    options.trainer.staging = stored.staging(policy, -1);
    Model model(*backend_, options.model);
    Trainer trainer(model, stored.mapped, options.trainer);
    const Loader loader(stored.mapped, stored.mapped.splits.train, options.loader);
    return trainer.run_epoch(loader, 0);
  };
  const EpochReport expected = epoch(SampleOn::host, StagePolicy::none);
  EXPECT_FALSE(epoch(SampleOn::device, StagePolicy::none).has_locality);
  EXPECT_FALSE(epoch(SampleOn::device, StagePolicy::presample).has_locality);
  for (const auto& [where, policy] :
       {std::pair(SampleOn::host, StagePolicy::presample), std::pair(SampleOn::device, StagePolicy::lru)}) {
    const EpochReport report = epoch(where, policy);
    EXPECT_TRUE(report.has_locality);
    EXPECT_EQ(report.stats.pages, expected.stats.pages);
    EXPECT_EQ(report.stats.reused_input_nodes, expected.stats.reused_input_nodes);
  }
}

TEST_P(DeviceStaging, TrainsEveryModelAndTypeToTheSameBits) {
  for (const ModelKind kind : {ModelKind::sage, ModelKind::gcn, ModelKind::gat, ModelKind::gin}) {
    const FeatureType type = kind == ModelKind::gcn   ? FeatureType::f16
                             : kind == ModelKind::gin ? FeatureType::bf16
                                                      : FeatureType::f32;
    const StoredFeatures stored(7, type);
    for (const std::int32_t hidden : {4, 10}) {  // evaluation projects first, or aggregates first
      SCOPED_TRACE(std::string(name_of(kind)) + " " + std::to_string(hidden));
      RunOptions options = options_for(stored, kind, hidden);
      const Outcome in_place = train(stored.mapped, options);
      for (const std::int64_t host_bytes : {std::int64_t{-1}, std::int64_t{0}}) {
        options.trainer.staging = stored.staging(StagePolicy::lru, host_bytes);
        expect_same(train(stored.mapped, options), in_place);
      }
      options.trainer.staging = stored.staging(StagePolicy::degree, -1);
      expect_same(train(stored.mapped, options), in_place);
    }
  }
}

TEST_P(DeviceStaging, InfersPartByPartToTheSameBits) {
  const Dataset ring = test::ring_dataset(17'000, 3);  // two parts, and a row that whole blocks sum
  for (const ModelKind kind : {ModelKind::sage, ModelKind::gcn, ModelKind::gat}) {
    for (const std::int32_t hidden : {2, 6}) {
      Model model(
          *backend_,
          {.kind = kind, .in_channels = 3, .hidden_channels = hidden, .out_channels = 4, .num_layers = 2});
      const auto infer = [&](FeatureHome home) {
        DeviceData data(*backend_, ring, kind, home);
        EXPECT_EQ(data.features().data == nullptr, home == FeatureHome::streamed);
        const Tensor logits = model.infer(data.graph());
        std::vector<double> values(static_cast<std::size_t>(logits.size()));
        backend_->download(logits, values);
        return values;
      };
      const std::vector<double> expected = infer(FeatureHome::device);
      EXPECT_EQ(infer(FeatureHome::streamed), expected) << name_of(kind) << " " << hidden;
      EXPECT_EQ(infer(FeatureHome::pinned), expected) << name_of(kind) << " " << hidden;
    }
  }
}

TEST_P(DeviceStaging, ReportsTheSameRunAsInPlace) {
  const StoredFeatures stored;
  RunOptions options = test::small_run(ModelKind::sage);
  options.finish_random = 1;  // a second loader
  const RunReport in_place = run_training(stored.mapped, *backend_, options);
  options.trainer.staging = stored.staging(StagePolicy::lookahead, 0);
  Profile profile;
  const RunReport staged = run_training(stored.mapped, *backend_, options, {.profile = &profile});
  ASSERT_EQ(staged.epochs.size(), in_place.epochs.size());
  for (std::size_t i = 0; i < staged.epochs.size(); ++i) {
    EXPECT_EQ(staged.epochs[i].train_loss, in_place.epochs[i].train_loss);
    EXPECT_EQ(staged.epochs[i].valid_accuracy, in_place.epochs[i].valid_accuracy);
    EXPECT_TRUE(staged.epochs[i].has_locality);
    EXPECT_GT(staged.epochs[i].traffic.hits, 0);
    EXPECT_GT(staged.epochs[i].traffic.bus_bytes, 0);
  }
  EXPECT_EQ(staged.test_accuracy, in_place.test_accuracy);
  EXPECT_GT(profile.seconds(Activity::stage), 0);
  EXPECT_EQ(to_json(staged, stored.mapped, "cuda")["epochs"][0]["staged_bytes_over_bus"],
            staged.epochs[0].traffic.bus_bytes);
}

TEST_P(DeviceStaging, AResumedRunEndsWithTheSameBits) {
  const StoredFeatures stored;
  const test::TempFolder temp;
  RunOptions options = test::small_run(ModelKind::sage);
  options.epochs = 2;
  options.trainer.staging = stored.staging(StagePolicy::lookahead, stored.table_bytes() / 3);
  const auto train = [&](const std::string& folder, bool is_resuming, int stop) {
    const RunControl control{.checkpoint = {.folder = temp.file(folder), .is_resuming = is_resuming}};
    RunReport report = test::run_for(stop, stored.mapped, *backend_, options, control);
    for (EpochReport& epoch : report.epochs) epoch.traffic = {};  // the tiers start cold
    return test::timeless(report, stored.mapped);
  };
  const std::string expected = train("whole", false, -1);
  for (const int stop : {2, 4, 7}) {
    const std::string folder = std::to_string(stop);
    train(folder, false, stop);
    EXPECT_EQ(train(folder, true, -1), expected) << "stopped after batch " << stop;
  }
}

TEST_P(DeviceStaging, AResumedRunReportsTheTrafficOfAFixedTier) {
  const StoredFeatures stored;
  const test::TempFolder temp;
  RunOptions options = test::small_run(ModelKind::sage);
  options.epochs = 2;
  options.trainer.staging = stored.staging(StagePolicy::presample, -1);
  const auto train = [&](const std::string& folder, bool is_resuming, int stop) {
    const RunControl control{.checkpoint = {.folder = temp.file(folder), .is_resuming = is_resuming}};
    return test::run_for(stop, stored.mapped, *backend_, options, control);
  };
  const RunReport expected = train("whole", false, -1);
  train("stopped", false, 2);  // with batches made ahead, which are made again
  const RunReport got = train("stopped", true, -1);
  ASSERT_EQ(got.epochs.size(), expected.epochs.size());
  for (std::size_t i = 0; i < got.epochs.size(); ++i) {
    EXPECT_EQ(got.epochs[i].traffic.rows, expected.epochs[i].traffic.rows);
    EXPECT_EQ(got.epochs[i].traffic.hits, expected.epochs[i].traffic.hits);
    EXPECT_EQ(got.epochs[i].traffic.bus_bytes, expected.epochs[i].traffic.bus_bytes);
    EXPECT_GT(got.epochs[i].traffic.hits, 0);
  }
}

TEST_P(DeviceStaging, TrainsFromPinnedMemoryWithoutTiers) {
  const StoredFeatures stored;
  RunOptions options = options_for(stored, ModelKind::sage, 6);
  const Outcome in_place = train(stored.mapped, options);
  options.trainer.features = FeatureHome::pinned;
  const Outcome pinned = train(stored.mapped, options);
  EXPECT_EQ(pinned.numbers, in_place.numbers);
  EXPECT_EQ(pinned.traffic.rows, 0);
  options.trainer.staging = stored.staging(StagePolicy::lru, -1);
  EXPECT_THAT(
      test::error_of<InvalidArgument>([&] { train(stored.mapped, options); }),
      testing::HasSubstr("--features pinned: expected --device cuda and --stage none, got cuda and lru"));
}

TEST_P(DeviceStaging, GoesOnWhenAnEpochIsLeftInTheMiddle) {
  const StoredFeatures stored;
  RunOptions options = options_for(stored, ModelKind::sage, 6);
  const auto losses = [&] {
    Model model(*backend_, options.model);
    Trainer trainer(model, stored.mapped, options.trainer);
    const Loader loader(stored.mapped, stored.mapped.splits.train, options.loader);
    EpochProgress left = begin_epoch(0);
    trainer.advance(loader, left, [](std::size_t done, std::size_t) { return done < 2; });
    return trainer.run_epoch(loader, 1).train_loss;
  };
  const double in_place = losses();
  options.trainer.staging = stored.staging(StagePolicy::lookahead, 0);
  EXPECT_EQ(losses(), in_place);
}

}  // namespace
}  // namespace kith
