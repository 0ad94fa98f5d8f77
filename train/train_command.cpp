#include "train/train_command.h"

#include <tbb/global_control.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "train/options_cli.h"
#include "train/report.h"
#include "train/run.h"

namespace kith {
namespace {

struct TrainFlags : TrainingFlags {
  std::string json;
};

void print_epoch(const EpochReport& epoch) {
  const double batches = static_cast<double>(epoch.stats.batches);
  std::fprintf(stderr, "epoch %3d  loss %.4f  valid %.4f  %.2f s  (stall %.2f s)  %.0f input nodes a batch\n",
               epoch.epoch, epoch.train_loss, epoch.valid_accuracy, epoch.seconds.total, epoch.seconds.stall,
               batches == 0 ? 0 : static_cast<double>(epoch.stats.input_nodes) / batches);
}

/// Redraws one line; only for a terminal.
void print_batch(std::size_t done, std::size_t of) {
  std::fprintf(stderr, "batch %zu of %zu%s", done, of, done == of ? "\r\033[K" : "\r");
}

void run(const TrainFlags& flags) {
  RunOptions options = flags.resolve();
  std::optional<tbb::global_control> limit;
  if (flags.threads > 0) {
    limit.emplace(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(flags.threads));
  }
  const std::unique_ptr<Backend> backend = make_backend(flags.device, flags.backend);
  const Dataset dataset = open_for_training(flags);
  options.trainer.staging = flags.staging(dataset);
  std::function<void(std::size_t, std::size_t)> on_batch;
  if (isatty(STDERR_FILENO)) on_batch = print_batch;
  const RunReport report = run_training(dataset, *backend, options, print_epoch, on_batch);
  if (!flags.json.empty()) write_text(flags.json, to_json(report, dataset, backend->name()).dump(1) + "\n");
  if (flags.json == "-") return;
  std::printf("best epoch %d: valid %.4f, test %.4f after %.2f s of training (%.2f s in all)\n",
              report.best_epoch, report.best_valid_accuracy, report.test_accuracy, report.seconds_to_best,
              report.total_seconds);
}

}  // namespace

void add_train_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("train", "Train a GNN on a prepared dataset");
  auto flags = std::make_shared<TrainFlags>();
  add_training_options(*command, *flags);
  command->add_option("--json", flags->json, "Write the report here; '-' = stdout");
  command->footer(
      "Example: COMM-RAND batches of 16 communities, then plain random ones\n"
      "  kith train products.kith.h5 --model sage --group 16 --p-intra 0.9 --json structured.json\n"
      "  kith train products.kith.h5 --model sage --mix 1 --p-intra 0.5 --json random.json\n"
      "Features larger than memory: rows come from the file, a tenth of them stay at hand\n"
      "  kith train papers.kith.h5 --stage auto --stage-bytes 10% --host-bytes 0");
  command->callback([flags] { run(*flags); });
}

}  // namespace kith
