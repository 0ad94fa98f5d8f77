// Learns the stream of pages that batches touch, while it comes, and says which pages come next.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "train/adam.h"
#include "train/staging/delta_vocabulary.h"
#include "train/staging/lstm_network.h"
#include "train/staging/options.h"
#include "train/staging/page_geometry.h"

namespace kith {

/// How good predictions were, each made before the page was seen (Hashemi et al., section 5.3).
struct PredictorMetrics {
  std::int64_t steps = 0;  ///< pages since the vocabulary was fixed
  std::int64_t hits = 0;   ///< of them, those whose delta was among the top k
  std::int64_t frequent_hits =
      0;                       ///< of them, those whose delta is one of the k most frequent: no learning needed
  std::set<PageId> predicted;  ///< every delta that was ever among the top k
  std::set<PageId> seen;       ///< every delta that occurred

  double precision() const { return steps == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(steps); }
  double frequent_precision() const {
    return steps == 0 ? 0 : static_cast<double>(frequent_hits) / static_cast<double>(steps);
  }
  /// Share of the deltas that occurred which were predicted at some time.
  double recall() const;
};

/// observe() and predict() from one thread, train() from one other at most.
class PagePredictor {
 public:
  /// Throws InvalidArgument for sizes that are not positive. `backend` must outlive it.
  PagePredictor(Backend& backend, PageId num_pages, const PredictorOptions& options);

  /// The pages of one batch, in the order of first touch. context: in [0, num_contexts).
  void observe(std::span<const PageId> pages, std::int32_t context);

  /// Makes training steps on windows of the history, at random places, and lets predictions use what they gave.
  /// Returns the mean loss of the last step in nats; nothing happens (0) before the vocabulary is fixed.
  double train(std::int32_t steps);

  /// At most `count` pages that come next, the surest first: along the likeliest continuation, of every step
  /// the top k whose probability, that of the way there included, is min_confidence or more.
  std::vector<PageId> predict(std::size_t count) const;

  bool is_ready() const { return vocabulary_.size() > 0; }
  const PredictorMetrics& metrics() const { return metrics_; }
  void reset_metrics() { metrics_ = {}; }

 private:
  struct Guess {
    std::int32_t token;
    double probability;
  };
  struct Sample {
    std::vector<std::int32_t> tokens, contexts, targets;
  };

  void remember(PageId page, std::int32_t context);
  void fix_vocabulary();
  void advance(std::span<const std::int32_t> tokens, std::int32_t context);
  std::vector<Guess> top_of(std::span<const double> logits) const;
  Sample draw_sample();

  Backend& backend_;
  PageId num_pages_;
  PredictorOptions options_;
  DeltaVocabulary vocabulary_;
  std::vector<PageId> first_deltas_;  ///< until the vocabulary is fixed
  PageId last_page_ = -1;
  std::unique_ptr<LstmNetwork> serving_, training_;
  std::unique_ptr<Adam> optimizer_;
  LstmState state_;          ///< of serving_, after the last page
  std::vector<Guess> next_;  ///< for the page to come, the surest first
  PredictorMetrics metrics_;
  std::mt19937_64 random_;

  mutable std::mutex mutex_;  ///< guards what follows, and serving_'s parameters
  std::deque<std::int32_t> tokens_, contexts_;
};

}  // namespace kith
