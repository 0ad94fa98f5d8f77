// Feature rows in three tiers: a fast one in the memory of a device under a staging policy, pinned host memory,
// and the dataset file.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "graph/dataset.h"
#include "kernels/backend.h"
#include "kernels/row_tier.h"
#include "train/loader.h"
#include "train/staging/tier_planner.h"
#include "train/staging/tiered_features.h"
#include "train/staging/traffic.h"

namespace kith {

/// The rows of one batch on the device, after Backend::wait_for(arrays).
struct StagedRows {
  DeviceArrays arrays;
  FeatureView view;  ///< [num_rows x dim]
  StageTraffic traffic;
  std::span<const NodeId> numbers = {};  ///< 0, 1, 2, ... [num_rows] on the device
  Tensor hits = {};    ///< [1 x 1] f64, in `arrays`: of the traffic, where the device counts them; else empty
  Tensor memory = {};  ///< what `view` refers to, if not `arrays`
};

/// What a device needs besides the tiers.
struct DeviceNeeds {
  FeatureView pinned = {};          ///< the whole table, if it lies in pinned memory; else nothing
  std::int64_t training_bytes = 0;  ///< of its memory, about, without batches
  std::int64_t bytes_per_row = 0;   ///< that a step takes for each of its input rows, about, without the row
};

/// Owns the fast and the host tier. Plans as TieredFeatures does, so hits are the same. A batch gets rows of
/// its own: hits are copied inside the device's memory, the others come over the bus, all on one stream beside
/// compute, on which slots are overwritten in their turn. Where the fast tier never changes and all else is
/// pinned there is nothing to plan: the device itself looks up where a row is. One thread at a time.
class DeviceTiers {
 public:
  /// Samples an epoch of `loader` for the statistics, places rows and pages by them, and reads what the policy
  /// would hold after it. All but `options` must outlive it. Throws InvalidArgument, IoError, EnvironmentError
  /// if the memory of the device or of the host is too small for the tiers.
  DeviceTiers(Backend& backend, const Dataset& dataset, const Loader& loader, const StagingOptions& options,
              const DeviceNeeds& needs);

  /// Whether batches are picked: neither revealed nor staged.
  bool picks_rows() const { return planner_.is_static() && planner_.host_pages().empty(); }

  /// The rows that array 0 of `ids` names, global ids on the device. The result's arrays are those of `ids`
  /// too. Without hits, of which all traffic is said to come over the bus; see StageTraffic::find_hits.
  StagedRows pick(DeviceArrays ids);

  /// Batches to be revealed before the one that is staged.
  std::int32_t lookahead() const { return planner_.lookahead(); }

  /// Tells of a batch to come, in order. rows: global ids, each once, its roots first.
  void reveal(std::span<const NodeId> rows, std::size_t num_roots) { planner_.reveal(rows, num_roots); }

  /// The rows of the oldest batch revealed.
  StagedRows stage(std::span<const NodeId> rows) { return run(planner_.plan(rows)); }

  /// The ids of a batch that was sampled on the device, which this waits for. index: of the array.
  std::vector<NodeId> download_ids(const DeviceArrays& arrays, std::size_t index);

  std::int64_t num_held() const { return planner_.num_held(); }

 private:
  StagedRows run(RowPlan plan);
  /// arrays: of the row tier.
  StagedRows staged(DeviceArrays arrays, const StageTraffic& traffic) const;
  /// Puts what lies in the file into a pinned block, and says where everything comes from.
  void read(RowPlan& plan, StageTraffic& traffic);
  std::int64_t count_in_file(const RowPlan& plan) const;
  const std::byte* host_bytes_of(std::int64_t host_row) const {
    return slow_->host_rows() + static_cast<std::size_t>(host_row) * planner_.geometry().row_bytes();
  }

  FeatureView table_;  ///< its dim and type count
  TierPlanner planner_;
  std::unique_ptr<SlowTiers> slow_;
  std::unique_ptr<RowTier> tier_;  ///< destroyed first: its copies read the memory of slow_
};

/// Throws EnvironmentError, naming the sizes and the option, unless a fast tier of stage_bytes and
/// training_bytes for all else are free on the device.
void require_device_memory(Backend& backend, std::int64_t stage_bytes, std::int64_t training_bytes);

}  // namespace kith
