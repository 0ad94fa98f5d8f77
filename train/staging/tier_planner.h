// What the fast tier holds, batch after batch, as lists of moves for whoever has the bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "graph/dataset.h"
#include "kernels/backend.h"
#include "kernels/row_tier.h"
#include "train/loader.h"
#include "train/staging/background_training.h"
#include "train/staging/policy.h"
#include "train/staging/traffic.h"

namespace kith {

/// What to read and to move for a batch. `incoming` starts with the rows of `pages`, one after another.
struct RowPlan {
  /// Rows [first, first + count) of the table, of one page.
  struct Run {
    NodeId first;
    std::int32_t count;
  };
  std::vector<Run> pages;  ///< read from the tiers below
  RowMoves rows;           ///< row of the table, read by itself -> place in the batch
  RowTransfer moves;       ///< without `copies` and `read`, which depend on where those are read from
  StageTraffic traffic;    ///< rows and hits

  std::int64_t num_page_rows() const {
    std::int64_t count = 0;
    for (const Run& run : pages) count += run.count;
    return count;
  }
};

/// Runs a staging policy over batches in order, and keeps account of which row lies in which slot of the fast
/// tier. Holds no feature. One thread at a time.
class TierPlanner {
 public:
  /// Samples an epoch of `loader` for the statistics, and places rows and pages by them. Throws
  /// InvalidArgument. `dataset` must outlive it.
  TierPlanner(const Dataset& dataset, const Loader& loader, const StagingOptions& options);

  const PageGeometry& geometry() const { return geometry_; }
  const IdSet& host_pages() const { return host_pages_; }  ///< [num_pages] of the host tier; empty = all
  std::int64_t num_slots() const { return num_slots_; }
  std::int64_t num_held() const { return num_slots_ - static_cast<std::int64_t>(free_.size()); }
  std::int64_t most_rows() const { return most_rows_; }  ///< of a batch of the sampled epoch

  /// Whether the fast tier never changes once it is filled.
  bool is_static() const { return policy_.is_static || num_slots_ == 0; }
  std::span<const std::int32_t> slot_of() const { return slot_of_; }  ///< [num_rows], or -1

  /// Batches to be revealed before the one that is planned.
  std::int32_t lookahead() const { return is_static() ? 0 : policy_.lookahead; }

  /// The next part of what the policy holds before the first batch, at most max_rows > 0 rows; a plan without
  /// pages after the last one.
  RowPlan fill(std::int64_t max_rows);

  /// Tells of a batch to come, in order. rows: global ids, each once, its roots first.
  void reveal(std::span<const NodeId> rows, std::size_t num_roots);

  /// The oldest batch revealed; rows: its own.
  RowPlan plan(std::span<const NodeId> rows);

 private:
  /// Sorts the rows into hits, rows of whole pages and rows by themselves. Returns those pages, which are the
  /// first ones of out.pages.
  std::vector<PageId> look_up(std::span<const NodeId> rows, RowPlan& out);
  void add_page(PageId page, RowPlan& out) {
    out.pages.push_back({.first = geometry_.first_row(page), .count = geometry_.rows_in(page)});
  }
  /// A free slot for a row that the policy wants and that is not held; or -1.
  std::int32_t take_slot(NodeId row);
  /// A slot for a row that the policy wants and that is not held; there must be a free one.
  std::int32_t give_slot(NodeId row);
  /// Keeps those rows that the policy wants of a page which arrives from row `arrival` of incoming on.
  void keep_page(PageId page, std::int64_t arrival, RowPlan& out);
  void drop(NodeId row);
  void drop_unwanted();

  PageGeometry geometry_;
  Communities communities_;           ///< of the loader's level
  std::unique_ptr<Backend> backend_;  ///< the predictor's own
  MadePolicy policy_;
  IdSet host_pages_;
  std::unique_ptr<BatchSplitter> splitter_;
  std::int64_t num_slots_ = 0;
  std::int64_t most_rows_ = 0;
  NodeId next_fill_ = 0;                          ///< rows before it are in place
  std::vector<std::int32_t> slot_of_;             ///< [num_rows], or -1
  std::vector<std::int32_t> free_;                ///< slots
  std::vector<std::int64_t> arrival_of_;          ///< [num_pages] scratch: row of incoming, or -1
  std::unique_ptr<BackgroundTraining> training_;  ///< of the predictor; destroyed first
};

}  // namespace kith
