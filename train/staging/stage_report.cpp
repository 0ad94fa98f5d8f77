// What stage-eval found, as JSON and as a table.
#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "train/report.h"
#include "train/run.h"
#include "train/staging/byte_size.h"
#include "train/staging/stage_eval.h"

namespace kith {
namespace {

using Json = nlohmann::ordered_json;

double per_batch(double sum, const StageAccount& account) {
  return account.batches == 0 ? 0 : sum / static_cast<double>(account.batches);
}

Json to_json(const TierTraffic& traffic) {
  return {{"fast", traffic.fast}, {"host", traffic.host}, {"disk", traffic.disk}};
}

Json to_json(const TierSpeed& speed) {
  return {{"page_bytes_per_second", speed.page_bandwidth},
          {"row_bytes_per_second", speed.row_bandwidth},
          {"row_unit_bytes", speed.row_unit},
          {"latency_seconds", speed.latency}};
}

Json to_json(const PolicyReport& policy) {
  const StageAccount& account = policy.account;
  const auto optional = [&](bool is_there, double value) { return is_there ? Json(value) : Json(nullptr); };
  const bool is_learned = policy.predictor.has_value();
  const PredictorMetrics none;
  const PredictorMetrics& metrics = is_learned ? *policy.predictor : none;
  return {
      {"policy", name_of(policy.policy)},
      {"stage_bytes", policy.stage_bytes},
      {"hit_rate", account.hit_rate()},
      {"bytes_moved",
       {{"host", account.demand.host.total() + account.ahead.host.total()},
        {"disk", account.demand.disk.total() + account.ahead.disk.total()}}},
      {"bytes_ahead", account.ahead.total()},
      {"stall_seconds", account.stall_seconds},
      {"stall_seconds_per_step", per_batch(account.stall_seconds, account)},
      {"fetch_seconds_per_step", per_batch(account.fetch_seconds, account)},
      {"precision_at_10", optional(is_learned, metrics.precision())},
      {"recall_at_10", optional(is_learned, metrics.recall())},
      {"precision_at_10_of_frequent_deltas", optional(is_learned, metrics.frequent_precision())},
      {"predictor_seconds", optional(is_learned, policy.predictor_seconds)},
      {"pretraining_seconds", optional(is_learned, policy.pretraining_seconds)},
      {"distance_to_bound", policy.distance_to_bound},
      {"row_share", policy.row_share},
      {"stored_hit_share",
       account.hits == 0 ? 0 : static_cast<double>(account.stored_hits) / static_cast<double>(account.hits)},
      {"amplification", policy.amplification},
      {"amplification_of_whole_pages",
       optional(policy.whole_amplification.has_value(), policy.whole_amplification.value_or(0))},
      {"followed", policy.followed.empty() ? Json(nullptr) : Json(policy.followed)}};
}

Json options_json(const StageEvalOptions& options) {
  RunOptions run;
  run.loader = options.loader;
  const Json all = to_json(run);
  Json json;
  for (const char* key :
       {"fanout", "batch_size", "mix", "group", "mixing", "p_intra", "no_intra", "unbiased", "level",
        "bias_level", "batch_order", "sampler", "dependency", "schedule", "schedule_epochs"}) {
    if (all.contains(key)) json[key] = all[key];
  }
  const StagingOptions& staging = options.staging;
  json["seed"] = options.loader.seed;
  json["epochs"] = options.epochs;
  json["host_bytes"] = staging.host_bytes;
  json["page_bytes"] = staging.page_bytes;
  json["lookahead"] = staging.lookahead;
  json["step_seconds"] = staging.model.step_seconds;
  json["prefetch_depth"] = staging.model.prefetch_depth;
  json["host"] = to_json(staging.model.host);
  json["disk"] = to_json(staging.model.disk);
  return json;
}

std::string line_of(const PolicyReport& policy) {
  const StageAccount& account = policy.account;
  std::array<char, 256> text{};
  std::snprintf(
      text.data(), text.size(), "  %-10s %6.1f %%  %10s  %9.3f  %9.3f  %6.2f  %6s  %7.3f",
      std::string(name_of(policy.policy)).c_str(), 100 * account.hit_rate(),
      show_bytes(per_batch(static_cast<double>(account.moved()), account)).c_str(),
      1e3 * per_batch(account.fetch_seconds, account), 1e3 * per_batch(account.stall_seconds, account),
      policy.amplification,
      policy.whole_amplification ? std::to_string(*policy.whole_amplification).substr(0, 5).c_str() : "-",
      policy.distance_to_bound);
  std::string line = text.data();
  if (policy.predictor) {
    std::snprintf(text.data(), text.size(),
                  "   precision@10 %.3f (frequent deltas %.3f), recall@10 %.3f, predictor %.2f ms a step",
                  policy.predictor->precision(), policy.predictor->frequent_precision(),
                  policy.predictor->recall(), 1e3 * per_batch(policy.predictor_seconds, account));
    line += text.data();
  }
  if (!policy.followed.empty()) line += "   follows " + policy.followed;
  return line + "\n";
}

}  // namespace

Json to_json(const StageEvalReport& report) {
  Json policies = Json::array(), bounds = Json::array(), placements = Json::array();
  for (const PolicyReport& policy : report.policies) policies.push_back(to_json(policy));
  for (const BoundReport& bound : report.bounds) {
    bounds.push_back(
        {{"stage_bytes", bound.stage_bytes}, {"hit_rate", bound.hit_rate}, {"bytes_moved", bound.moved}});
  }
  for (const PlacementReport& placement : report.placements) {
    placements.push_back({{"stage_bytes", placement.stage_bytes},
                          {"predicted_bytes_per_epoch", to_json(placement.predicted)},
                          {"measured_bytes_per_epoch", to_json(placement.measured)}});
  }
  return {{"options", options_json(report.options)},
          {"trace",
           {{"batches", report.batches},
            {"rows", report.rows},
            {"row_bytes", report.row_bytes},
            {"table_bytes", report.table_bytes},
            {"references", report.dedup.references},
            {"rows_once_a_window", report.dedup.window_rows}}},
          {"policies", std::move(policies)},
          {"bounds", std::move(bounds)},
          {"placements", std::move(placements)},
          {"version", kVersion}};
}

std::string to_table(const StageEvalReport& report) {
  const auto rows = static_cast<double>(report.rows);
  std::array<char, 320> text{};
  std::snprintf(
      text.data(), text.size(),
      "%lld batches read %s of a table of %s; a row is referred to %.2f times a batch, and would be read %.2f "
      "times less often if once in %d batches did\n",
      static_cast<long long>(report.batches), show_bytes(rows * static_cast<double>(report.row_bytes)).c_str(),
      show_bytes(static_cast<double>(report.table_bytes)).c_str(),
      static_cast<double>(report.dedup.references) / std::max(rows, 1.0),
      rows / std::max(static_cast<double>(report.dedup.window_rows), 1.0), report.options.staging.lookahead);
  std::string out = text.data();
  for (std::size_t i = 0; i < report.bounds.size(); ++i) {
    const BoundReport& bound = report.bounds[i];
    const PlacementReport& placement = report.placements[i];
    out += "\nfast tier of " + show_bytes(static_cast<double>(bound.stage_bytes)) +
           "\n  policy     hit rate    moved/step   fetch ms   stall ms   amplification  beyond\n"
           "                              a step     a step     rows   whole  bound\n";
    for (const PolicyReport& policy : report.policies) {
      if (policy.stage_bytes == bound.stage_bytes) out += line_of(policy);
    }
    std::snprintf(text.data(), text.size(),
                  "  %-10s %6.1f %%  %10s\n  hottest rows, a tier: predicted %s fast, %s host, %s disk an "
                  "epoch; asked for %s, %s, %s\n",
                  "bound", 100 * bound.hit_rate,
                  show_bytes(static_cast<double>(bound.moved) /
                             static_cast<double>(std::max<std::int64_t>(report.batches, 1)))
                      .c_str(),
                  show_bytes(static_cast<double>(placement.predicted.fast)).c_str(),
                  show_bytes(static_cast<double>(placement.predicted.host)).c_str(),
                  show_bytes(static_cast<double>(placement.predicted.disk)).c_str(),
                  show_bytes(static_cast<double>(placement.measured.fast)).c_str(),
                  show_bytes(static_cast<double>(placement.measured.host)).c_str(),
                  show_bytes(static_cast<double>(placement.measured.disk)).c_str());
    out += text.data();
  }
  return out;
}

}  // namespace kith
