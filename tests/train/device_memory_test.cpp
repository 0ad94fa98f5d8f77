// Too little memory for tiers is said before training begins; on the emulated device.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "graph/errors.h"
#include "tests/support/cuda/emulation.h"
#include "tests/support/errors.h"
#include "tests/train/checkpoint_runs.h"
#include "tests/train/ring_dataset.h"
#include "tests/train/staging/stored_features.h"
#include "train/run.h"

namespace kith {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class EmulatedDeviceMemory : public testing::Test {
 protected:
  ~EmulatedDeviceMemory() override { emulation::reset(); }

  RunOptions options(std::int64_t stage_bytes) const {
    RunOptions options = test::small_run(ModelKind::sage);
    options.epochs = 1;
    options.trainer.staging = stored_.staging(StagePolicy::lru, 0);
    options.trainer.staging.stage_bytes = stage_bytes;
    return options;
  }

  test::StoredFeatures stored_{512, FeatureType::f32};  // 800 KiB
};

TEST_F(EmulatedDeviceMemory, AFastTierThatDoesNotFitBesideTrainingIsRefused) {
  const auto backend = make_backend("cuda");
  emulation::set_memory_limit(emulation::in_use().device_bytes + (std::size_t{1} << 20));
  const std::string error = test::error_of<EnvironmentError>(
      [&] { run_training(stored_.mapped, *backend, options(stored_.table_bytes())); });
  EXPECT_THAT(error, AllOf(HasSubstr("--stage-bytes: a fast tier of 1 MiB and about "),
                           HasSubstr(" MiB for training do not fit the 1 MiB that are free on the device"),
                           HasSubstr("a smaller --stage-bytes")));
}

TEST_F(EmulatedDeviceMemory, FeaturesBeyondTheDevicesMemoryTrainWithASmallFastTier) {
  constexpr NodeId kNumNodes = 70'000;  // five parts of evaluation
  constexpr std::size_t kTableBytes = kNumNodes * 48 * sizeof(float);
  const test::TempFolder folder;
  write_dataset(folder.file("ring.kith.h5"), test::ring_dataset(kNumNodes, 48));
  const Dataset ring = read_dataset(folder.file("ring.kith.h5"));
  RunOptions run = test::small_run(ModelKind::sage);
  run.epochs = 1;
  run.loader.plan.batch_size = 32;
  run.loader.sampler.fanouts = {2, 2};
  run.loader.prefetch_depth = 0;
  run.trainer.staging.policy = StagePolicy::lru;
  run.trainer.staging.stage_bytes = 20'000;  // below a batch
  run.trainer.staging.host_bytes = 0;
  const auto backend = make_backend("cuda");
  emulation::set_memory_limit(emulation::in_use().device_bytes + kTableBytes - 100'000);
  const RunReport staged = run_training(ring, *backend, run);
  EXPECT_GT(staged.epochs[0].traffic.disk_bytes, 0);
}

TEST_F(EmulatedDeviceMemory, ALargerFastTierThanTheTableIsNotAskedFor) {
  const auto backend = make_backend("cuda");
  emulation::set_memory_limit(emulation::in_use().device_bytes + (std::size_t{64} << 20));
  EXPECT_NO_THROW(run_training(stored_.mapped, *backend, options(std::int64_t{1} << 40)));
}

}  // namespace
}  // namespace kith
