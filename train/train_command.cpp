#include "train/train_command.h"

#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "graph/errors.h"
#include "train/checkpoint/checkpoint_folder.h"
#include "train/options_cli.h"
#include "train/profile.h"
#include "train/report.h"
#include "train/run.h"
#include "train/run_checkpoints.h"
#include "train/run_request.h"
#include "train/stop_signals.h"
#include "train/thread_limit.h"
#include "train/tune.h"
#include "train/tune_candidates.h"

namespace kith {
namespace {

struct TrainFlags : TrainingFlags {
  std::string json;
  std::string profile;
  std::string checkpoint_every;
  CheckpointOptions checkpoint;
  bool is_tuning = false;
  double tune_loss = 100 * TuneOptions().accuracy_loss;  ///< in points
};

/// "100" is batches, "30s" seconds.
void parse_checkpoint_every(const std::string& text, CheckpointOptions& options) {
  std::string_view rest = text;
  const bool is_seconds = rest.ends_with('s');
  if (is_seconds) rest.remove_suffix(1);
  const auto parse = [&](auto& value) {
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    KITH_CHECK(error == std::errc() && end == rest.data() + rest.size() && value > 0, InvalidArgument,
               "--checkpoint-every: expected a number of batches > 0, or of seconds as in 30s, got '", text,
               "'");
  };
  if (is_seconds) {
    parse(options.every_seconds);
  } else {
    parse(options.every_batches);
  }
}

CheckpointOptions checkpoint_options(const TrainFlags& flags) {
  CheckpointOptions options = flags.checkpoint;
  if (!flags.checkpoint_every.empty()) parse_checkpoint_every(flags.checkpoint_every, options);
  const bool is_told_how =
      options.is_resuming || !flags.checkpoint_every.empty() || options.keep != CheckpointOptions().keep;
  KITH_CHECK(!options.folder.empty() || !is_told_how, InvalidArgument,
             "--resume, --checkpoint-every and --checkpoint-keep need --checkpoint DIR");
  return options;
}

void print_epoch(const EpochReport& epoch) {
  const double batches = static_cast<double>(epoch.stats.batches);
  std::fprintf(stderr, "epoch %3d  loss %.4f  valid %.4f  %.2f s  (stall %.2f s)  %.0f input nodes a batch\n",
               epoch.epoch, epoch.train_loss, epoch.valid_accuracy, epoch.seconds.total, epoch.seconds.stall,
               batches == 0 ? 0 : static_cast<double>(epoch.stats.input_nodes) / batches);
}

void print_note(const std::string& text) { std::fprintf(stderr, "kith train: %s\n", text.c_str()); }

/// Redraws one line; only for a terminal.
void print_batch(std::size_t done, std::size_t of) {
  std::fprintf(stderr, "batch %zu of %zu%s", done, of, done == of ? "\r\033[K" : "\r");
}

[[noreturn]] void throw_stopped(const RunReport& report, int signal) {
  const std::string stopped =
      concat("stopped by ", signal == SIGINT ? "SIGINT" : "SIGTERM", " ", report.stopped_at);
  if (!report.has_checkpoints) {
    throw StoppedBySignal(signal, stopped + "; nothing was kept (--checkpoint DIR would have)", false);
  }
  const std::string& kept = report.last_checkpoint;
  throw StoppedBySignal(signal,
                        stopped + (kept.empty() ? "; no checkpoint could be written" : "; kept in " + kept),
                        !kept.empty());
}

/// For how many random epochs without a better result a run goes on after knobs that a search chose.
std::int32_t checked_epochs(const RunOptions& options) {
  return std::min(std::max(3, options.patience / 2), options.epochs - 1);
}

/// Takes the knobs of the run that is to go on, if there is one. Returns whether there is.
bool take_up_knobs(const CheckpointOptions& checkpoint, RunOptions& options) {
  if (!checkpoint.is_resuming) return false;
  const CheckpointFolder folder(checkpoint.folder);
  const std::optional<Checkpoint> newest = folder.read_newest([](const auto&, const auto&) {});
  if (!newest) return false;
  adopt_knobs(newest->request, checkpoint.folder, options);
  std::fprintf(stderr, "tune: %s has its knobs already: %s --finish-random %d\n", checkpoint.folder.c_str(),
               knobs_of(options.loader).c_str(), options.finish_random);
  return true;
}

/// Sets the knobs in `options` to what suits best.
TuneReport choose_knobs(const TrainFlags& flags, const Dataset& dataset, Backend& backend,
                        RunOptions& options) {
  const auto stop_if_told = [] {
    const int signal = StopSignals::received();
    if (signal != 0)
      throw StoppedBySignal(signal, "stopped during the search for knobs; nothing was kept", false);
  };
  TuneReport report = tune(dataset, backend, options, {.accuracy_loss = flags.tune_loss / 100}, stop_if_told);
  options.loader = report.trials[report.chosen].loader;
  if (report.chosen != 0 && options.finish_random == 0) {
    options.finish_random = checked_epochs(options);
    report.explanation.back() += concat(" --finish-random ", options.finish_random);
  }
  for (const std::string& line : report.explanation) std::fprintf(stderr, "tune: %s\n", line.c_str());
  return report;
}

void run(const TrainFlags& flags) {
  RunOptions options = flags.resolve();
  RunControl control{.checkpoint = checkpoint_options(flags),
                     .on_epoch = print_epoch,
                     .should_stop = [] { return StopSignals::received() != 0; },
                     .on_note = print_note};
  const ThreadLimit limit(flags.threads);
  const std::unique_ptr<Backend> backend = make_backend(flags.device, flags.backend_options());
  const Dataset dataset = open_for_training(flags, backend->name());
  options.trainer.staging = flags.staging(dataset);
  if (isatty(STDERR_FILENO)) control.on_batch = print_batch;
  const StopSignals signals;
  std::optional<TuneReport> tuned;
  if (flags.is_tuning && !take_up_knobs(control.checkpoint, options)) {
    check_may_begin(control.checkpoint);
    tuned = choose_knobs(flags, dataset, *backend, options);
  }
  std::optional<Profile> profile;
  if (!flags.profile.empty()) control.profile = &profile.emplace();
  const RunReport report = run_training(dataset, *backend, options, control);
  if (profile) {
    write_text(flags.profile, profile->trace().dump() + "\n");
    std::fputs((describe(*profile, report) + describe(report.gathering)).c_str(), stderr);
  }
  if (report.was_stopped) throw_stopped(report, StopSignals::received());
  if (!flags.json.empty()) {
    nlohmann::ordered_json json = to_json(report, dataset, backend->name());
    if (tuned) json["tune"] = to_json(*tuned);
    write_text(flags.json, json_text(json));
  }
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
  CLI::Option* const tuning = command->add_flag("--tune", flags->is_tuning,
                                                "Search for the knobs first, a small share of the training");
  for (const char* knob :
       {"--mix", "--group", "--mixing", "--p-intra", "--unbiased", "--level", "--bias-level"}) {
    tuning->excludes(command->get_option(knob));
  }
  command
      ->add_option("--tune-loss", flags->tune_loss,
                   "Points of the metric that --tune's choice may lose to random batches, at 95 % confidence")
      ->needs(tuning);
  const auto checkpoints = "Checkpoints";
  CheckpointOptions& checkpoint = flags->checkpoint;
  command->add_option("--checkpoint", checkpoint.folder, "Folder that keeps the state of the run")
      ->group(checkpoints);
  command
      ->add_option("--checkpoint-every", flags->checkpoint_every,
                   "Batches between two checkpoints, or seconds as in 30s [every epoch]")
      ->group(checkpoints);
  command->add_option("--checkpoint-keep", checkpoint.keep, "The latest ones that stay")->group(checkpoints);
  command
      ->add_flag("--resume", checkpoint.is_resuming,
                 "Go on from the newest checkpoint, to the result of a run that was never stopped")
      ->group(checkpoints);
  command->add_option(
      "--profile", flags->profile,
      "Write where the time went here, for chrome://tracing or Perfetto, and say what to change");
  command->add_option("--json", flags->json, "Write the report here; '-' = stdout");
  command->footer(
      "Example: COMM-RAND batches of 16 communities, then plain random ones\n"
      "  kith train products.kith.h5 --model sage --group 16 --p-intra 0.9 --json structured.json\n"
      "  kith train products.kith.h5 --model sage --mix 1 --p-intra 0.5 --json random.json\n"
      "Features larger than memory: rows come from the file, a tenth of them stay at hand\n"
      "  kith train papers.kith.h5 --stage auto --stage-bytes 10% --host-bytes 0\n"
      "The same on a GPU: 8 GB of features in its memory, 64 GB pinned, the rest in the file\n"
      "  kith train papers.kith.h5 --device cuda --stage lru --stage-bytes 8GB --host-bytes 64GB\n"
      "A run that may be killed at any time; started again with --resume it goes on\n"
      "  kith train products.kith.h5 --checkpoint run/ --checkpoint-every 30s --resume\n"
      "Ctrl-C ends it after the batch, with a checkpoint; a second one at once.");
  command->callback([flags] { run(*flags); });
}

}  // namespace kith
