#include "train/batch_tiers.h"

#include "graph/errors.h"
#include "train/stopwatch.h"

namespace kith {
namespace {

const Dataset& require_features(const Dataset& dataset) {
  KITH_CHECK(dataset.features.dim() > 0, InvalidArgument, "stage: the dataset has no features");
  return dataset;
}

/// What TierOrder does with the batches of an epoch.
struct Steps {
  TieredFeatures& tiers;
  const Loader& loader;
  Backend& backend;
  const Plan& plan;
  std::int32_t epoch;
  std::size_t row_values;

  TieredBatch draw(std::size_t index) const {
    TieredBatch batch;
    batch.sampled = loader.sample(plan, epoch, index);
    return batch;
  }
  void reveal(TieredBatch& batch) const {
    const Stopwatch watch;
    tiers.reveal(batch.sampled.batch);
    batch.stage_seconds += watch.seconds();
  }
  void begin(TieredBatch& batch) const {
    const Stopwatch watch;
    const std::vector<NodeId>& nodes = batch.sampled.batch.input_nodes;
    batch.rows = backend.empty(static_cast<std::int64_t>(nodes.size()), static_cast<std::int64_t>(row_values),
                               Scalar::f32);
    tiers.begin(nodes, reinterpret_cast<std::byte*>(batch.rows.data<float>()));
    batch.stage_seconds += watch.seconds();
  }
  void finish(TieredBatch& batch) const {
    const Stopwatch watch;
    batch.traffic = tiers.finish();
    batch.stage_seconds += watch.seconds();
  }
};

}  // namespace

BatchTiers::BatchTiers(const Loader& loader, const Dataset& dataset, const StagingOptions& options)
    : row_values_((require_features(dataset).features.view().row_bytes() + sizeof(float) - 1) / sizeof(float)),
      tiers_(dataset, loader, options) {
  const std::size_t num_ahead = loader.options().prefetch_depth > 0 ? 1 : 0;
  order_ = std::make_unique<TierOrder<TieredBatch>>(tiers_.lookahead(), num_ahead);
}

std::unique_ptr<BatchTiers, BatchTiers::Release> BatchTiers::take_turn() {
  KITH_CHECK(
      !is_taken_.exchange(true), InvalidArgument,
      "stage: another iteration of this loader is still alive; expected one at a time, as they share the "
      "tiers");
  return std::unique_ptr<BatchTiers, Release>(this);
}

TieredBatch BatchTiers::make(const Loader& loader, Backend& backend, const Plan& plan, std::int32_t epoch,
                             std::size_t index) {
  Steps steps{tiers_, loader, backend, plan, epoch, row_values_};
  return order_->take(epoch, index, plan.size(), steps);
}

}  // namespace kith
