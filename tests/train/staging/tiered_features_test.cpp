#include "train/staging/tiered_features.h"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <optional>
#include <utility>

#include "graph/dataset_file.h"
#include "graph/errors.h"
#include "tests/support/learnable.h"
#include "tests/support/temp_folder.h"
#include "train/run.h"
#include "train/staging/direct_file.h"

namespace kith {
namespace {

constexpr StagePolicy kTiered[] = {StagePolicy::degree,   StagePolicy::presample, StagePolicy::lru,
                                   StagePolicy::sieve,    StagePolicy::lookahead, StagePolicy::lstm,
                                   StagePolicy::automatic};

class Tiers : public ::testing::Test {
 protected:
  Tiers() {
    write_dataset(path_, test::learnable_dataset());
    mapped_ = read_dataset(path_);
    table_bytes_ = static_cast<std::int64_t>(mapped_.features.view().row_bytes()) * mapped_.num_nodes();
    loader_.plan.batch_size = 24;
    loader_.plan.mix = 0.25;
    loader_.sampler.fanouts = {4, 4};
  }

  StagingOptions staging(StagePolicy policy, std::int64_t host_bytes = 0) const {
    StagingOptions options;
    options.policy = policy;
    options.stage_bytes = table_bytes_ / 4;
    options.host_bytes = host_bytes;
    options.page_bytes = 6 * mapped_.features.view().row_bytes();
    options.lookahead = 3;
    options.predictor = {.max_tokens = 32, .units = 8, .vocabulary_accesses = 20};
    options.predictor_percent = 50;
    return options;
  }

