// Tiers with the fast one on a device, beside those of the CPU.
#include "train/staging/device_tiers.h"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "graph/dataset_file.h"
#include "graph/errors.h"
#include "tests/support/devices.h"
#include "tests/train/staging/stored_features.h"

namespace kith {
namespace {

using test::kPolicies;
using test::StoredFeatures;

class DeviceTiersOn : public testing::TestWithParam<std::string> {
 protected:
  /// Stages two epochs with `depth` batches under way, and compares every row with the table; with the CPU's
  /// tiers what is held, unless a thread beside them decides.
  StageTraffic check(const StoredFeatures& stored, const StagingOptions& options, std::size_t depth = 3) {
    const Loader loader(stored.mapped, stored.mapped.splits.train, stored.loader);
    const DeviceArrays whole = options.host_bytes < 0 ? pin(stored.mapped) : DeviceArrays();
    DeviceNeeds needs;
    if (options.host_bytes < 0) needs.pinned = stored.mapped.features.view();
    if (options.host_bytes < 0) needs.pinned.data = whole.get<std::byte>(0).data();
    DeviceTiers tiers(*backend_, stored.mapped, loader, options, needs);
    const bool is_fixed = options.policy == StagePolicy::degree || options.policy == StagePolicy::presample ||
                          options.stage_bytes < static_cast<std::int64_t>(options.page_bytes);
    const bool may_change = options.policy == StagePolicy::automatic || options.row_share == 0;
    EXPECT_TRUE(tiers.picks_rows() || !is_fixed || options.host_bytes >= 0);
    EXPECT_FALSE(tiers.picks_rows() && (options.host_bytes >= 0 || (may_change && !is_fixed)));
    TieredFeatures reference(stored.mapped, loader, options);
    EXPECT_EQ(tiers.lookahead(), reference.lookahead());
    const auto reader = make_row_tier(*backend_, 0, 2);
    std::deque<UnderWay> under_way;
    StageTraffic sum;
    for (std::int32_t epoch = 0; epoch < 2; ++epoch) {
      const Plan plan = loader.plan(epoch);
      std::size_t revealed = 0;
      for (std::size_t i = 0; i < plan.size(); ++i) {
        for (; revealed < std::min(plan.size(), i + 1 + static_cast<std::size_t>(tiers.lookahead()));
             ++revealed) {
          const MiniBatch batch = loader.sample(plan, epoch, revealed).batch;
          if (!tiers.picks_rows()) tiers.reveal(batch.input_nodes, batch.roots().size());
          reference.reveal(batch);
        }
        MiniBatch batch = loader.sample(plan, epoch, i).batch;
        std::vector<std::byte> unused(batch.input_nodes.size() * stored.row_bytes());
        const StageTraffic expected = reference.stage(batch.input_nodes, unused.data());
        StagedRows staged = tiers.picks_rows() ? pick(tiers, batch.input_nodes, stored.row_bytes())
                                               : tiers.stage(batch.input_nodes);
        if (tiers.picks_rows()) {  // no whole pages, but what the CPU reads
          EXPECT_EQ(staged.traffic.host_bytes, expected.host_bytes);
        }
        if (options.policy != StagePolicy::lstm) expect_like(staged.traffic, expected);
        expect_consistent(staged.traffic, stored.row_bytes());
        EXPECT_LE(tiers.num_held() * static_cast<std::int64_t>(stored.row_bytes()), options.stage_bytes);
        sum += staged.traffic;
        under_way.push_back({.nodes = std::move(batch.input_nodes), .rows = std::move(staged)});
        if (under_way.size() <= depth) continue;
        expect_rows(stored, *reader, under_way.front());
        under_way.pop_front();
      }
    }
    for (const UnderWay& batch : under_way) expect_rows(stored, *reader, batch);
    return sum;
  }

  std::unique_ptr<Backend> backend_ = make_backend(GetParam());

 private:
  struct UnderWay {
    std::vector<NodeId> nodes;
    StagedRows rows;
  };

  /// With the hits in its traffic.
  StagedRows pick(DeviceTiers& tiers, std::span<const NodeId> rows, std::size_t row_bytes) {
    StagedRows out = tiers.pick(backend_->to_device(rows));
    backend_->wait_for(out.arrays);
    std::vector<double> hits(1);
    backend_->download(out.hits, hits);
    out.traffic.find_hits(static_cast<std::int64_t>(hits[0]), static_cast<std::int64_t>(row_bytes));
    return out;
  }

  DeviceArrays pin(const Dataset& dataset) {
    const FeatureView table = dataset.features.view();
    return backend_->table_to_host({table.data, static_cast<std::size_t>(table.num_rows) * table.row_bytes()});
  }

