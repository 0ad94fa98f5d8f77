// Chooses the knobs for this graph, model and machine, by a short search before training.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "graph/dataset.h"
#include "kernels/backend.h"
#include "train/run.h"
#include "train/tune_search.h"

namespace kith {

/// One way to make batches, and what became of it.
struct TuneTrial {
  LoaderOptions loader;              ///< resolved
  std::string knobs;                 ///< as options of the command line
  double input_nodes_per_batch = 0;  ///< 0: not tried
  TuneResult result;
};

/// What a search found. Its choice depends on clocks, so it may differ from run to run; a run with `chosen`
/// does not.
struct TuneReport {
  std::vector<TuneTrial> trials;  ///< random batches first
  std::size_t chosen = 0;
  double seconds = 0;                    ///< of the whole search
  std::vector<std::string> explanation;  ///< three lines
};

/// Trains a little with each of several knobs; see search(). options.loader: everything but the knobs is kept.
/// Features are read in place, whatever options.trainer.staging says; accuracy is that of sampled
/// neighbourhoods of validation nodes. Throws InvalidArgument for options that do not fit the dataset.
/// on_batch: is called after every batch, and may throw to end the search.
TuneReport tune(const Dataset& dataset, Backend& backend, const RunOptions& options,
                const TuneOptions& tune_options, const std::function<void()>& on_batch = {});

nlohmann::ordered_json to_json(const TuneReport& report);

}  // namespace kith
