#include "train/sweep_command.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "graph/errors.h"
#include "train/options_cli.h"
#include "train/report.h"
#include "train/sweep.h"

namespace kith {
namespace {

/// Options of `kith train` that a run's place in the grid says, or the sweep itself.
constexpr const char* kReplaced[] = {"file",      "--model", "--sampler",    "--mix",
                                     "--p-intra", "--group", "--dependency", "--unbiased",
                                     "--level",   "--seed",  "--threads"};

struct SweepFlags : TrainingFlags {
  SweepOptions sweep;
  std::vector<CLI::Option*> passed_on;  ///< to every run, if they are given
};

/// What the results of all runs depend on, as in the report of a run.
nlohmann::ordered_json shared_options(const SweepFlags& flags) {
  const RunOptions run = flags.resolve();
  nlohmann::ordered_json json = to_json(run);
  for (const char* of_a_run :
       {"model", "sampler", "mix", "p_intra", "group", "dependency", "unbiased", "level", "seed"}) {
    json.erase(of_a_run);
  }
  json["schedule"] = flags.schedule;
  json["schedule_epochs"] = run.loader.schedule.epochs == 0 ? run.epochs : run.loader.schedule.epochs;
  json["stage"] = flags.stage;
  if (flags.stage != "none") {
    json["stage_bytes"] = flags.stage_bytes;
    json["host_bytes"] = flags.host_bytes;
    json["page_bytes"] = flags.page_bytes;
  }
  return json;
}

std::vector<std::string> arguments_of(const std::vector<CLI::Option*>& options) {
  std::vector<std::string> arguments;
  for (const CLI::Option* option : options) {
    if (option->count() == 0) continue;
    const std::string name = "--" + option->get_lnames().front();
    const bool is_flag = option->get_items_expected_max() == 0;
    arguments.push_back(is_flag ? name : name + "=" + option->results().back());
  }
  return arguments;
}

void print_row(const SweepRow& row, const SweepProgress& progress) {
  std::fprintf(stderr, "%zu of %zu  %s  test %.4f  %.3f s an epoch  %.0f input nodes a batch%s\n",
               progress.num_done, progress.num_runs, row.run.name().c_str(), row.test, row.seconds_per_epoch,
               row.input_nodes_per_batch, progress.was_done ? "  (done before)" : "");
}

void run(const SweepFlags& flags) {
  SweepOptions options = flags.sweep;
  options.shared = shared_options(flags);
  options.arguments = arguments_of(flags.passed_on);
  options.num_threads = flags.threads;
  options.grid.first_seed = flags.run.seed;
  const SweepResult result = run_sweep(options, print_row);
  for (const SweepFailure& failure : result.failures)
    std::fprintf(stderr, "failed: %s\n", failure.text.c_str());
  if (result.signal != 0) {
    std::fprintf(stderr, "interrupted with %zu runs done; the same command goes on from there\n",
                 result.rows.size());
    std::signal(result.signal, SIG_DFL);
    std::raise(result.signal);  // whoever waits is to see that a signal ended the sweep
  }
  const std::string sum = concat(result.failures.size(), " of ", result.failures.size() + result.rows.size(),
                                 " runs failed; the same command tries them again");
  KITH_CHECK(std::ranges::none_of(result.failures, &SweepFailure::is_of_environment), EnvironmentError, sum);
  KITH_CHECK(result.failures.empty(), InvalidArgument, sum);
  std::printf("%zu runs in %s: results.csv, results.svg\n", result.rows.size(), options.folder.c_str());
}

void add_grid_options(CLI::App& command, SweepFlags& flags) {
  SweepGrid& grid = flags.sweep.grid;
  const auto add = [&](const char* name, auto& values, const char* help) {
    // One argument each, so that a dataset may follow.
    command.add_option(name, values, help)->delimiter(',')->allow_extra_args(false)->group("Grid");
  };
  command.add_option("files", grid.files, "Datasets made by kith prepare or kith generate")->required();
  add("--models", grid.models, "sage, gcn, gat, gin");
  add("--samplers", grid.samplers,
      "comm-rand (over all of the grid), cluster (over --levels and the constant values of --mix), and those "
      "of "
      "random roots: random, labor, dependency:K, full");
  add("--mix", grid.mix, "Values or schedules (0:0.5) of mix");
  add("--p-intra", grid.p_intra, "Values or schedules of p_intra");
  add("--levels", grid.levels, "Community levels of both knobs");
  add("--unbiased", grid.unbiased, "0 and 1: without and with weights that take the bias out");
  command.add_option("--seeds", grid.num_seeds, "How many, counted from --seed")->group("Grid");
}

}  // namespace

void add_sweep_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "sweep", "Train over a grid of knobs, samplers, models and datasets, and draw the result");
  auto flags = std::make_shared<SweepFlags>();
  add_training_options(*command, *flags);
  for (const char* name : kReplaced) command->remove_option(command->get_option(name));
  flags->passed_on =
      command->get_options([](const CLI::Option* option) { return !option->check_name("--help"); });
  add_grid_options(*command, *flags);
  command->add_option("--seed", flags->run.seed, "The first one")->group("Grid");
  const auto machine = "Machine";
  command->add_option("--jobs", flags->sweep.num_jobs, "Runs at the same time")->group(machine);
  command->add_option("--threads", flags->threads, "Of all runs together, 0 = all cores")->group(machine);
  command->add_option("-o,--output", flags->sweep.folder, "Folder for runs and results; run again to resume")
      ->required();
  command->footer(
      "Example: the knobs and two rivals on two graphs; a finished run is not run again\n"
      "  kith sweep arxiv.kith.h5 products.kith.h5 --mix 0,0.125,0.5,0:0.5 --p-intra 0.7,0.9 \\\n"
      "    --samplers random,comm-rand,labor,dependency:8 --models sage,gcn --seeds 5 --jobs 2 -o sweep/\n"
      "Every run is a process of its own (kith train); its report is in sweep/runs.");
  command->callback([flags] { run(*flags); });
}

}  // namespace kith
