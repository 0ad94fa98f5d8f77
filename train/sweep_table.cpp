#include "train/sweep_table.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "graph/errors.h"

namespace kith {
namespace {

using Json = nlohmann::ordered_json;

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// NaN stands in JSON as null.
double number(const Json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

void summarize_epochs(const Json& epochs, SweepRow& row) {
  row.num_epochs = static_cast<std::int32_t>(epochs.size());
  const auto n = static_cast<double>(epochs.size());
  const std::vector<std::pair<const char*, double*>> seconds = {
      {"cpu", &row.cpu_seconds_per_epoch}, {"sample", &row.sample_seconds},
      {"stage", &row.stage_seconds},       {"compute", &row.compute_seconds},
      {"stall", &row.stall_seconds},       {"evaluate", &row.evaluate_seconds}};
  const std::vector<std::pair<const char*, double*>> others = {
      {"input_nodes_per_batch", &row.input_nodes_per_batch},
      {"edges_per_batch", &row.edges_per_batch},
      {"communities_per_batch", &row.communities_per_batch},
      {"label_entropy_bits", &row.label_entropy_bits}};
  std::vector<double> totals;
  double hit_rates = 0;
  for (const Json& epoch : epochs) {
    totals.push_back(epoch.at("seconds").at("total"));
    for (const auto& [name, sum] : seconds) *sum += epoch.at("seconds").at(name).get<double>();
    for (const auto& [name, sum] : others) *sum += epoch.at(name).get<double>();
    if (!epoch.at("hit_rate").is_null()) hit_rates += epoch.at("hit_rate").get<double>();
  }
  for (const auto& [name, sum] : seconds) *sum /= n;
  for (const auto& [name, sum] : others) *sum /= n;
  if (!epochs.at(0).at("hit_rate").is_null()) row.hit_rate = hit_rates / n;
  row.seconds_per_epoch = median(std::move(totals));
}

Json fanout_of(const SweepRow& row) {
  std::string text;
  for (const std::int32_t fanout : row.fanout) {
    if (!text.empty()) text += 'x';
    text += std::to_string(fanout);
  }
  return text;
}

/// The columns, in order.
std::vector<std::pair<std::string_view, Json>> columns_of(const SweepRow& row) {
  const SweepRun& run = row.run;
  return {{"graph", run.graph},
          {"model", run.model},
          {"sampler", run.sampler},
          {"mix", run.mix.name()},
          {"p_intra", run.p_intra.name()},
          {"mixing", row.mixing},
          {"level", run.level},
          {"batch_order", row.batch_order},
          {"unbiased", run.is_unbiased ? 1 : 0},
          {"dependency", run.dependency},
          {"fanout", fanout_of(row)},
          {"batch_size", row.batch_size},
          {"hidden", row.hidden},
          {"layers", row.layers},
          {"seed", run.seed},
          {"epochs", row.num_epochs},
          {"best_epoch", row.best_epoch},
          {"best_valid", row.best_valid},
          {"test", row.test},
          {"seconds_to_best", row.seconds_to_best},
          {"seconds_per_epoch", row.seconds_per_epoch},
          {"cpu_seconds_per_epoch", row.cpu_seconds_per_epoch},
          {"sample_seconds", row.sample_seconds},
          {"stage_seconds", row.stage_seconds},
          {"compute_seconds", row.compute_seconds},
          {"stall_seconds", row.stall_seconds},
          {"evaluate_seconds", row.evaluate_seconds},
          {"input_nodes_per_batch", row.input_nodes_per_batch},
          {"edges_per_batch", row.edges_per_batch},
          {"communities_per_batch", row.communities_per_batch},
          {"label_entropy_bits", row.label_entropy_bits},
          {"hit_rate", row.hit_rate ? Json(*row.hit_rate) : Json()},
          {"peak_rss_bytes", row.peak_rss_bytes},
          {"device", row.device},
          {"file", row.file}};
}

std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  const std::string text = value.dump();
  return text == "null" ? "" : text;
}

}  // namespace

SweepRow summarize(const SweepRun& run, const Json& report) {
  const Json& options = report.at("options");
  SweepRow row;
  row.run = run;
  row.mixing = options.at("mixing");
  row.batch_order = options.at("batch_order");
  row.device = report.at("device");
  row.fanout = options.at("fanout").get<std::vector<std::int32_t>>();
  row.batch_size = options.at("batch_size");
  row.hidden = options.at("hidden");
  row.layers = options.at("layers");
  row.best_epoch = report.at("best_epoch");
  row.best_valid = number(report.at("best_valid_accuracy"));
  row.test = number(report.at("test_accuracy"));
  row.seconds_to_best = report.at("seconds_to_best");
  row.peak_rss_bytes = report.at("peak_rss_bytes");
  row.file = "runs/" + run.name() + ".json";
  summarize_epochs(report.at("epochs"), row);
  return row;
}

std::string to_csv(const std::vector<SweepRow>& rows) {
  const auto joined = [](const SweepRow& row, const auto& text) {
    std::string line;
    for (const auto& column : columns_of(row)) {
      if (!line.empty()) line += ',';
      line += text(column);
    }
    return line + "\n";
  };
  std::string csv = joined(SweepRow{}, [](const auto& column) { return std::string(column.first); });
  for (const SweepRow& row : rows) {
    csv += joined(row, [](const auto& column) { return text_of(column.second); });
  }
  return csv;
}

}  // namespace kith
