// One staging policy on a stream of batches: what it hits, what it moves, how long steps wait. Only accounts:
// no byte is copied, so that several policies can run side by side.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>

#include "graph/types.h"
#include "train/staging/batch_touches.h"
#include "train/staging/replacement.h"

namespace kith {

/// What staging did over some batches.
struct StageAccount {
  std::int64_t batches = 0;
  std::int64_t rows = 0;           ///< rows asked for, each once a batch
  std::int64_t hits = 0;           ///< of them, in the fast tier when the batch was known
  std::int64_t stored_hits = 0;    ///< of the hits, those in the row store
  std::int64_t isolated_rows = 0;  ///< of the misses, those read alone
  ReadBytes moved;                 ///< read into the fast tier, `ahead` included
  std::int64_t ahead_bytes = 0;    ///< read although no batch had asked
  double fetch_seconds = 0;        ///< of the batches' own reads
  double stall_seconds = 0;        ///< what steps waited, on the simulated clock

  StageAccount& operator+=(const StageAccount& other);
  double hit_rate() const { return rows == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(rows); }
};

/// The fast tier of one policy: a store of chosen rows that never change, and frames for pages under a
/// replacement rule. Batches are revealed in order, and served in order.
class PolicyReplay {
 public:
  /// stored: [num_rows] or empty.
  PolicyReplay(BatchSplitter splitter, IdSet stored, std::unique_ptr<Replacement> replacement);

  void reveal(std::span<const NodeId> rows, std::int32_t context);
  std::size_t num_revealed() const { return revealed_.size(); }  ///< and not served

  /// Serves the oldest batch revealed.
  StageAccount step();

  /// Whether the fast tier holds a row, between batches.
  bool holds(NodeId row) const {
    return (!stored_.empty() && stored_[row]) || replacement_->holds(splitter_.geometry().page_of(row));
  }
  const Changes& changes() const { return changes_; }       ///< of the last step, in pages
  const BatchTouches& touches() const { return touches_; }  ///< of the last step
  const IdSet& stored() const { return stored_; }
  const BatchSplitter& splitter() const { return splitter_; }
  const Replacement& replacement() const { return *replacement_; }

 private:
  BatchSplitter splitter_;
  IdSet stored_;
  std::unique_ptr<Replacement> replacement_;
  StallClock clock_;
  std::deque<BatchTouches> revealed_;
  BatchTouches touches_;
  Changes changes_;
  IdSet was_held_;  ///< scratch: [touches]
};

}  // namespace kith
