#include "train/sweep.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "graph/errors.h"
#include "train/report.h"
#include "train/run_request.h"
#include "train/sweep_plot.h"

namespace kith {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

RunOptions cell_options(const SweepOptions& sweep, double mix, double p_intra, std::int32_t seed_index) {
  RunOptions options = sweep.run;
  options.loader.plan.mix = mix;
  options.loader.sampler.p_intra = p_intra;
  options.seed = sweep.run.seed + static_cast<std::uint64_t>(seed_index);
  return options;
}

SweepCell summarize(const RunOptions& options, const Json& report) {
  SweepCell cell{.mix = options.loader.plan.mix,
                 .p_intra = options.loader.sampler.p_intra,
                 .seed = options.seed,
                 .best_epoch = report.at("best_epoch"),
                 .num_epochs = static_cast<std::int32_t>(report.at("epochs").size()),
                 .best_valid_accuracy = report.at("best_valid_accuracy"),
                 .test_accuracy = report.at("test_accuracy"),
                 .seconds_to_best = report.at("seconds_to_best")};
  std::vector<double> seconds;
  for (const Json& epoch : report.at("epochs")) {
    seconds.push_back(epoch.at("seconds").at("total"));
    const double share = 1.0 / static_cast<double>(cell.num_epochs);
    cell.input_nodes_per_batch += share * epoch.at("input_nodes_per_batch").get<double>();
    cell.edges_per_batch += share * epoch.at("edges_per_batch").get<double>();
    cell.communities_per_batch += share * epoch.at("communities_per_batch").get<double>();
    cell.label_entropy_bits += share * epoch.at("label_entropy_bits").get<double>();
  }
  cell.seconds_per_epoch = median(std::move(seconds));
  return cell;
}

/// The stored cell, or null if it is not there (or was cut off while being written).
Json read_cell(const fs::path& path, const Json& request) {
  std::ifstream in(path);
  if (!in) return nullptr;
  Json stored = Json::parse(in, nullptr, /*allow_exceptions=*/false);
  if (stored.is_discarded() || !stored.contains("request") || !stored.contains("report")) return nullptr;
  KITH_CHECK(stored["request"] == request, InvalidArgument, "sweep: ", path.string(),
             " was made with other options or another dataset; choose a new folder");
  return stored["report"];
}

void write_results(const fs::path& folder, const std::vector<SweepCell>& cells) {
  Json rows = Json::array();
  for (const SweepCell& cell : cells) {
    rows.push_back({{"mix", cell.mix},
                    {"p_intra", cell.p_intra},
                    {"seed", cell.seed},
                    {"best_epoch", cell.best_epoch},
                    {"epochs", cell.num_epochs},
                    {"best_valid_accuracy", cell.best_valid_accuracy},
                    {"test_accuracy", cell.test_accuracy},
                    {"seconds_per_epoch", cell.seconds_per_epoch},
                    {"seconds_to_best", cell.seconds_to_best},
                    {"input_nodes_per_batch", cell.input_nodes_per_batch},
                    {"edges_per_batch", cell.edges_per_batch},
                    {"communities_per_batch", cell.communities_per_batch},
                    {"label_entropy_bits", cell.label_entropy_bits}});
  }
  write_text((folder / "results.json").string(), rows.dump(1) + "\n");
  write_text((folder / "results.csv").string(), to_csv(cells));
  write_text((folder / "results.svg").string(), plot_sweep(cells));
}

void check_options(const SweepOptions& options) {
  KITH_CHECK(options.num_seeds > 0, InvalidArgument, "sweep: seeds must be > 0, got ", options.num_seeds);
  KITH_CHECK(!options.mix.empty() && !options.p_intra.empty(), InvalidArgument,
             "sweep: at least one mix and one p-intra are needed");
  for (const double mix : options.mix) {
    KITH_CHECK(mix >= 0 && mix <= 1, InvalidArgument, "sweep: mix must be in [0, 1], got ", mix);
  }
  for (const double p : options.p_intra) {
    KITH_CHECK(p >= 0.5 && p <= 1, InvalidArgument, "sweep: p-intra must be in [0.5, 1], got ", p);
  }
}

}  // namespace

std::string to_csv(const std::vector<SweepCell>& cells) {
  std::ostringstream out;
  out << "mix,p_intra,seed,best_epoch,epochs,best_valid_accuracy,test_accuracy,seconds_per_epoch,seconds_to_"
         "best,"
         "input_nodes_per_batch,edges_per_batch,communities_per_batch,label_entropy_bits\n";
  for (const SweepCell& cell : cells) {
    out << cell.mix << ',' << cell.p_intra << ',' << cell.seed << ',' << cell.best_epoch << ','
        << cell.num_epochs << ',' << cell.best_valid_accuracy << ',' << cell.test_accuracy << ','
        << cell.seconds_per_epoch << ',' << cell.seconds_to_best << ',' << cell.input_nodes_per_batch << ','
        << cell.edges_per_batch << ',' << cell.communities_per_batch << ',' << cell.label_entropy_bits << '\n';
  }
  return out.str();
}

std::vector<SweepCell> run_sweep(const Dataset& dataset, Backend& backend, const SweepOptions& options,
                                 const std::function<void(const SweepCell&, bool)>& on_cell) {
  check_options(options);
  const fs::path folder = options.folder;
  std::error_code error;
  fs::create_directories(folder / "cells", error);
  KITH_CHECK(!error, IoError, options.folder, ": cannot be made: ", error.message());
  std::vector<SweepCell> cells;
  for (std::int32_t seed = 0; seed < options.num_seeds; ++seed) {
    for (const double p_intra : options.p_intra) {
      for (const double mix : options.mix) {
        const RunOptions run = cell_options(options, mix, p_intra, seed);
        const fs::path path = folder / "cells" / concat("mix", mix, "_p", p_intra, "_seed", run.seed, ".json");
        const Json request = request_of(run, dataset);
        Json report = read_cell(path, request);
        const bool was_done = !report.is_null();
        if (!was_done) {
          report = to_json(run_training(dataset, backend, run), dataset, backend.name());
          write_text(path.string(), Json{{"request", request}, {"report", report}}.dump(1) + "\n");
        }
        cells.push_back(summarize(run, report));
        if (on_cell) on_cell(cells.back(), was_done);
      }
    }
  }
  write_results(folder, cells);
  return cells;
}

}  // namespace kith
