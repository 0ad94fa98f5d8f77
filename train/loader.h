// Ties plan, sampler and look-ahead together: the stream of mini-batches of one epoch.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "graph/dataset.h"
#include "sampler/batch.h"
#include "sampler/neighbor_sampler.h"
#include "sampler/plan.h"
#include "train/prefetcher.h"

namespace kith {

/// How batches are made; see PlanOptions and NeighborSamplerOptions. The seeds inside are overwritten by
/// `seed`.
struct LoaderOptions {
  PlanOptions plan;
  NeighborSamplerOptions sampler;
  std::int32_t level = 0;      ///< community level of plan and bias, 0 = finest
  bool is_group_auto = false;  ///< sizes a super-community so that its feature rows fill the last-level cache
  std::int32_t prefetch_depth = 2;  ///< batches made ahead, >= 0
  std::uint64_t seed = 0;
};

/// One batch of an epoch, sampled.
struct SampledBatch {
  std::size_t index = 0;  ///< in the epoch
  MiniBatch batch;
  BatchStats stats;
  double sample_seconds = 0;
};

/// Makes the batches over one set of roots. Keeps a reference to the dataset, which must outlive it.
class Loader {
 public:
  /// roots: global ids. Throws InvalidArgument for options out of range.
  Loader(const Dataset& dataset, std::vector<NodeId> roots, LoaderOptions options);

  /// Pure function of the options and the epoch.
  Plan plan(std::int32_t epoch) const;
  std::size_t num_batches() const { return num_batches_; }

  /// The batches of `plan` from `first` on, in order; `plan` must be this epoch's and outlive the stream.
  std::unique_ptr<Prefetcher<SampledBatch>> stream(const Plan& plan, std::int32_t epoch,
                                                   std::size_t first = 0) const;
  SampledBatch sample(const Plan& plan, std::int32_t epoch, std::size_t index) const;

  const LoaderOptions& options() const { return options_; }  ///< with `group` resolved
  const Communities& communities() const { return communities_; }

 private:
  const Dataset& dataset_;
  const Communities& communities_;
  std::vector<NodeId> roots_;
  LoaderOptions options_;
  NeighborSampler sampler_;
  std::size_t num_batches_;
};

}  // namespace kith
