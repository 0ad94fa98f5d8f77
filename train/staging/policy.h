// The staging policies by name, all with the same byte budget and the same accounts.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "graph/dataset.h"
#include "kernels/backend.h"
#include "train/staging/access_trace.h"
#include "train/staging/auto_replay.h"
#include "train/staging/learned.h"
#include "train/staging/options.h"
#include "train/staging/placement.h"
#include "train/staging/replay.h"

namespace kith {

/// A policy ready to run.
struct MadePolicy {
  std::unique_ptr<StageReplay> replay;
  std::int32_t lookahead = 0;             ///< batches to reveal before the one that is served
  double row_share = 0;                   ///< of the fast tier, in rows of the row store
  bool is_static = false;                 ///< holds() never changes
  LearnedReplacement* learned = nullptr;  ///< of `lstm`, inside replay
};

/// Makes policies from what sampled epochs say. Keeps references to all arguments.
class PolicyFactory {
 public:
  /// sample: the batches of an epoch, as training would read them; it places rows and warms tiers. rehearsal:
  /// another epoch, by which `auto` chooses whom to follow first, since whoever was placed by a batch looks too
  /// good on it; may be empty for the other policies. backend: the predictor's. Throws InvalidArgument.
  PolicyFactory(const Dataset& dataset, const AccessTrace& sample, const AccessTrace& rehearsal,
                Backend& backend, const StagingOptions& options);

  /// Serves every batch of the sample before it is returned, so that it starts as in mid-training.
  MadePolicy make(StagePolicy policy) const;

  const PageGeometry& geometry() const { return geometry_; }
  const IdSet& host_pages() const { return host_pages_; }
  std::span<const std::int32_t> accesses() const { return accesses_; }  ///< [num_rows] of the sample

 private:
  MadePolicy make_rows(std::span<const std::int32_t> scores) const;
  MadePolicy make_paged(StagePolicy policy, double row_share) const;
  /// The share with the shortest stalls on the sample.
  double best_row_share(StagePolicy policy) const;
  MadePolicy make_cold(StagePolicy policy) const;
  MadePolicy make_auto() const;
  BatchSplitter splitter() const { return {geometry_, options_.model, host_pages_, options_.isolation}; }

  const Dataset& dataset_;
  const AccessTrace& sample_;
  const AccessTrace& rehearsal_;
  Backend& backend_;
  StagingOptions options_;
  PageGeometry geometry_;
  std::vector<std::int32_t> accesses_;
  IdSet host_pages_;
  std::vector<std::int32_t> isolated_;  ///< [num_rows] in how many batches a row is read alone
};

/// Serves batches [first, last) of a trace in order, `lookahead` of them revealed ahead. on_step is told each
/// account; may be empty.
StageAccount run_policy(StageReplay& replay, const AccessTrace& trace, std::int32_t lookahead);

}  // namespace kith
