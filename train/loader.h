// Ties plan, sampler and look-ahead together: the stream of mini-batches of one epoch.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/dataset.h"
#include "sampler/batch.h"
#include "sampler/plan.h"
#include "sampler/sampler.h"
#include "train/knob_schedule.h"
#include "train/prefetcher.h"

namespace kith {

/// How batches are made; see PlanOptions and SamplerOptions. The seeds inside are overwritten by `seed`, and a
/// plan for SamplerKind::cluster is one batch a super-community. plan.mix and sampler.p_intra are the values of
/// the first epoch, and of all unless they have a last one.
struct LoaderOptions {
  PlanOptions plan;
  SamplerOptions sampler;
  std::int32_t level = 0;        ///< community level of the plan, 0 = finest
  std::int32_t bias_level = -1;  ///< community level that p_intra speaks of; -1 = the plan's
  std::int32_t dependency = 1;   ///< consecutive batches that draw alike, > 0; all ranks count them alike
  std::optional<double> last_mix = {};      ///< at the end of the schedule; not with `group` or `cluster`
  std::optional<double> last_p_intra = {};  ///< the same
  KnobSchedule schedule = {};               ///< how the knobs with a last value get there
  bool is_group_auto = false;  ///< sizes a super-community so that its feature rows fill the last-level cache
  bool has_features = true;    ///< BatchStream gathers the feature rows of a batch
  std::int32_t prefetch_depth = 2;  ///< batches made ahead, >= 0
  std::uint64_t seed = 0;

  Knob mix() const { return {plan.mix, last_mix.value_or(plan.mix)}; }
  Knob p_intra() const { return {sampler.p_intra, last_p_intra.value_or(sampler.p_intra)}; }
  void set_mix(const Knob& knob);
  void set_p_intra(const Knob& knob);
  bool has_schedule() const { return last_mix || last_p_intra; }
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
  /// Batches of an epoch. May differ by a few from epoch to epoch where batches are whole communities and
  /// `mixing` is balanced; then it is that of epoch 0.
  std::size_t num_batches() const { return num_batches_; }

  /// The batches of `plan` from `first` on, in order; `plan` must be this epoch's and outlive the stream.
  std::unique_ptr<Prefetcher<SampledBatch>> stream(const Plan& plan, std::int32_t epoch,
                                                   std::size_t first = 0) const;
  SampledBatch sample(const Plan& plan, std::int32_t epoch, std::size_t index) const;
  /// Which random numbers a batch draws with. A batch draws alike whichever rank makes it, and whenever;
  /// dependent ones, as those beside them in the stream.
  std::int64_t draws(const Plan& plan, std::size_t index) const;
  /// What the batches of an epoch are drawn with.
  double p_intra(std::int32_t epoch) const { return options_.schedule.at(options_.p_intra(), epoch); }

  const LoaderOptions& options() const { return options_; }           ///< with everything resolved
  const Communities& communities() const { return levels_.front(); }  ///< of the plan

 private:
  const Dataset& dataset_;
  std::span<const Communities> levels_;  ///< of the dataset, from the plan's on
  std::vector<NodeId> roots_;
  LoaderOptions options_;
  Sampler sampler_;
  std::size_t num_batches_;
};

}  // namespace kith
