// What the finished runs of a sweep say, one line a run.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "train/sweep_grid.h"

namespace kith {

/// One finished run. Seconds and counts are means over its epochs unless they say otherwise.
struct SweepRow {
  SweepRun run;
  std::string mixing, batch_order, device;
  std::vector<std::int32_t> fanout;
  std::int32_t batch_size = 0, hidden = 0, layers = 0;
  std::int32_t num_epochs = 0, best_epoch = 0;
  double best_valid = 0, test = 0;   ///< shares, 0..1; NaN if there are no such nodes
  double seconds_to_best = 0;        ///< of training, to the end of the best epoch
  double seconds_per_epoch = 0;      ///< median, evaluation left out
  double cpu_seconds_per_epoch = 0;  ///< of all threads, evaluation left out
  double sample_seconds = 0, stage_seconds = 0, compute_seconds = 0, stall_seconds = 0, evaluate_seconds = 0;
  double input_nodes_per_batch = 0, edges_per_batch = 0, communities_per_batch = 0, label_entropy_bits = 0;
  std::optional<double> hit_rate;  ///< none without a fast tier
  std::int64_t peak_rss_bytes = 0;
  std::string file;  ///< of the whole report, relative to the sweep's folder
};

/// report: the JSON of `kith train`. Throws nlohmann::json::exception if it is not.
SweepRow summarize(const SweepRun& run, const nlohmann::ordered_json& report);

/// Comma separated, with a header line; fanouts are joined by x, what there is not is empty, and numbers have
/// as many digits as it takes to read the same value.
std::string to_csv(const std::vector<SweepRow>& rows);

}  // namespace kith