  /// The same rows are held. A device takes whole pages, and reads rows of the file one by one; the CPU takes
  /// rows of a page, and those that share a sector together.
  static void expect_like(const StageTraffic& got, const StageTraffic& expected) {
    EXPECT_EQ(got.rows, expected.rows);
    EXPECT_EQ(got.hits, expected.hits);
    EXPECT_GE(got.host_bytes, expected.host_bytes);
    EXPECT_GE(got.disk_bytes, expected.disk_bytes);
  }

  /// What is missing comes over the bus, and no more than what was read; the disk counts whole sectors.
  static void expect_consistent(const StageTraffic& got, std::size_t row_bytes) {
    EXPECT_GE(got.bus_bytes, (got.rows - got.hits) * static_cast<std::int64_t>(row_bytes));
    EXPECT_LE(got.bus_bytes, got.host_bytes + got.disk_bytes);
    if (got.disk_bytes == 0) {
      EXPECT_EQ(got.bus_bytes, got.host_bytes);
    }
  }

  static void expect_rows(const StoredFeatures& stored, RowTier& reader, const UnderWay& batch) {
    std::vector<std::byte> rows(batch.nodes.size() * stored.row_bytes());
    ASSERT_EQ(batch.rows.view.num_rows, static_cast<std::int64_t>(batch.nodes.size()));
    reader.download(batch.rows.arrays, 0, rows);
    for (std::size_t i = 0; i < batch.nodes.size(); ++i) {
      ASSERT_EQ(std::memcmp(rows.data() + i * stored.row_bytes(),
                            stored.mapped.features.view().row(batch.nodes[i]), stored.row_bytes()),
                0)
          << "row " << i;
    }
  }
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DeviceTiersOn);
INSTANTIATE_TEST_SUITE_P(Devices, DeviceTiersOn, testing::ValuesIn(test::other_devices()),
                         [](const auto& info) { return info.param; });

TEST_P(DeviceTiersOn, GiveEveryBatchItsRowsAndHoldWhatTheCpusTiersHold) {
  const StoredFeatures stored(8, FeatureType::f32);
  for (const StagePolicy policy : kPolicies) {
    SCOPED_TRACE(name_of(policy));
    const StageTraffic from_disk = check(stored, stored.staging(policy, 0));
    EXPECT_EQ(from_disk.host_bytes, 0);
    EXPECT_GT(from_disk.hits, 0);
    const StageTraffic mixed = check(stored, stored.staging(policy, stored.table_bytes() / 3));
    EXPECT_GT(mixed.host_bytes, 0);
    EXPECT_GT(mixed.disk_bytes, 0);
    const StageTraffic from_host = check(stored, stored.staging(policy, -1));
    EXPECT_EQ(from_host.disk_bytes, 0);
    EXPECT_LT(from_host.bus_bytes, from_host.rows * static_cast<std::int64_t>(stored.row_bytes()) * 4);
  }
}

TEST_P(DeviceTiersOn, TakeRowsOfAnyTypeAndWidth) {
  for (const FeatureType type : {FeatureType::f32, FeatureType::f16, FeatureType::bf16}) {
    for (const std::int32_t dim : {1, 7, 33}) {
      SCOPED_TRACE(std::string(name_of(type)) + " x " + std::to_string(dim));
      const StoredFeatures stored(dim, type);
      for (const StagePolicy policy : {StagePolicy::presample, StagePolicy::lru}) {
        check(stored, stored.staging(policy, stored.table_bytes() / 2));
      }
    }
  }
}

TEST_P(DeviceTiersOn, WorkWithAFastTierBelowABatchOrOfNothing) {
  const StoredFeatures stored(7, FeatureType::f16);
  for (const StagePolicy policy :
       {StagePolicy::degree, StagePolicy::lru, StagePolicy::sieve, StagePolicy::lookahead}) {
    for (const std::int64_t num_rows : {0, 1, 13}) {
      StagingOptions options = stored.staging(policy, stored.table_bytes() / 2);
      options.stage_bytes = num_rows * static_cast<std::int64_t>(stored.row_bytes());
      for (const std::int64_t host_bytes : {stored.table_bytes() / 2, std::int64_t{-1}}) {
        options.host_bytes = host_bytes;
        const StageTraffic sum = check(stored, options, 5);
        EXPECT_TRUE(num_rows > 0 || sum.hits == 0);
      }
    }
  }
}

TEST_P(DeviceTiersOn, HoldTheWholeTableIfItFits) {
  const StoredFeatures stored(8, FeatureType::f32);
  StagingOptions options = stored.staging(StagePolicy::lru, -1);
  options.stage_bytes = 2 * stored.table_bytes();
  options.row_share = 0;
  options.isolation = Isolation::none;
  const StageTraffic sum = check(stored, options);
  EXPECT_GT(sum.hits, sum.rows * 9 / 10);
}

}  // namespace
}  // namespace kith
