#include "train/options_cli.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "graph/dataset_file.h"
#include "graph/errors.h"
#include "graph/memory_limit.h"
#include "train/staging/byte_size.h"

namespace kith {
namespace {

template <typename T>
T parse_whole_number(std::string_view text, const char* option) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  KITH_CHECK(error != std::errc::result_out_of_range, InvalidArgument, option, ": ", text, " is too large");
  KITH_CHECK(error == std::errc() && end == text.data() + text.size(), InvalidArgument, option,
             ": a whole number is expected, got '", text, "'");
  return value;
}

std::vector<std::int32_t> default_fanouts(std::int32_t num_layers) {
  std::vector<std::int32_t> fanouts = {15, 10, 5};
  fanouts.resize(static_cast<std::size_t>(std::clamp(num_layers, 1, 10)), 5);
  return fanouts;
}

}  // namespace

std::vector<std::int32_t> parse_fanouts(const std::string& text) {
  std::vector<std::int32_t> fanouts;
  std::string_view rest = text;
  while (true) {
    const std::size_t comma = rest.find(',');
    fanouts.push_back(parse_whole_number<std::int32_t>(rest.substr(0, comma), "--fanout"));
    if (comma == std::string_view::npos) return fanouts;
    rest.remove_prefix(comma + 1);
  }
}

BackendOptions TrainingFlags::backend_options() const {
  BackendOptions options = backend;
  options.gathering = parse_gathering(gather);
  return options;
}

RunOptions TrainingFlags::resolve() const {
  RunOptions options = run;
  parse_stage_policy(stage);  // throws before the dataset is read
  parse_gathering(gather);
  KITH_CHECK(features == "map" || features == "load" || features == "pinned", InvalidArgument,
             "--features: map, load or pinned is expected, got '", features, "'");
  KITH_CHECK(threads >= 0, InvalidArgument, "--threads: 0 (all cores) or more is expected, got ", threads);
  options.model.kind = parse_model_kind(model);
  options.loader.sampler.fanouts =
      fanout.empty() ? default_fanouts(options.model.num_layers) : parse_fanouts(fanout);
  options.loader.set_mix(Knob::parse(mix, "--mix"));
  options.loader.set_p_intra(Knob::parse(p_intra, "--p-intra"));
  options.loader.schedule.shape = parse_schedule_shape(schedule);
  options.loader.sampler.no_intra = parse_no_intra(no_intra);
  options.loader.sampler.kind = parse_sampler_kind(sampler);
  options.loader.plan.mixing = parse_mixing(mixing);
  options.loader.plan.batch_order = BatchOrder::parse(batch_order);
  options.loader.is_group_auto = group == "auto";
  options.loader.plan.group = group == "auto" ? 0 : parse_whole_number<std::int32_t>(group, "--group");
  options.trainer.metric = parse_metric(metric);
  options.trainer.sample_on = parse_sample_on(sample_on);
  if (features == "pinned") options.trainer.features = FeatureHome::pinned;
  return options;
}

std::int64_t table_bytes(const Dataset& dataset) {
  return dataset.num_nodes() * static_cast<std::int64_t>(dataset.features.view().row_bytes());
}

void TrainingFlags::set_tiers(const Dataset& dataset, StagingOptions& options) const {
  const std::int64_t table = table_bytes(dataset);
  options.host_bytes = parse_bytes(host_bytes, table, "--host-bytes");
  if (options.host_bytes >= table) options.host_bytes = -1;
  options.page_bytes = static_cast<std::size_t>(parse_bytes(page_bytes, table, "--page-bytes"));
  options.model.prefetch_depth = run.loader.prefetch_depth;
  options.seed = options.predictor.seed = run.seed;
}

StagingOptions TrainingFlags::staging(const Dataset& dataset) const {
  StagingOptions options = run.trainer.staging;
  options.policy = parse_stage_policy(stage);
  const TrainingFlags defaults;
  KITH_CHECK(options.policy != StagePolicy::none ||
                 (stage_bytes == defaults.stage_bytes && host_bytes == defaults.host_bytes),
             InvalidArgument,
             "--stage none reads features in place: --stage-bytes and --host-bytes need a policy");
  options.stage_bytes = parse_bytes(stage_bytes, table_bytes(dataset), "--stage-bytes");
  set_tiers(dataset, options);
  check_staging_options(options);
  return options;
}

