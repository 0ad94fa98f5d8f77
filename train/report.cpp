#include "train/report.h"

#include <sys/resource.h>

#include <array>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <span>

#include "graph/whole_file.h"
#include "partition/hierarchy.h"

namespace kith {
namespace {

using Json = nlohmann::ordered_json;

double per_batch(double sum, const BatchStats& stats) {
  return stats.batches == 0 ? 0 : sum / static_cast<double>(stats.batches);
}

double share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

Json to_json(const EpochReport& epoch) {
  const BatchStats& stats = epoch.stats;
  Json valid = std::isnan(epoch.valid_accuracy) ? Json(nullptr) : Json(epoch.valid_accuracy);
  return {{"epoch", epoch.epoch},
          {"train_loss", epoch.train_loss},
          {"valid_accuracy", std::move(valid)},
          {"seconds",
           {{"total", epoch.seconds.total},
            {"cpu", epoch.seconds.cpu},
            {"sample", epoch.seconds.sample},
            {"stage", epoch.seconds.stage},
            {"compute", epoch.seconds.compute},
            {"evaluate", epoch.seconds.evaluate},
            {"stall", epoch.seconds.stall}}},
          {"batches", stats.batches},
          {"input_nodes_per_batch", per_batch(static_cast<double>(stats.input_nodes), stats)},
          {"reused_input_share",
           epoch.has_locality ? Json(share(stats.reused_input_nodes, stats.input_nodes)) : Json()},
          {"pages_per_batch",
           epoch.has_locality ? Json(per_batch(static_cast<double>(stats.pages), stats)) : Json()},
          {"edges_per_batch", per_batch(static_cast<double>(stats.edges), stats)},
          {"intra_edge_share", share(stats.intra_edges, stats.edges)},
          {"communities_per_batch", per_batch(static_cast<double>(stats.communities), stats)},
          {"label_entropy_bits", per_batch(stats.label_entropy_bits, stats)},
          // Nothing is moved, and there is no fast tier to hit, where compute reads the feature table in place.
          {"staged_bytes", epoch.traffic.host_bytes + epoch.traffic.disk_bytes},
          {"staged_bytes_from_disk", epoch.traffic.disk_bytes},
          {"staged_reads_from_disk", epoch.traffic.disk_reads},
          {"staged_bytes_over_bus", epoch.traffic.bus_bytes},
          {"hit_rate",
           epoch.traffic.rows == 0 ? Json(nullptr) : Json(share(epoch.traffic.hits, epoch.traffic.rows))}};
}

/// As it was typed: a number, or the text of a schedule.
Json to_json(const Knob& knob) { return knob.is_constant() ? Json(knob.first) : Json(knob.name()); }

Json to_json(const GatheringChoice& choice) {
  return {{"columns", choice.columns},
          {"type", choice.type},
          {"reads_per_row", choice.reads_per_row},
          {"in_host_memory", choice.is_in_host_memory},
          {"calls", choice.num_measured},
          {"fused_seconds", choice.fused_seconds},
          {"two_step_seconds", choice.two_step_seconds},
          {"chosen", choice.is_fused ? "fused" : "two-step"}};
}

Json describe_dataset(const Dataset& dataset, const LoaderOptions& loader) {
  const Communities& communities = dataset.communities(loader.level);
  return {{"nodes", dataset.num_nodes()},
          {"edges", dataset.graph.num_edges()},
          {"features", dataset.features.dim()},
          {"classes", dataset.labels.num_classes},
          {"communities", communities.num_communities()},
          {"intra_edge_fraction", measure_quality(dataset.graph.view(), communities).intra_edge_fraction}};
}

}  // namespace

Json to_json(const RunOptions& options) {
  const PlanOptions& plan = options.loader.plan;
  const SamplerOptions& sampler = options.loader.sampler;
  Json json = {{"model", name_of(options.model.kind)},
               {"layers", options.model.num_layers},
               {"hidden", options.model.hidden_channels},
               {"heads", options.model.heads},
               {"fanout", sampler.fanouts},
               {"batch_size", plan.batch_size},
               {"mix", to_json(options.loader.mix())},
               {"group", plan.group},
               {"mixing", name_of(plan.mixing)},
               {"p_intra", to_json(options.loader.p_intra())},
               {"no_intra", name_of(sampler.no_intra)},
               {"unbiased", sampler.is_unbiased},
               {"replace", sampler.with_replacement},
               {"level", options.loader.level},
               {"bias_level", options.loader.bias_level},
               {"batch_order", plan.batch_order.name()},
               {"sampler", name_of(sampler.kind)},
               {"dependency", options.loader.dependency},
               {"epochs", options.epochs},
               {"patience", options.patience},
               {"lr", options.trainer.adam.lr},
               {"dropout", options.model.dropout},
               {"weight_decay", options.trainer.adam.weight_decay},
               {"ema", options.trainer.adam.average_decay},
               {"metric", name_of(options.trainer.metric)},
               {"sample_on", name_of(options.trainer.sample_on)},
               {"finish_random", options.finish_random},
               {"seed", options.seed},
               {"stage", name_of(options.trainer.staging.policy)}};
  if (options.loader.has_schedule()) {
    json["schedule"] = name_of(options.loader.schedule.shape);
    json["schedule_epochs"] = options.loader.schedule.epochs;
  }
  const StagingOptions& staging = options.trainer.staging;
  if (staging.policy != StagePolicy::none) {
    json["stage_bytes"] = staging.stage_bytes;
    json["host_bytes"] = staging.host_bytes;
    json["page_bytes"] = staging.page_bytes;
  }
  return json;
}

Json to_json(const RunReport& report, const Dataset& dataset, std::string_view device) {
  Json epochs = Json::array();
  for (const EpochReport& epoch : report.epochs) epochs.push_back(to_json(epoch));
  Json json = {
      {"options", to_json(report.options)},
      {"dataset", describe_dataset(dataset, report.options.loader)},
      {"epochs", std::move(epochs)},
      {"best_epoch", report.best_epoch},
      {"first_random_epoch", report.first_random_epoch < 0 ? Json(nullptr) : Json(report.first_random_epoch)},
      {"best_valid_accuracy", report.best_valid_accuracy},
      {"test_accuracy", report.test_accuracy},
      {"seconds_to_best", report.seconds_to_best},
      {"total_seconds", report.total_seconds}};
  if (report.has_checkpoints) {
    json["checkpoint_seconds"] = {{"stall", report.checkpoints.stall_seconds},
                                  {"write", report.checkpoints.write_seconds},
                                  {"count", report.checkpoints.count}};
  }
  for (const GatheringChoice& choice : report.gathering) json["gathering"].push_back(to_json(choice));
  json["peak_rss_bytes"] = peak_rss_bytes();
  json["device"] = device;
  json["version"] = kVersion;
  return json;
}

std::string json_text(const Json& json) {
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::int64_t peak_rss_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

void write_text(const std::string& path, const std::string& text) {
  if (path == "-") {
    std::cout << text << std::flush;
    return;
  }
  const std::array<std::span<const std::byte>, 1> parts{std::as_bytes(std::span(text))};
  replace_file(path, parts);
}

}  // namespace kith
