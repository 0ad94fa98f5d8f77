// A grid of training runs, each in a process of its own, resumable: a finished run is not run again.
#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "train/sweep_grid.h"
#include "train/sweep_table.h"

namespace kith {

/// A sweep. Runs are started seed by seed, so that an interrupted one has whole pictures early.
struct SweepOptions {
  SweepGrid grid;
  std::vector<std::string> arguments;  ///< of `kith train`, the same for all runs
  nlohmann::ordered_json shared;       ///< what they mean: runs of other options do not belong into the folder
  int num_jobs = 1;                    ///< runs at the same time
  int num_threads = 0;                 ///< of all of them together, 0 = as many as there are cores
  std::string folder;                  ///< made if missing
  std::string program = "/proc/self/exe";  ///< the kith command
};

/// How far a sweep is.
struct SweepProgress {
  std::size_t num_done = 0;
  std::size_t num_runs = 0;
  bool was_done = false;  ///< the run had been finished before
};

/// A run that failed.
struct SweepFailure {
  std::string text;                ///< one line: which run, how it ended, what it said last
  bool is_of_environment = false;  ///< it ended by a signal or for lack of something (exit code 3)
};

/// What a sweep leaves besides its files.
struct SweepResult {
  std::vector<SweepRow> rows;  ///< of the finished runs, in the order of the grid
  std::vector<SweepFailure> failures;
  int signal = 0;  ///< SIGINT or SIGTERM, if one of them ended the sweep
};

/// Runs what has no report in folder/runs yet; results.csv and results.svg are written anew after every run.
/// A run that fails, or ends by a signal, does not stop the others, leaves its output in folder/runs, and is
/// run again by the next sweep. SIGINT and SIGTERM end the runs. on_row is told every finished run. Throws
/// InvalidArgument if the folder holds runs of other options or of another dataset of the same name, a value is
/// out of range, or another sweep is at work in the folder; IoError for a dataset that cannot be read.
SweepResult run_sweep(const SweepOptions& options,
                      const std::function<void(const SweepRow&, const SweepProgress&)>& on_row = {});

}  // namespace kith