void add_sampling_options(CLI::App& app, TrainingFlags& flags) {
  app.add_option("file", flags.file, "Dataset made by kith prepare or kith generate")->required();
  app.option_defaults()->always_capture_default();
  RunOptions& run = flags.run;
  const auto batches = "Batches";
  app.add_option("--fanout", flags.fanout,
                 "Neighbours a node and hop, from the roots outwards; -1 = all [15,10,5 for 3 layers]")
      ->group(batches);
  app.add_option("--batch-size", run.loader.plan.batch_size, "Roots a batch")->group(batches);
  app.add_option("--mix", flags.mix,
                 "Share of the communities mixed into one super-community, 0..1; 0:0.5 goes from one to the "
                 "other over the epochs")
      ->group(batches);
  app.add_option("--group", flags.group, "Communities mixed together, as a count or 'auto'; 0 = as --mix says")
      ->group(batches);
  app.add_option(
         "--mixing", flags.mixing,
         "What --mix is a share of: communities (random ones), nested (neighbouring ones), balanced (roots, in "
         "whole communities) or leaky (roots, shuffled over the epoch)")
      ->group(batches);
  app.add_option(
         "--p-intra", flags.p_intra,
         "Weight of an edge inside a community against 1 - p for one that leaves it, 0.5 (uniform) .. 1; or "
         "from:to, as --mix")
      ->group(batches);
  app.add_option("--schedule", flags.schedule,
                 "How a knob goes from:to: linear, or step (after half of the epochs)")
      ->group(batches);
  app.add_option("--schedule-epochs", run.loader.schedule.epochs,
                 "Epochs of a schedule, later ones keep its end; 0 = as --epochs says")
      ->group(batches);
  app.add_option(
         "--no-intra", flags.no_intra,
         "At --p-intra 1, a node with no neighbour inside keeps uniform draws or drops them: keep or drop")
      ->group(batches);
  app.add_flag("--unbiased", run.loader.sampler.is_unbiased,
               "Weigh the drawn edges so that --p-intra does not shift the mean of a neighbourhood")
      ->group(batches);
  app.add_flag("--replace", run.loader.sampler.with_replacement, "Draw neighbours with replacement")
      ->group(batches);
  app.add_option("--level", run.loader.level, "Community level of both knobs, 0 = finest")->group(batches);
  app.add_option("--bias-level", run.loader.bias_level, "Community level of --p-intra; -1 = as --level says")
      ->group(batches);
  app.add_option("--batch-order", flags.batch_order, "shuffled, window:K or sequential")->group(batches);
  app.add_option(
         "--sampler", flags.sampler,
         "neighbor, labor (LABOR-0: nodes of a hop share their draws), cluster (Cluster-GCN: the sub-graph of "
         "a super-community; --batch-size, --fanout's values and --p-intra do not count) or full (all "
         "neighbours)")
      ->group(batches);
  app.add_option("--dependency", run.loader.dependency, "Consecutive batches that share their draws")
      ->group(batches);
}

