// The learned policy: LRU, and pages that a predictor expects are staged ahead.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/backend.h"
#include "train/staging/page_predictor.h"
#include "train/staging/replacement.h"

namespace kith {

/// How the predictor is used.
struct LearnedOptions {
  PredictorOptions predictor;
  std::int32_t num_communities = 1;  ///< contexts are buckets of them
  double max_ahead_share = 0.25;     ///< of the cache, staged ahead after one batch
  std::int32_t training_steps = 1;   ///< made inside serve(); 0 = somebody else calls train()
};

/// LRU over pages that also holds what the predictor expects of the batches to come. It steps back when it is
/// wrong: the share of the staged pages that were asked for before they left scales what is staged next.
class LearnedReplacement final : public Replacement {
 public:
  /// Throws InvalidArgument. `backend` must outlive it.
  LearnedReplacement(Backend& backend, PageId num_pages, std::int64_t capacity, const LearnedOptions& options);
  ~LearnedReplacement() override;

  void serve(const Request& request, Changes& changes) override;
  bool holds(Item item) const override;

  PagePredictor& predictor();
  /// Processor seconds of the calling thread for observing, predicting and training inside serve().
  double seconds() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kith
