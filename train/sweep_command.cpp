#include "train/sweep_command.h"

#include <tbb/global_control.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <memory>
#include <optional>

#include "train/options_cli.h"
#include "train/sweep.h"

namespace kith {
namespace {

struct SweepFlags : TrainingFlags {
  SweepOptions sweep;
};

void print_cell(const SweepCell& cell, bool was_done) {
  std::fprintf(stderr,
               "mix %-6g p-intra %-4g seed %llu  test %.4f  %.3f s an epoch  %.0f input nodes a batch%s\n",
               cell.mix, cell.p_intra, static_cast<unsigned long long>(cell.seed), cell.test_accuracy,
               cell.seconds_per_epoch, cell.input_nodes_per_batch, was_done ? "  (done before)" : "");
}

void run(const SweepFlags& flags) {
  SweepOptions options = flags.sweep;
  options.run = flags.resolve();
  std::optional<tbb::global_control> limit;
  if (flags.threads > 0) {
    limit.emplace(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(flags.threads));
  }
  const std::unique_ptr<Backend> backend = make_backend(flags.device, flags.backend);
  const Dataset dataset = open_for_training(flags);
  options.run.trainer.staging = flags.staging(dataset);
  const std::vector<SweepCell> cells = run_sweep(dataset, *backend, options, print_cell);
  std::printf("%zu cells in %s: results.csv, results.json, results.svg\n", cells.size(),
              options.folder.c_str());
}

}  // namespace

void add_sweep_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("sweep", "Train over a grid of the two knobs and draw the result");
  auto flags = std::make_shared<SweepFlags>();
  add_training_options(*command, *flags);
  // The sweep's own lists take the place of the single values.
  command->remove_option(command->get_option("--mix"));
  command->remove_option(command->get_option("--p-intra"));
  SweepOptions& sweep = flags->sweep;
  const auto grid = "Grid";
  command->add_option("--mix", sweep.mix, "Values of mix, comma separated")->delimiter(',')->group(grid);
  command->add_option("--p-intra", sweep.p_intra, "Values of p_intra, comma separated")
      ->delimiter(',')
      ->group(grid);
  command->add_option("--seeds", sweep.num_seeds, "Seeds a cell, counted from --seed")->group(grid);
  command->add_option("-o,--output", sweep.folder, "Folder for cells and results; run again to resume")
      ->required();
  command->footer(
      "Example: 5 x 4 cells of 3 seeds; a finished cell is not run again\n"
      "  kith sweep products.kith.h5 --mix 0,0.125,0.25,0.5,1 --p-intra 0.5,0.7,0.9,1 --seeds 3 -o sweep/");
  command->callback([flags] { run(*flags); });
}

}  // namespace kith
