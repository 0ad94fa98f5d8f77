#include "train/staging/auto_replay.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "graph/errors.h"

namespace kith {
namespace {

std::vector<Candidate> checked(std::vector<Candidate> candidates) {
  KITH_CHECK(!candidates.empty(), InvalidArgument, "staging: auto needs a policy to choose from");
  return candidates;
}

}  // namespace

AutoReplay::AutoReplay(std::vector<Candidate> candidates, std::uint64_t seed)
    : candidates_(checked(std::move(candidates))),
      stalls_(candidates_.size()),
      is_pending_(static_cast<std::size_t>(candidates_.front().replay->splitter().geometry().num_rows())),
      splitter_(candidates_.front().replay->splitter()),
      clock_(splitter_.model()),
      random_(seed) {}

void AutoReplay::settle() {
  followed_ = best();
  is_pending_.assign(is_pending_.size(), false);
  std::ranges::fill(stalls_, 0);
  stall_ = largest_stall_ = 0;
  margin_factor_ = 1;
  num_changes_ = 0;
  is_renewed_ = false;
}

void AutoReplay::reveal(std::span<const NodeId> rows, std::int32_t context) {
  revealed_.emplace_back(rows.begin(), rows.end());
  for (const Candidate& candidate : candidates_) candidate.replay->reveal(rows, context);
}

StageAccount AutoReplay::step() {
  is_renewed_ = false;
  const std::vector<NodeId> rows = std::move(revealed_.front());
  revealed_.pop_front();
  StageAccount account;
  const ReadBytes pending = read_pending(rows, account);
  const std::int64_t lost_hits = account.hits;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    const StageAccount own = candidates_[i].replay->step();
    stalls_[i] += own.stall_seconds;
    largest_stall_ = std::max(largest_stall_, own.stall_seconds);
    if (i == followed_) account = own;
  }
  account.hits -= lost_hits;
  account.demand += pending;
  account.fetch_seconds = read_seconds(splitter_.model(), account.demand);
  account.stall_seconds = clock_.step(account.fetch_seconds, read_seconds(splitter_.model(), account.ahead));
  stall_ += account.stall_seconds;
  // What left is not pending any more; were it to come back, it would be read.
  const PageGeometry& geometry = splitter_.geometry();
  for (const Item page : followed().replay->changes().evicted) {
    const NodeId first = geometry.first_row(page);
    for (NodeId row = first; row < first + geometry.rows_in(page); ++row) {
      if (!followed().replay->holds(row)) is_pending_[row] = false;
    }
  }
  choose();
  return account;
}

ReadBytes AutoReplay::read_pending(std::span<const NodeId> rows, StageAccount& account) {
  std::vector<NodeId> missing;
  for (const NodeId row : rows) {
    if (is_pending_[row] && followed().replay->holds(row)) missing.push_back(row);
  }
  ReadBytes bytes;
  account.hits = static_cast<std::int64_t>(missing.size());
  for (const NodeId row : missing) is_pending_[row] = false;
  for (const PageTouch& touch : splitter_.split(missing, 0, {}).pages) {
    if (!touch.is_dense) {
      bytes[touch.source].rows += touch.alone_bytes;
      continue;
    }
    bytes[touch.source].pages += splitter_.bytes_of(touch.page);
    const NodeId first = splitter_.geometry().first_row(touch.page);
    for (NodeId row = first; row < first + splitter_.geometry().rows_in(touch.page); ++row) {
      is_pending_[row] = false;
    }
  }
  return bytes;
}

double AutoReplay::change_seconds(std::size_t to) const {
  ReadBytes bytes;
  for (NodeId row = 0; row < splitter_.geometry().num_rows(); ++row) {
    if (!candidates_[to].replay->holds(row) || holds(row)) continue;
    bytes[splitter_.source(splitter_.geometry().page_of(row))].pages +=
        static_cast<std::int64_t>(splitter_.geometry().row_bytes());
  }
  return read_seconds(splitter_.model(), bytes);
}

std::size_t AutoReplay::best() const {
  return static_cast<std::size_t>(std::ranges::min_element(stalls_) - stalls_.begin());
}

void AutoReplay::choose() {
  const std::size_t best = this->best();
  // What having followed others, and the changes, have cost against the one that is followed now.
  const double fooled = std::max(stall_ - stalls_[followed_], 0.0);
  const double margin = margin_factor_ * std::min(fooled, std::sqrt(largest_stall_ * stalls_[best]));
  const double lead = stalls_[followed_] - stalls_[best];
  if (best == followed_ || lead <= margin || lead <= change_seconds(best)) return;
  follow(best);
}

void AutoReplay::follow(std::size_t candidate) {
  const StageReplay& next = *candidates_[candidate].replay;
  for (NodeId row = 0; row < splitter_.geometry().num_rows(); ++row) {
    is_pending_[row] = next.holds(row) && !holds(row);
  }
  followed_ = candidate;
  ++num_changes_;
  is_renewed_ = true;
  margin_factor_ = 0.5 + static_cast<double>(random_() >> 11) * 0x1p-53;
}

}  // namespace kith
