// A grid of training runs over the two knobs and seeds, resumable: a finished cell is not run again.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "graph/dataset.h"
#include "kernels/backend.h"
#include "train/run.h"

namespace kith {

/// The grid. Cells are run seed by seed, so that an interrupted sweep has whole pictures early.
struct SweepOptions {
  RunOptions run;  ///< everything but the knobs and the seed
  std::vector<double> mix = {0, 0.125, 0.25, 0.5, 1};
  std::vector<double> p_intra = {0.5, 0.7, 0.9, 1};
  std::int32_t num_seeds = 3;  ///< seeds run.seed, run.seed + 1, ...
  std::string folder;          ///< made if missing
};

/// What one finished cell says.
struct SweepCell {
  double mix = 0;
  double p_intra = 0;
  std::uint64_t seed = 0;
  std::int32_t best_epoch = 0;
  std::int32_t num_epochs = 0;
  double best_valid_accuracy = 0;
  double test_accuracy = 0;
  double seconds_per_epoch = 0;  ///< median over the epochs, evaluation left out
  double seconds_to_best = 0;
  double input_nodes_per_batch = 0;
  double edges_per_batch = 0;
  double communities_per_batch = 0;
  double label_entropy_bits = 0;
};

/// Runs the cells that are not in folder/cells yet, then writes folder/results.csv, results.json and
/// results.svg. on_cell is told each cell, and whether it had been finished before. Throws InvalidArgument if
/// the folder holds cells of other options or another dataset, or a knob is out of range.
std::vector<SweepCell> run_sweep(const Dataset& dataset, Backend& backend, const SweepOptions& options,
                                 const std::function<void(const SweepCell&, bool was_done)>& on_cell = {});

/// One line a cell, with a header line.
std::string to_csv(const std::vector<SweepCell>& cells);

}  // namespace kith
