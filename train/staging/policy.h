// The staging policies by name, all with the same byte budget and the same accounts.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "graph/dataset.h"
#include "kernels/backend.h"
#include "train/staging/access_trace.h"
#include "train/staging/auto_replay.h"
#include "train/staging/learned.h"
#include "train/staging/placement.h"
#include "train/staging/replay.h"

namespace kith {

/// What the fast tier holds.
enum class StagePolicy : std::uint8_t {
  none,       ///< nothing: every row is read for every batch
  degree,     ///< the rows that most neighbour lists name (PaGraph)
  presample,  ///< the rows that most batches of a sampled epoch read (GNNLab)
  lru,        ///< pages, least recently used
  sieve,      ///< pages, SIEVE
  lookahead,  ///< pages, Belady's rule over the batches sampled ahead (Ginex, arXiv 2208.09151)
  lstm,       ///< pages, LRU and what a learned predictor expects (arXiv 1803.02329)
  automatic,  ///< whichever of the others stalls least
};

/// "none", "degree", "presample", "lru", "sieve", "lookahead", "lstm" or "auto". Throws InvalidArgument.
StagePolicy parse_stage_policy(std::string_view name);
std::string_view name_of(StagePolicy policy);

/// How features are staged.
struct StagingOptions {
  StagePolicy policy = StagePolicy::none;
  std::int64_t stage_bytes = std::int64_t{2} << 30;  ///< of the fast tier
  std::int64_t host_bytes = -1;                      ///< of the host tier; -1 = the whole table
  std::size_t page_bytes = kDefaultPageBytes;
  std::int32_t lookahead = 16;  ///< batches that the policy `lookahead` knows ahead, >= 0
  double row_share = -1;  ///< of the fast tier, for isolated rows beside pages; -1 = tried on the sampled epoch
  Isolation isolation = Isolation::cheaper;
  TierModel model;
  PredictorOptions predictor;
  std::uint64_t seed = 0;
};

/// Throws InvalidArgument, naming the option, what is expected and what came.
void check_staging_options(const StagingOptions& options);

/// A policy ready to run.
struct MadePolicy {
  std::unique_ptr<StageReplay> replay;
  std::int32_t lookahead = 0;             ///< batches to reveal before the one that is served
  double row_share = 0;                   ///< of the fast tier, in rows of the row store
  LearnedReplacement* learned = nullptr;  ///< of `lstm`, inside replay
};

/// Makes policies from what a sampled epoch says. Keeps references to all arguments.
class PolicyFactory {
 public:
  /// sample: the batches of an epoch, as training would read them. backend: the predictor's. Throws
  /// InvalidArgument.
  PolicyFactory(const Dataset& dataset, const AccessTrace& sample, Backend& backend,
                const StagingOptions& options);

  /// Every batch of the sample is served before it is returned if is_warm, so that it starts as in
  /// mid-training.
  MadePolicy make(StagePolicy policy, bool is_warm = true) const;

  const PageGeometry& geometry() const { return geometry_; }
  const IdSet& host_pages() const { return host_pages_; }
  std::span<const std::int32_t> accesses() const { return accesses_; }  ///< [num_rows] of the sample

 private:
  MadePolicy make_rows(std::span<const std::int32_t> scores) const;
  MadePolicy make_paged(StagePolicy policy, double row_share) const;
  /// The share with the shortest stalls on the sample.
  double best_row_share(StagePolicy policy) const;
  MadePolicy make_auto() const;
  BatchSplitter splitter() const { return {geometry_, options_.model, host_pages_, options_.isolation}; }

  const Dataset& dataset_;
  const AccessTrace& sample_;
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
