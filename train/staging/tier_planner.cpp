#include "train/staging/tier_planner.h"

#include <algorithm>
#include <numeric>

namespace kith {

TierPlanner::TierPlanner(const Dataset& dataset, const Loader& loader, const StagingOptions& options)
    : geometry_(dataset.num_nodes(), dataset.features.view().row_bytes(), options.page_bytes),
      communities_(loader.communities()),
      backend_(make_cpu_backend()),
      slot_of_(static_cast<std::size_t>(dataset.num_nodes()), -1),
      arrival_of_(static_cast<std::size_t>(geometry_.num_pages()), -1) {
  StagingOptions own = options;
  own.training_steps = 0;
  const AccessTrace sample = record_trace(loader, 0, 1);
  for (std::size_t i = 0; i < sample.num_batches(); ++i) {
    most_rows_ = std::max(most_rows_, static_cast<std::int64_t>(sample.rows(i).size()));
  }
  const bool chooses = options.policy == StagePolicy::automatic;
  const AccessTrace rehearsal = chooses ? record_trace(loader, 1, 1) : AccessTrace();
  const PolicyFactory factory(dataset, sample, rehearsal, *backend_, own);
  policy_ = factory.make(options.policy);
  host_pages_ = factory.host_pages();
  splitter_ = std::make_unique<BatchSplitter>(geometry_, options.model, host_pages_, options.isolation);
  num_slots_ = std::min<std::int64_t>(options.stage_bytes / static_cast<std::int64_t>(geometry_.row_bytes()),
                                      geometry_.num_rows());
  free_.resize(static_cast<std::size_t>(num_slots_));
  std::iota(free_.rbegin(), free_.rend(), 0);
  if (policy_.learned == nullptr) return;
  PagePredictor& predictor = policy_.learned->predictor();
  training_ = std::make_unique<BackgroundTraining>(options.predictor_percent, [&predictor] {
    return predictor.train(1) > 0;  // the loss; nothing is known of any page at first
  });
}

RowPlan TierPlanner::fill(std::int64_t max_rows) {
  RowPlan out;
  std::int64_t arrival = 0;
  while (next_fill_ < geometry_.num_rows() && !free_.empty() && arrival < max_rows) {
    const NodeId first = next_fill_;
    const PageId page = geometry_.page_of(first);
    const NodeId end = geometry_.first_row(page) + geometry_.rows_in(page);
    // Neighbours in the table come in one read, page by page.
    while (next_fill_ < end && arrival < max_rows) {
      const std::int32_t slot = take_slot(next_fill_);
      if (slot < 0) break;
      out.moves.kept.add(arrival++, slot);
      ++next_fill_;
    }
    if (next_fill_ > first) {
      out.pages.push_back({.first = first, .count = next_fill_ - first});
    } else {
      ++next_fill_;
    }
  }
  return out;
}

void TierPlanner::reveal(std::span<const NodeId> rows, std::size_t num_roots) {
  const std::vector<std::int32_t> communities = communities_by_roots(rows.first(num_roots), communities_);
  policy_.replay->reveal(rows, communities.empty() ? 0 : communities.front());
}

std::int32_t TierPlanner::take_slot(NodeId row) {
  if (slot_of_[row] >= 0 || free_.empty() || !policy_.replay->holds(row)) return -1;
  return give_slot(row);
}

std::int32_t TierPlanner::give_slot(NodeId row) {
  slot_of_[row] = free_.back();
  free_.pop_back();
  return slot_of_[row];
}

void TierPlanner::keep_page(PageId page, std::int64_t arrival, RowPlan& out) {
  const NodeId first = geometry_.first_row(page);
  for (NodeId i = 0; i < geometry_.rows_in(page); ++i) {
    const std::int32_t slot = take_slot(first + i);
    if (slot >= 0) out.moves.kept.add(arrival + i, slot);
  }
}

void TierPlanner::drop(NodeId row) {
  if (slot_of_[row] < 0 || policy_.replay->holds(row)) return;
  free_.push_back(slot_of_[row]);
  slot_of_[row] = -1;
}

void TierPlanner::drop_unwanted() {
  if (policy_.replay->is_renewed()) {
    for (NodeId row = 0; row < geometry_.num_rows(); ++row) drop(row);
    return;
  }
  for (const PageId page : policy_.replay->changes().evicted) {
    const NodeId first = geometry_.first_row(page);
    for (NodeId row = first; row < first + geometry_.rows_in(page); ++row) drop(row);
  }
}

std::vector<PageId> TierPlanner::look_up(std::span<const NodeId> rows, RowPlan& out) {
  constexpr std::size_t kAhead = 16;  // rows whose slots are fetched from memory meanwhile
  RowMoves& missing = out.rows;
  missing.reserve(rows.size());
  out.moves.hits.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i + kAhead < rows.size()) __builtin_prefetch(&slot_of_[rows[i + kAhead]]);
    const std::int32_t held = slot_of_[rows[i]];
    if (held >= 0) {
      out.moves.hits.add(held, static_cast<std::int64_t>(i));
    } else {
      missing.add(rows[i], static_cast<std::int64_t>(i));
    }
  }
  out.moves.num_rows = out.traffic.rows = static_cast<std::int64_t>(rows.size());
  out.traffic.hits = out.moves.hits.size();
  BatchTouches touches = splitter_->split(missing.from, 0, {});
  if (touches.dense.empty()) return {};
  std::int64_t arrival = 0;
  for (const PageId page : touches.dense) {
    arrival_of_[page] = arrival;
    arrival += geometry_.rows_in(page);
    add_page(page, out);
  }
  std::size_t num_alone = 0;
  for (std::size_t i = 0; i < missing.from.size(); ++i) {
    const NodeId row = missing.from[i];
    const PageId page = geometry_.page_of(row);
    if (arrival_of_[page] < 0) {
      missing.from[num_alone] = row;
      missing.to[num_alone++] = missing.to[i];
    } else {
      out.moves.arrived.add(arrival_of_[page] + row - geometry_.first_row(page), missing.to[i]);
    }
  }
  missing.from.resize(num_alone);
  missing.to.resize(num_alone);
  for (const PageId page : touches.dense) arrival_of_[page] = -1;
  return std::move(touches.dense);
}

RowPlan TierPlanner::plan(std::span<const NodeId> rows) {
  RowPlan out;
  const std::vector<PageId> dense = look_up(rows, out);
  policy_.replay->step();
  drop_unwanted();
  std::int64_t arrival = 0;
  for (const PageId page : dense) {
    keep_page(page, arrival, out);
    arrival += geometry_.rows_in(page);
  }
  for (std::int64_t i = 0; i < out.rows.size() && !free_.empty(); ++i) {
    const NodeId row = out.rows.from[i];
    if (policy_.replay->holds(row)) out.moves.kept_of_batch.add(out.rows.to[i], give_slot(row));
  }
  for (const PageId page : policy_.replay->changes().ahead) {
    add_page(page, out);
    keep_page(page, arrival, out);
    arrival += geometry_.rows_in(page);
  }
  return out;
}

}  // namespace kith
