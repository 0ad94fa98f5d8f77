// Every staging policy on one recorded trace: `kith stage-eval`.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "graph/dataset.h"
#include "train/loader.h"
#include "train/staging/policy.h"

namespace kith {

/// What is recorded, and what is replayed.
struct StageEvalOptions {
  LoaderOptions loader;
  StagingOptions staging;                 ///< policy and stage_bytes aside
  std::vector<std::int64_t> stage_bytes;  ///< sizes of the fast tier, each replayed
  std::vector<StagePolicy> policies;
  std::int32_t epochs = 2;         ///< measured, after one that is sampled and warms up; > 0
  std::int32_t pretraining = 300;  ///< steps that the predictor is trained on the sampled epoch
};

/// What one policy did at one size.
struct PolicyReport {
  StagePolicy policy = StagePolicy::none;
  std::int64_t stage_bytes = 0;
  StageAccount account;  ///< over the measured epochs
  double row_share = 0;  ///< of the fast tier, in rows
  double distance_to_bound =
      0;                     ///< bytes moved beyond the exact bound, as a share of the bytes asked for; >= 0
  double amplification = 0;  ///< bytes read / bytes of the rows missed
  std::optional<double>
      whole_amplification;  ///< the same if every page touched is read whole, without a row store
  std::optional<PredictorMetrics> predictor;
  double predictor_seconds = 0;    ///< of a processor, for observing, predicting and training online
  double pretraining_seconds = 0;  ///< before the measured epochs; its training by the wall clock
  std::string followed;            ///< by `auto`, at the end
};

/// The most rows that any policy can find in the fast tier at one size, and the bytes it then still reads.
struct BoundReport {
  std::int64_t stage_bytes = 0;
  double hit_rate = 0;
  std::int64_t moved = 0;  ///< bytes
};

/// What the statistics of the sampled epoch promise and what the measured ones ask for, a tier; bytes an epoch.
struct PlacementReport {
  std::int64_t stage_bytes = 0;
  TierTraffic predicted, measured;
};

struct StageEvalReport {
  StageEvalOptions options;
  std::int64_t batches = 0;
  std::int64_t rows = 0;  ///< read, each once a batch
  std::size_t row_bytes = 0;
  std::int64_t table_bytes = 0;
  DedupCounts dedup;  ///< over windows of options.staging.lookahead batches
  std::vector<PolicyReport> policies;
  std::vector<BoundReport> bounds;
  std::vector<PlacementReport> placements;
};

/// The exact bound (Belady's rule with bypass, over rows, from the best content): no policy of `capacity` rows
/// reads fewer rows into the fast tier.
BoundReport exact_bound(const AccessTrace& trace, const PageGeometry& geometry, std::int64_t stage_bytes);

/// Records the trace of 1 + epochs epochs and replays it. backend: the predictor's. on_policy is told each
/// finished replay; may be empty. Throws InvalidArgument.
StageEvalReport evaluate_staging(const Dataset& dataset, Backend& backend, const StageEvalOptions& options,
                                 const std::function<void(const PolicyReport&)>& on_policy = {});

nlohmann::ordered_json to_json(const StageEvalReport& report);

/// Lines for people.
std::string to_table(const StageEvalReport& report);

/// An SVG: stall a step, and hit rate, against the size of the fast tier, a line for each policy.
std::string plot_staging(const StageEvalReport& report);

}  // namespace kith