void add_training_options(CLI::App& app, TrainingFlags& flags) {
  add_sampling_options(app, flags);
  RunOptions& run = flags.run;
  const auto model = "Model";
  app.add_option("--model", flags.model, "sage, gcn, gat or gin")->group(model);
  app.add_option("--layers", run.model.num_layers, "Graph convolutions")->group(model);
  app.add_option("--hidden", run.model.hidden_channels, "Channels between layers")->group(model);
  app.add_option("--heads", run.model.heads, "Of gat's attention; they share --hidden")->group(model);
  app.add_option("--dropout", run.model.dropout,
                 "After every layer but the last, and of gat's attention, 0 <= dropout < 1")
      ->group(model);
  const auto training = "Training";
  app.add_option("--epochs", run.epochs, "At most this many")->group(training);
  app.add_option("--patience", run.patience,
                 "Epochs without a better validation result before stopping, all of a schedule's included; 0 = "
                 "never stop early")
      ->group(training);
  app.add_option("--finish-random", run.finish_random,
                 "At the end, random batches from the best parameters on, until this many epochs are no better")
      ->group(training);
  app.add_option("--lr", run.trainer.adam.lr, "Learning rate of Adam")->group(training);
  app.add_option("--weight-decay", run.trainer.adam.weight_decay, "L2, added to the gradient")->group(training);
  app.add_option(
         "--ema", run.trainer.adam.average_decay,
         "Evaluate and keep a moving average of the parameters, which keeps this share of itself a step; "
         "0 = the parameters themselves")
      ->group(training);
  app.add_option("--metric", flags.metric, "accuracy or roc-auc (two classes)")->group(training);
  app.add_option("--seed", run.seed, "Of parameters, dropout, plan and sampling")->group(training);
  const auto machine = "Machine";
  app.add_option("--device", flags.device, "auto, cpu or cuda")->group(machine);
  app.add_option("--sample-on", flags.sample_on,
                 "auto, host or device; on a GPU, sage's batches can be drawn there, with the same bits")
      ->group(machine);
  app.add_option(
         "--gather", flags.gather,
         "On a GPU: first layers sum rows straight from the feature table (fused) or copy them together "
         "first (two-step), with the same bits; auto times both on the first batches")
      ->group(machine);
  app.add_flag("--tf32", flags.backend.allow_tf32,
               "On a GPU: dense products round their factors to 10 bits of mantissa, and are faster")
      ->group(machine);
  app.add_flag("--cusparse", flags.backend.use_cusparse,
               "On a GPU: aggregate by cuSPARSE instead of Kith's kernels, to compare them")
      ->group(machine);
  app.add_option(
         "--stage", flags.stage,
         "What the fast tier of features holds: none (features are read in place), degree, presample, lru, "
         "sieve, lookahead, lstm or auto")
      ->group(machine);
  app.add_option("--stage-bytes", flags.stage_bytes,
                 "Size of the fast tier, in GPU memory with --device cuda: 64MiB, 2GB or 10% of the features")
      ->group(machine);
  app.add_option(
         "--host-bytes", flags.host_bytes,
         "Size of the tier in host memory below it, pinned with --device cuda; what is in neither is read "
         "from the file")
      ->group(machine);
  app.add_option("--page-bytes", flags.page_bytes, "Rows that are staged together")->group(machine);
  app.add_option("--lookahead", run.trainer.staging.lookahead, "Batches that --stage lookahead knows ahead")
      ->group(machine);
  app.add_option("--predictor-cpu", run.trainer.staging.predictor_percent,
                 "Percent of a processor for training --stage lstm")
      ->group(machine);
  app.add_option(
         "--features", flags.features,
         "map the feature table or load it; where --stage reads them from the file, map does neither; pinned: "
         "with --device cuda, the GPU reads it in host memory")
      ->group(machine);
  app.add_option("--prefetch-depth", run.loader.prefetch_depth, "Batches made ahead; 0 = inline")
      ->group(machine);
  app.add_option("--threads", flags.threads, "0 = all cores")->group(machine);
}

Dataset open_for_training(const TrainingFlags& flags, std::string_view device) {
  Dataset dataset = read_dataset(flags.file, {.leave_features = true});
  const std::int64_t table = table_bytes(dataset);
  const bool is_staged = flags.stage != "none";
  const bool is_read_from_file =
      is_staged && device == "cpu" && parse_bytes(flags.host_bytes, table, "--host-bytes") < table;
  const bool is_loaded = flags.features == "load";
  if (!is_read_from_file || is_loaded) {
    require_memory(table, is_loaded ? "train: loading the features" : "train: mapping the features",
                   is_staged ? "a smaller --host-bytes, without --features load, leaves them in the file"
                             : "--stage POLICY with --stage-bytes and --host-bytes leaves them in the file",
                   is_loaded ? available_memory() : available_addresses());
    dataset.features = is_loaded ? dataset.features.loaded() : dataset.features.mapped();
  }
  const std::optional<std::int64_t> bad = first_non_finite_row(dataset.features);
  KITH_CHECK(!bad, IoError, flags.file, ": the features of node ", *bad, " hold a NaN or infinite value");
  return dataset;
}

}  // namespace kith
