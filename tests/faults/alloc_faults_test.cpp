// Memory runs out at one allocation after the other: what fails says so and nothing else, what is left works
// on.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <new>
#include <string>

#include "datasets/prepare.h"
#include "graph/dataset_file.h"
#include "graph/errors.h"
#include "tests/faults/failing_new.h"
#include "tests/support/learnable.h"
#include "tests/support/temp_folder.h"
#include "train/batch_stream.h"
#include "train/run.h"

// HDF5 1.10 loses memory when it is interrupted by a failure; leaks of our own are still found.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5"; }

namespace kith {
namespace {

constexpr unsigned kWatchdogSeconds = 300;

enum class Outcome { done, out_of_memory, other };

struct Attempt {
  Outcome outcome;
  bool was_reached;  ///< the allocation that was to fail
};

/// What comes of call() if its allocation number `place`, from 0, fails.
Attempt attempt(const std::function<void()>& call, std::int64_t place) {
  test::fail_allocation(place);
  Outcome outcome = Outcome::done;
  std::string other;
  try {
    call();
  } catch (const std::bad_alloc&) {
    outcome = Outcome::out_of_memory;
  } catch (const EnvironmentError&) {
    outcome = Outcome::out_of_memory;
  } catch (const std::exception& error) {
    test::fail_allocation(test::kNever);
    outcome = Outcome::other;
    other = error.what();
  }
  const bool was_reached = test::has_failed();
  test::fail_allocation(test::kNever);
  if (outcome == Outcome::other) ADD_FAILURE() << "another error than out of memory: " << other;
  return {outcome, was_reached};
}

/// Lets each of the first 64 allocations fail, and later ones at growing distances; afterwards call() must
/// still work.
void expect_clear_failures(const std::function<void()>& call) {
  ::alarm(kWatchdogSeconds);
  ASSERT_EQ(attempt(call, test::kNever).outcome, Outcome::done);  // makes what is made once and kept
  std::int64_t num_failures = 0;
  std::int64_t place = 0;
  for (bool was_reached = true; was_reached; place += 1 + place / 64) {
    SCOPED_TRACE("allocation " + std::to_string(place));
    const Attempt failed = attempt(call, place);
    was_reached = failed.was_reached;
    // A failure that does not come out is right only where less memory will do: the buffer of a stable sort.
    num_failures += failed.outcome == Outcome::out_of_memory;
    if (!was_reached) {
      EXPECT_EQ(failed.outcome, Outcome::done);
    }
    if (testing::Test::HasFailure()) return;
  }
  std::printf("%lld places failed, up to allocation %lld\n", static_cast<long long>(num_failures),
              static_cast<long long>(place));
  EXPECT_GT(num_failures, 8);
  EXPECT_EQ(attempt(call, test::kNever).outcome, Outcome::done);
  ::alarm(0);
}

class OutOfMemory : public testing::Test {
 protected:
  static RunOptions small_run() {
    RunOptions run;
    run.model = {.hidden_channels = 8, .num_layers = 2};
    run.loader = {.plan = {.batch_size = 64}, .sampler = {.fanouts = {4, 4}}};
    run.epochs = 1;
    return run;
  }

  std::size_t num_files() const {
    const std::filesystem::directory_iterator files(folder_.path());
    return static_cast<std::size_t>(std::distance(begin(files), end(files)));
  }

  test::TempFolder folder_;
  Dataset dataset_ = test::learnable_dataset();
};

TEST_F(OutOfMemory, WhileADatasetIsWritten) {
  expect_clear_failures([&] { write_dataset(folder_.file("d.kith.h5"), dataset_); });
  EXPECT_EQ(num_files(), 1U);
}

TEST_F(OutOfMemory, WhileADatasetIsRead) {
  const std::string path = folder_.file("d.kith.h5");
  write_dataset(path, dataset_);
  expect_clear_failures([&] { read_dataset(path, {.verify_checksums = true, .check_features = true}); });
  expect_clear_failures([&] { read_dataset(path, {.map_features = false}); });
}

TEST_F(OutOfMemory, WhileAGraphIsPrepared) {
  const std::string source = folder_.file("graph.txt");
  {
    std::ofstream out(source);
    for (NodeId v = 0; v < dataset_.num_nodes(); ++v) {
      for (const NodeId u : dataset_.graph.view().row(v)) out << u << ' ' << v << '\n';
    }
  }
  for (const PartitionMethod method : {PartitionMethod::metis, PartitionMethod::lpa}) {
    PrepareOptions options;
    options.source = source;
    options.output = folder_.file("d.kith.h5");
    options.partition.method = method;
    options.partition.num_communities = 20;
    options.build.symmetrize = true;
    expect_clear_failures([&] { prepare(options); });
    EXPECT_EQ(num_files(), 2U);
  }
}

TEST_F(OutOfMemory, WhileBatchesAreMade) {
  const auto backend = make_cpu_backend();
  for (const std::int32_t depth : {0, 2}) {
    expect_clear_failures([&] {
      const Loader loader(dataset_, dataset_.splits.train,
                          {.plan = {.batch_size = 64},
                           .sampler = {.fanouts = {4, 4}, .keep_edges = true},
                           .prefetch_depth = depth});
      BatchStream stream({loader, dataset_, *backend}, 0, 0);
      while (stream.next()) {
      }
    });
  }
}

TEST_F(OutOfMemory, WhileAnEpochIsTrained) {
  for (const std::int32_t depth : {0, 2}) {
    RunOptions run = small_run();
    run.loader.prefetch_depth = depth;
    expect_clear_failures([&] {
      const auto backend = make_cpu_backend();
      run_training(dataset_, *backend, run);
    });
  }
}

TEST_F(OutOfMemory, WhileFeaturesAreStaged) {
  const std::string path = folder_.file("d.kith.h5");
  write_dataset(path, dataset_);
  const Dataset mapped = read_dataset(path);
  RunOptions run = small_run();
  run.trainer.staging.policy = StagePolicy::lru;
  run.trainer.staging.stage_bytes = 4096;
  run.trainer.staging.host_bytes = 0;
  expect_clear_failures([&] {
    const auto backend = make_cpu_backend();
    run_training(mapped, *backend, run);
  });
}

}  // namespace
}  // namespace kith
