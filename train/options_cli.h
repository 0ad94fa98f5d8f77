// Command-line options of a training run, shared by `kith train` and `kith sweep`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "graph/dataset.h"
#include "kernels/backend.h"
#include "train/run.h"

namespace CLI {
class App;
}

namespace kith {

/// What the user typed; resolve() turns it into options.
struct TrainingFlags {
  std::string file;
  std::string model = "sage";
  std::string fanout;  ///< empty: the first `layers` of 15,10,5 (then 5s)
  std::string mix = "0.125";
  std::string p_intra = "0.9";
  std::string schedule = "linear";
  std::string group = "0";
  std::string mixing = "communities";
  std::string batch_order = "shuffled";
  std::string no_intra = "keep";
  std::string metric = "accuracy";
  std::string device = "auto";
  std::string sample_on = "auto";
  std::string gather = "auto";
  BackendOptions backend;
  std::string sampler = "neighbor";
  std::string stage = "none";
  std::string stage_bytes = "2GB";
  std::string host_bytes = "100%";
  std::string page_bytes = "64KiB";
  std::string features = "map";
  int threads = 0;  ///< 0 = all cores
  RunOptions run;

  /// Throws InvalidArgument with the option's name for text that cannot be read.
  RunOptions resolve() const;

  /// Of the device. Throws InvalidArgument.
  BackendOptions backend_options() const;

  /// How features are staged. dataset: whose features the shares speak of. Throws InvalidArgument.
  StagingOptions staging(const Dataset& dataset) const;

  /// Sets what `kith train` and `kith stage-eval` say alike: host tier, pages, prefetch depth and seeds.
  void set_tiers(const Dataset& dataset, StagingOptions& options) const;
};

/// Of the features of `dataset`: what a share of the staging tiers is a share of.
std::int64_t table_bytes(const Dataset& dataset);

/// Adds the dataset argument and the options that say how batches are made.
void add_sampling_options(CLI::App& app, TrainingFlags& flags);

/// Adds the dataset argument and every option of a run to `app`; `flags` must outlive it.
void add_training_options(CLI::App& app, TrainingFlags& flags);

/// Opens flags.file the way flags.features says ("map" or "load"), checking that features are finite. Where
/// --stage reads them from the file, on the CPU, they are left there. device: the backend's name. Throws
/// EnvironmentError for a table that does not fit, naming the way out.
Dataset open_for_training(const TrainingFlags& flags, std::string_view device);

/// "15,10,5" -> {15, 10, 5}. Throws InvalidArgument for anything that is no list of whole numbers.
std::vector<std::int32_t> parse_fanouts(const std::string& text);

}  // namespace kith
