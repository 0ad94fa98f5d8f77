#include "train/sweep.h"

#include <oneapi/tbb/info.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "graph/errors.h"
#include "train/child_processes.h"
#include "train/sweep_folder.h"

namespace kith {
namespace {

constexpr int kEnvironmentCode = 3;  ///< that the command returns for EnvironmentError

int threads_of_a_run(const SweepOptions& options) {
  const int all = options.num_threads > 0 ? options.num_threads : tbb::info::default_concurrency();
  return std::max(1, all / options.num_jobs);
}

/// The state of one call of run_sweep().
class Sweep {
 public:
  Sweep(const SweepOptions& options, const std::function<void(const SweepRow&, const SweepProgress&)>& on_row)
      : options_(options),
        on_row_(on_row),
        runs_(runs_of(options.grid)),
        rows_(runs_.size()),
        folder_(options.folder, options.shared, runs_) {}

  SweepResult run() {
    std::vector<std::size_t> pending;
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      rows_[i] = folder_.read(runs_[i]);
      rows_[i] ? tell(i, true) : pending.push_back(i);
    }
    folder_.write_results(finished());
    auto next = pending.begin();
    while (next != pending.end() || children_.num_running() > 0) {
      while (next != pending.end() && children_.num_running() < static_cast<std::size_t>(options_.num_jobs)) {
        start(*next++);
      }
      const std::optional<ChildExit> ended = children_.wait();
      if (!ended) break;
      take(*ended);
    }
    return {.rows = finished(), .failures = std::move(failures_), .signal = children_.interrupted_by()};
  }

 private:
  void start(std::size_t i) {
    const SweepRun& run = runs_[i];
    std::vector<std::string> arguments = {"kith", "train", run.file};
    for (const auto& more : {options_.arguments, run.arguments()}) {
      arguments.insert(arguments.end(), more.begin(), more.end());
    }
    arguments.push_back(concat("--threads=", threads_of_a_run(options_)));
    arguments.push_back("--json=" + folder_.report_path(run));
    children_.start(i, options_.program, arguments, folder_.log_path(run));
  }

  void take(const ChildExit& ended) {
    const SweepRun& run = runs_[ended.id];
    if (ended.code == 0 && ended.signal == 0) rows_[ended.id] = folder_.read(run);
    if (rows_[ended.id]) {
      folder_.remove_log(run);
      tell(ended.id, false);
      folder_.write_results(finished());
      return;
    }
    const std::string how = ended.signal != 0
                                ? concat("ended by signal ", ended.signal, " (", strsignal(ended.signal), ")")
                                : concat("exit code ", ended.code);
    failures_.push_back({.text = concat(run.name(), ": ", how, ": ", folder_.last_words(run)),
                         .is_of_environment = ended.signal != 0 || ended.code == kEnvironmentCode});
  }

  void tell(std::size_t i, bool was_done) {
    ++num_done_;
    if (on_row_) on_row_(*rows_[i], {.num_done = num_done_, .num_runs = runs_.size(), .was_done = was_done});
  }

  std::vector<SweepRow> finished() const {
    std::vector<SweepRow> rows;
    for (const std::optional<SweepRow>& row : rows_) {
      if (row) rows.push_back(*row);
    }
    return rows;
  }

  const SweepOptions& options_;
  const std::function<void(const SweepRow&, const SweepProgress&)>& on_row_;
  std::vector<SweepRun> runs_;
  std::vector<std::optional<SweepRow>> rows_;  ///< of each run, once it is finished
  std::vector<SweepFailure> failures_;
  std::size_t num_done_ = 0;
  SweepFolder folder_;
  ChildProcesses children_;  ///< before the folder is let go, all of them have ended
};

}  // namespace

SweepResult run_sweep(const SweepOptions& options,
                      const std::function<void(const SweepRow&, const SweepProgress&)>& on_row) {
  KITH_CHECK(options.num_jobs > 0, InvalidArgument, "sweep: --jobs: expected 1 or more, got ",
             options.num_jobs);
  return Sweep(options, on_row).run();
}

}  // namespace kith