  test::TempFolder folder_;
  std::string path_ = folder_.file("learnable.kith.h5");
  Dataset mapped_;
  std::int64_t table_bytes_ = 0;
  LoaderOptions loader_;
};

/// Stages two epochs and compares every row with the table. Returns the sum of the traffic.
StageTraffic check_rows(const Dataset& dataset, const LoaderOptions& options, const StagingOptions& staging) {
  const Loader loader(dataset, dataset.splits.train, options);
  TieredFeatures tiers(dataset, loader, staging);
  const FeatureView table = dataset.features.view();
  StageTraffic sum;
  for (std::int32_t epoch = 0; epoch < 2; ++epoch) {
    const Plan plan = loader.plan(epoch);
    std::size_t revealed = 0;
    for (std::size_t i = 0; i < plan.size(); ++i) {
      for (; revealed < std::min(plan.size(), i + 1 + static_cast<std::size_t>(tiers.lookahead()));
           ++revealed) {
        tiers.reveal(loader.sample(plan, epoch, revealed).batch);
      }
      const MiniBatch batch = loader.sample(plan, epoch, i).batch;
      std::vector<std::byte> rows(batch.input_nodes.size() * table.row_bytes());
      const StageTraffic traffic = tiers.stage(batch.input_nodes, rows.data());
      EXPECT_EQ(traffic.rows, static_cast<std::int64_t>(batch.input_nodes.size()));
      for (std::size_t row = 0; row < batch.input_nodes.size(); ++row) {
        EXPECT_EQ(std::memcmp(rows.data() + row * table.row_bytes(), table.row(batch.input_nodes[row]),
                              table.row_bytes()),
                  0);
      }
      EXPECT_LE(tiers.num_held() * static_cast<std::int64_t>(table.row_bytes()), staging.stage_bytes);
      sum += traffic;
    }
  }
  EXPECT_GT(tiers.num_held(), 0);
  return sum;
}

TEST_F(Tiers, GiveEveryBatchItsRowsUnderEveryPolicy) {
  for (const StagePolicy policy : kTiered) {
    SCOPED_TRACE(name_of(policy));
    const StageTraffic from_disk = check_rows(mapped_, loader_, staging(policy));
    EXPECT_EQ(from_disk.host_bytes, 0);
    EXPECT_GT(from_disk.disk_bytes, 0);
    EXPECT_GT(from_disk.disk_reads, 0);
    EXPECT_GE(from_disk.disk_bytes, from_disk.disk_reads * std::int64_t{kSectorBytes});
    EXPECT_GT(from_disk.hits, 0);
    const StageTraffic mixed = check_rows(mapped_, loader_, staging(policy, table_bytes_ / 3));
    EXPECT_GT(mixed.host_bytes, 0);
    EXPECT_GT(mixed.disk_bytes, 0);
    EXPECT_LT(mixed.disk_bytes, from_disk.disk_bytes);
    const StageTraffic from_host = check_rows(mapped_, loader_, staging(policy, -1));
    EXPECT_EQ(from_host.disk_bytes, 0);
    EXPECT_EQ(from_host.disk_reads, 0);
  }
}

TEST_F(Tiers, HitAsOftenAsTheReplayOfTheirPolicySays) {
  const Loader loader(mapped_, mapped_.splits.train, loader_);
  const AccessTrace sample = record_trace(loader, 0, 1), both = record_trace(loader, 0, 2);
  const auto backend = make_cpu_backend();
  for (const StagePolicy policy : {StagePolicy::presample, StagePolicy::lru, StagePolicy::sieve}) {
    const MadePolicy made = PolicyFactory(mapped_, sample, {}, *backend, staging(policy)).make(policy);
    const StageAccount account = run_policy(*made.replay, both, made.lookahead);
    EXPECT_EQ(check_rows(mapped_, loader_, staging(policy)).hits, account.hits) << name_of(policy);
  }
}

TEST_F(Tiers, TrainToTheSameBitsAsInMemory) {
  const auto backend = make_cpu_backend();
  const auto train = [&](StagePolicy policy, std::int32_t prefetch_depth) {
    RunOptions options;
    options.loader = loader_;
    options.loader.prefetch_depth = prefetch_depth;
    options.model.num_layers = 2;
    options.model.hidden_channels = 16;
    options.epochs = 3;
    options.trainer.staging = staging(policy);
    const RunReport report = run_training(mapped_, *backend, options);
    std::vector<double> numbers{report.test_accuracy};
    for (const EpochReport& epoch : report.epochs) {
      numbers.push_back(epoch.train_loss);
      numbers.push_back(epoch.valid_accuracy);
      EXPECT_EQ(epoch.traffic.rows == 0, policy == StagePolicy::none);
    }
    return numbers;
  };
  const std::vector<double> in_memory = train(StagePolicy::none, 2);
  for (const StagePolicy policy : kTiered) {
    EXPECT_EQ(train(policy, 2), in_memory) << name_of(policy);
  }
  EXPECT_EQ(train(StagePolicy::automatic, 0), in_memory);
}

TEST_F(Tiers, GiveTheSameWhenTheNextBatchIsBegunBeforeThePresentOneIsThere) {
  const Loader loader(mapped_, mapped_.splits.train, loader_);
  const Plan plan = loader.plan(0);
  const std::size_t row_bytes = mapped_.features.view().row_bytes();
  for (const StagePolicy policy : {StagePolicy::presample, StagePolicy::lru, StagePolicy::sieve}) {
    SCOPED_TRACE(name_of(policy));
    TieredFeatures one(mapped_, loader, staging(policy, table_bytes_ / 3)),
        several(mapped_, loader, staging(policy, table_bytes_ / 3));
    std::deque<std::vector<std::byte>> under_way;
    std::deque<std::vector<NodeId>> wanted;
    StageTraffic sum_of_one, sum_of_several;
    const auto check_oldest = [&] {
      sum_of_several += several.finish();
      for (std::size_t i = 0; i < wanted.front().size(); ++i) {
        EXPECT_EQ(std::memcmp(under_way.front().data() + i * row_bytes,
                              mapped_.features.view().row(wanted.front()[i]), row_bytes),
                  0);
      }
      under_way.pop_front();
      wanted.pop_front();
    };
    for (std::size_t i = 0; i < plan.size(); ++i) {
      const MiniBatch batch = loader.sample(plan, 0, i).batch;
      std::vector<std::byte> rows(batch.input_nodes.size() * row_bytes);
      one.reveal(batch);
      sum_of_one += one.stage(batch.input_nodes, rows.data());
      several.reveal(batch);
      under_way.emplace_back(rows.size());
      wanted.push_back(batch.input_nodes);
      several.begin(wanted.back(), under_way.back().data());
      if (under_way.size() > 3) check_oldest();
    }
    while (!wanted.empty()) check_oldest();
    EXPECT_EQ(sum_of_several.hits, sum_of_one.hits);
    EXPECT_EQ(sum_of_several.disk_bytes, sum_of_one.disk_bytes);
    EXPECT_EQ(sum_of_several.disk_reads, sum_of_one.disk_reads);
    EXPECT_EQ(sum_of_several.host_bytes, sum_of_one.host_bytes);
  }
}

TEST_F(Tiers, TrainOnFeaturesThatAreLeftInTheirFile) {
  const auto backend = make_cpu_backend();
  const auto train = [&](const Dataset& dataset, StagePolicy policy) {
    RunOptions options;
    options.loader = loader_;
    options.model.num_layers = 2;
    options.model.hidden_channels = 16;
    options.epochs = 2;
    options.trainer.staging = staging(policy);
    const RunReport report = run_training(dataset, *backend, options);
    return std::pair(report.epochs.back().train_loss, report.test_accuracy);
  };
  const Dataset left = read_dataset(path_, {.leave_features = true});
  EXPECT_EQ(train(left, StagePolicy::lru), train(mapped_, StagePolicy::none));
  EXPECT_THROW(train(left, StagePolicy::none), InvalidArgument);
  const Loader loader(left, left.splits.train, loader_);
  EXPECT_THROW(TieredFeatures(left, loader, staging(StagePolicy::lru, -1)), InvalidArgument);
}

TEST_F(Tiers, NeedAFileForADiskTier) {
  const Dataset loaded = read_dataset(path_, {.map_features = false});
  const Loader loader(loaded, loaded.splits.train, loader_);
  EXPECT_THROW(TieredFeatures(loaded, loader, staging(StagePolicy::lru)), InvalidArgument);
  check_rows(loaded, loader_, staging(StagePolicy::lru, -1));
}

}  // namespace
}  // namespace kith
