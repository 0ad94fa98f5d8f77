#include "train/run_checkpoints.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "graph/errors.h"
#include "train/run_request.h"

namespace kith {

void check_may_begin(const CheckpointOptions& options) {
  if (options.is_resuming || options.folder.empty()) return;
  const std::size_t count = CheckpointFolder(options.folder).list().size();
  KITH_CHECK(count == 0, InvalidArgument, options.folder, ": holds ", count,
             " checkpoints already; go on from them with --resume, or choose another folder");
}

RunCheckpoints::RunCheckpoints(const CheckpointOptions& options,
                               std::function<void(const std::string&)> on_note)
    : options_(options), on_note_(std::move(on_note)), folder_(options.folder, options.keep) {
  KITH_CHECK(options.every_batches >= 0 && options.every_seconds >= 0 && std::isfinite(options.every_seconds),
             InvalidArgument, "--checkpoint-every: expected a positive number of batches or seconds");
}

void RunCheckpoints::note(const std::string& text) const {
  if (on_note_) on_note_(text);
}

std::optional<Checkpoint> RunCheckpoints::begin(const RunOptions& options, const Dataset& dataset) {
  request_ = request_of(options, dataset).dump();
  folder_.make();
  lock_.emplace(options_.folder);
  check_may_begin(options_);
  const std::vector<std::string> paths = folder_.list();
  std::vector<std::string> damaged;
  std::optional<Checkpoint> found =
      folder_.read_newest([&](const std::string& path, const std::string& problem) {
        damaged.push_back(path);
        note("warning: " + problem);
      });
  if (found) {
    path_read_ = paths[damaged.size()];
    check_same_request(found->request, options, dataset, path_read_);
    note(concat("going on from ", path_read_, ": epoch ", found->epoch(), ", batch ", found->next_batch));
    costs_before_ = found->progress.checkpoints;
  } else if (options_.is_resuming) {
    note(concat(options_.folder, ": no checkpoint to go on from, starting anew"));
  }
  folder_.remove_leftovers();
  // They must not count as newer than what this run writes.
  for (const std::string& path : damaged) set_aside(path);
  writer_.emplace(folder_, [this](const std::string& problem) {
    if (has_warned_) return;
    has_warned_ = true;
    note(concat("warning: no checkpoint was written (", problem, "); training goes on, with those before"));
  });
  since_last_ = {};
  return found;
}

void RunCheckpoints::after_batch(std::int64_t num_batches, const Snapshot& snapshot) {
  const bool is_due = (options_.every_batches > 0 && num_batches % options_.every_batches == 0) ||
                      (options_.every_seconds > 0 && since_last_.seconds() >= options_.every_seconds);
  if (is_due) write(snapshot);
}

void RunCheckpoints::after_epoch(const Snapshot& snapshot) {
  if (options_.every_batches == 0 && options_.every_seconds == 0) write(snapshot);
}

void RunCheckpoints::finish(const Snapshot& snapshot) {
  write(snapshot);
  const Stopwatch watch;
  writer_->wait();
  stall_seconds_ += watch.seconds();
}

void RunCheckpoints::write(const Snapshot& snapshot) {
  const Stopwatch watch;
  Checkpoint checkpoint = snapshot();
  checkpoint.progress.checkpoints = costs();
  writer_->write(std::move(checkpoint));
  stall_seconds_ += watch.seconds();
  since_last_ = {};
}

CheckpointCosts RunCheckpoints::costs() {
  return {.count = costs_before_.count + writer_->num_written(),
          .stall_seconds = costs_before_.stall_seconds + stall_seconds_,
          .write_seconds = costs_before_.write_seconds + writer_->seconds()};
}

std::string RunCheckpoints::last_path() {
  std::string path = writer_ ? writer_->last_path() : "";
  return path.empty() ? path_read_ : path;
}

}  // namespace kith
