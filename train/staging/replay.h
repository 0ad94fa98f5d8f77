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
  ReadBytes demand;                ///< read into the fast tier for the batch
  ReadBytes ahead;                 ///< read into it although no batch had asked
  double fetch_seconds = 0;        ///< of the batches' own reads
  double stall_seconds = 0;        ///< what steps waited, on the simulated clock

  StageAccount& operator+=(const StageAccount& other);
  std::int64_t moved() const { return demand.total() + ahead.total(); }
  double hit_rate() const { return rows == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(rows); }
};

/// What the fast tier holds, batch after batch. Batches are revealed in order, and served in order. One thread
/// at a time.
class StageReplay {
 public:
  virtual ~StageReplay() = default;

  /// Tells of a batch to come. rows: global ids, each once; context: the community of most of its roots.
  virtual void reveal(std::span<const NodeId> rows, std::int32_t context) = 0;

  /// Serves the oldest batch revealed.
  virtual StageAccount step() = 0;

  /// Whether the fast tier is to hold a row, between batches.
  virtual bool holds(NodeId row) const = 0;

  /// What the last step did to pages.
  virtual const Changes& changes() const = 0;

  /// Whether the last step changed more than changes() says.
  virtual bool is_renewed() const { return false; }
};

/// The fast tier of one policy: a store of chosen rows that never change, and frames for pages under a
/// replacement rule.
class PolicyReplay final : public StageReplay {
 public:
  /// stored: [num_rows] or empty.
  PolicyReplay(BatchSplitter splitter, IdSet stored, std::unique_ptr<Replacement> replacement);

  void reveal(std::span<const NodeId> rows, std::int32_t context) override;
  StageAccount step() override;
  bool holds(NodeId row) const override {
    return (!stored_.empty() && stored_[row]) || replacement_->holds(splitter_.geometry().page_of(row));
  }
  const Changes& changes() const override { return changes_; }
  const BatchTouches& touches() const { return touches_; }  ///< of the last step
  const IdSet& stored() const { return stored_; }
  const BatchSplitter& splitter() const { return splitter_; }

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
