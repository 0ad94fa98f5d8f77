#include "train/staging/stage_eval_command.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "graph/dataset_file.h"
#include "graph/errors.h"
#include "train/options_cli.h"
#include "train/report.h"
#include "train/staging/byte_size.h"
#include "train/staging/stage_eval.h"
#include "train/thread_limit.h"

namespace kith {
namespace {

struct StageEvalFlags : TrainingFlags {
  StageEvalFlags() { stage_bytes = "10%"; }

  StageEvalOptions eval;
  std::vector<std::string> policies = {"none",  "degree",    "presample", "lru",
                                       "sieve", "lookahead", "lstm",      "auto"};
  std::string folder;
};

StageEvalOptions resolve(const StageEvalFlags& flags, const Dataset& dataset) {
  StageEvalOptions options = flags.eval;
  const RunOptions run = flags.resolve();
  options.loader = run.loader;
  options.loader.seed = run.seed;
  options.stage_bytes = parse_byte_list(flags.stage_bytes, table_bytes(dataset), "--stage-bytes");
  flags.set_tiers(dataset, options.staging);
  for (const std::string& name : flags.policies) options.policies.push_back(parse_stage_policy(name));
  return options;
}

void print_policy(const PolicyReport& policy) {
  std::fprintf(stderr, "%-10s %s: %.1f %% hits, %.3f ms stalled a step\n",
               std::string(name_of(policy.policy)).c_str(),
               show_bytes(static_cast<double>(policy.stage_bytes)).c_str(), 100 * policy.account.hit_rate(),
               1e3 * policy.account.stall_seconds /
                   static_cast<double>(std::max<std::int64_t>(policy.account.batches, 1)));
}

void run(const StageEvalFlags& flags) {
  const ThreadLimit limit(flags.threads);
  const std::unique_ptr<Backend> backend = make_backend(flags.device);
  const Dataset dataset = read_dataset(flags.file, {.leave_features = true});  // their sizes are enough
  const StageEvalOptions options = resolve(flags, dataset);
  std::error_code error;
  std::filesystem::create_directories(flags.folder, error);
  KITH_CHECK(!error, IoError, flags.folder, ": cannot be made: ", error.message());
  const StageEvalReport report = evaluate_staging(dataset, *backend, options, print_policy);
  const std::string table = to_table(report);
  write_text(flags.folder + "/stage_eval.json", json_text(to_json(report)));
  write_text(flags.folder + "/stage_eval.txt", table);
  write_text(flags.folder + "/stage_eval.svg", plot_staging(report));
  std::fputs(table.c_str(), stdout);
}

}  // namespace

void add_stage_eval_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("stage-eval", "Replay one recorded trace under every staging policy");
  auto flags = std::make_shared<StageEvalFlags>();
  add_sampling_options(*command, *flags);
  command->add_option("--layers", flags->run.model.num_layers, "Hops, if --fanout does not say")
      ->group("Batches");
  const auto staging = "Staging";
  command
      ->add_option("--stage-bytes", flags->stage_bytes,
                   "Sizes of the fast tier: 64MiB, 2GB or a share of the feature table, comma separated")
      ->group(staging);
  command->add_option("--host-bytes", flags->host_bytes, "Size of the host tier; what is on neither is on disk")
      ->group(staging);
  command->add_option("--page-bytes", flags->page_bytes, "Size of a page")->group(staging);
  command->add_option("--policies", flags->policies, "Policies to replay, comma separated")
      ->delimiter(',')
      ->group(staging);
  command
      ->add_option("--lookahead", flags->eval.staging.lookahead,
                   "Batches that the policy lookahead knows ahead")
      ->group(staging);
  command
      ->add_option("--row-share", flags->eval.staging.row_share,
                   "Share of the fast tier for isolated rows; -1 = tried on the sampled epoch")
      ->group(staging);
  command
      ->add_option("--step-seconds", flags->eval.staging.model.step_seconds,
                   "Compute of a step, which reads hide behind")
      ->group(staging);
  command->add_option("--epochs", flags->eval.epochs, "Epochs measured, after the one that is sampled")
      ->group(staging);
  command->add_option("--seed", flags->run.seed, "Of plan, sampling and predictor")->group("Machine");
  command->add_option("--device", flags->device, "Of the predictor: auto, cpu or cuda")->group("Machine");
  command
      ->add_option("--prefetch-depth", flags->run.loader.prefetch_depth,
                   "Batches whose reads may be under way before their step")
      ->group("Machine");
  command->add_option("--threads", flags->threads, "0 = all cores")->group("Machine");
  command->add_option("-o,--output", flags->folder, "Folder for stage_eval.json, .txt and .svg")->required();
  command->footer(
      "Example: a fast tier of 5, 10 and 20 % of the features, which lie on disk\n"
      "  kith stage-eval products.kith.h5 --mix 0.125 --p-intra 0.9 --stage-bytes 5%,10%,20% --host-bytes 0 -o "
      "eval/\n"
      "Bandwidths are stated in the JSON; the clock is simulated, so that results do not depend on the "
      "machine.");
  command->callback([flags] { run(*flags); });
}

}  // namespace kith
