// A thread that samples or stages and fails: the error comes out once, on the thread that trains, and nothing
// hangs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "graph/dataset_file.h"
#include "graph/errors.h"
#include "tests/support/errors.h"
#include "tests/support/learnable.h"
#include "tests/support/temp_folder.h"
#include "train/run.h"

namespace kith {
namespace {

constexpr unsigned kWatchdogSeconds = 120;

TEST(WorkerFaults, FeaturesThatCannotBeReadAnyMoreEndTheRunInOneError) {
  test::TempFolder folder;
  const std::string path = folder.file("d.kith.h5");
  for (const std::int32_t depth : {0, 1, 4}) {
    write_dataset(path, test::learnable_dataset());
    const Dataset dataset = read_dataset(path);
    // The staged rows come from the file, which loses its features now.
    std::filesystem::resize_file(path, 4096);
    RunOptions run;
    run.model = {.hidden_channels = 8, .num_layers = 2};
    run.loader = {.plan = {.batch_size = 16}, .sampler = {.fanouts = {4, 4}}, .prefetch_depth = depth};
    run.trainer.staging.policy = StagePolicy::lru;
    run.trainer.staging.stage_bytes = 4096;
    run.trainer.staging.host_bytes = 0;
    run.epochs = 1;
    const auto backend = make_cpu_backend();
    ::alarm(kWatchdogSeconds);
    EXPECT_THAT(test::error_of<IoError>([&] { run_training(dataset, *backend, run); }),
                testing::Not(testing::HasSubstr("\n")));
    ::alarm(0);
  }
}

}  // namespace
}  // namespace kith
