// The files of a sweep: what its runs have in common, their reports, and the results.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "train/sweep_grid.h"
#include "train/sweep_table.h"

namespace kith {

/// Holds DIR/sweep.json, which says what all runs share, DIR/runs, and a lock on DIR/lock for as long as it or
/// one of its runs lives.
class SweepFolder {
 public:
  /// Makes what is missing. shared: options that all runs have in common; files: the datasets. Throws
  /// InvalidArgument, naming the first difference, if the folder's runs have others, or if another sweep or a
  /// run that one left behind is at work in it; IoError if a dataset cannot be read or the folder not be
  /// written.
  SweepFolder(std::string path, const nlohmann::ordered_json& shared, const std::vector<SweepRun>& runs);
  ~SweepFolder();
  SweepFolder(const SweepFolder&) = delete;
  SweepFolder& operator=(const SweepFolder&) = delete;

  std::string report_path(const SweepRun& run) const { return path_ + "/runs/" + run.name() + ".json"; }
  std::string log_path(const SweepRun& run) const { return path_ + "/runs/" + run.name() + ".log"; }

  /// What a finished run says; nothing if its report is missing or damaged.
  std::optional<SweepRow> read(const SweepRun& run) const;
  /// Last line that a run printed.
  std::string last_words(const SweepRun& run) const;
  void remove_log(const SweepRun& run) const;
  /// Writes results.csv and results.svg.
  void write_results(const std::vector<SweepRow>& rows) const;

 private:
  void lock();

  std::string path_;
  int lock_ = -1;
};

}  // namespace kith
