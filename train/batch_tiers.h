// Feature rows of a loader's batches through tiers of bounded size.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "graph/dataset.h"
#include "kernels/backend.h"
#include "train/loader.h"
#include "train/staging/tier_order.h"
#include "train/staging/tiered_features.h"

namespace kith {

/// A batch with rows of its own.
struct TieredBatch {
  SampledBatch sampled;
  Tensor rows;  ///< [n x bytes of a row] as they are in the table
  StageTraffic traffic;
  double stage_seconds = 0;  ///< deciding, and waiting for rows
};

/// Samples batches and brings their rows through TieredFeatures, which live on from epoch to epoch.
class BatchTiers {
 public:
  /// Samples an epoch of `loader`, places rows, and fills the tiers. Throws as TieredFeatures does, and
  /// InvalidArgument for a dataset without features. `dataset` must outlive it.
  BatchTiers(const Loader& loader, const Dataset& dataset, const StagingOptions& options);

  struct Release {
    void operator()(BatchTiers* tiers) const { tiers->is_taken_ = false; }
  };
  /// For as long as somebody takes batches. Throws InvalidArgument while somebody else does.
  std::unique_ptr<BatchTiers, Release> take_turn();

  /// Batch `index` of `plan`, which is the loader's for `epoch`: in order, from any one on. backend: of the
  /// host. Throws IoError, and EnvironmentError after that. One thread at a time.
  TieredBatch make(const Loader& loader, Backend& backend, const Plan& plan, std::int32_t epoch,
                   std::size_t index);

 private:
  std::atomic<bool> is_taken_ = false;
  std::size_t row_values_;  ///< f32 values that a row fills
  std::unique_ptr<TierOrder<TieredBatch>> order_;
  TieredFeatures tiers_;  ///< stops before the rows that it writes to go
};

}  // namespace kith
