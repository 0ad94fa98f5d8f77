#include "train/staging/replay.h"

#include <cassert>
#include <utility>

namespace kith {

StageAccount& StageAccount::operator+=(const StageAccount& other) {
  batches += other.batches;
  rows += other.rows;
  hits += other.hits;
  stored_hits += other.stored_hits;
  isolated_rows += other.isolated_rows;
  demand += other.demand;
  ahead += other.ahead;
  fetch_seconds += other.fetch_seconds;
  stall_seconds += other.stall_seconds;
  return *this;
}

PolicyReplay::PolicyReplay(BatchSplitter splitter, IdSet stored, std::unique_ptr<Replacement> replacement)
    : splitter_(std::move(splitter)),
      stored_(std::move(stored)),
      replacement_(std::move(replacement)),
      clock_(splitter_.model()) {}

void PolicyReplay::reveal(std::span<const NodeId> rows, std::int32_t context) {
  revealed_.push_back(splitter_.split(rows, context, stored_));
  replacement_->reveal(revealed_.back().dense);
}

StageAccount PolicyReplay::step() {
  assert(!revealed_.empty());
  touches_ = std::move(revealed_.front());
  revealed_.pop_front();
  was_held_.assign(touches_.pages.size(), false);
  for (std::size_t i = 0; i < touches_.pages.size(); ++i) {
    was_held_[i] = replacement_->holds(touches_.pages[i].page);
  }
  replacement_->serve({.items = touches_.dense, .context = touches_.context}, changes_);

  StageAccount account;
  account.batches = 1;
  account.rows = touches_.num_rows;
  account.hits = touches_.num_stored;
  account.stored_hits = touches_.num_stored;
  for (std::size_t i = 0; i < touches_.pages.size(); ++i) {
    const PageTouch& touch = touches_.pages[i];
    if (was_held_[i]) {
      account.hits += touch.rows;
    } else if (touch.is_dense) {
      account.demand[touch.source].pages += splitter_.bytes_of(touch.page);
    } else {
      account.demand[touch.source].rows += touch.alone_bytes;
      account.isolated_rows += touch.rows;
    }
  }
  for (const Item page : changes_.ahead) {
    account.ahead[splitter_.source(page)].pages += splitter_.bytes_of(page);
  }
  account.fetch_seconds = read_seconds(splitter_.model(), account.demand);
  account.stall_seconds = clock_.step(account.fetch_seconds, read_seconds(splitter_.model(), account.ahead));
  return account;
}

}  // namespace kith
