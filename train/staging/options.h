// How features are staged: what a user may choose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "train/staging/page_geometry.h"
#include "train/staging/tier_model.h"

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

/// Which rows are isolated.
enum class Isolation : std::uint8_t {
  none,     ///< every page touched is read whole
  cheaper,  ///< those of a page that costs more to read whole than row by row, by the stated speeds
};

/// How the predictor is built and trained.
struct PredictorOptions {
  std::int32_t max_tokens = 1024;           ///< deltas that it can name, the rest included
  std::int32_t num_contexts = 64;           ///< buckets of communities
  std::int32_t units = 64;                  ///< of each of the two layers
  std::int32_t top_k = 10;                  ///< deltas that count as predicted, and that may be staged
  std::int64_t vocabulary_accesses = 1024;  ///< pages seen before the vocabulary is fixed and training starts
  std::size_t max_history = 1 << 16;        ///< latest pages that it trains on
  std::int32_t sequence_length = 32;        ///< steps that back-propagation goes back
  std::int32_t num_sequences = 16;          ///< windows in one training step
  double lr = 3e-3;                         ///< of Adam
  double max_gradient_norm = 1;
  double min_confidence = 0.2;  ///< probability below which a page is not staged ahead
  std::uint64_t seed = 0;
};

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
  std::int32_t training_steps = 1;  ///< of the predictor, made at every batch; 0 = somebody else trains it
  double predictor_percent = 5;     ///< of one processor, for training the predictor beside a run, (0, 100]
  std::uint64_t seed = 0;
};

/// Throws InvalidArgument, naming the option, what is expected and what came.
void check_staging_options(const StagingOptions& options);

}  // namespace kith
