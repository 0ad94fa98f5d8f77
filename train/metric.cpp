#include "train/metric.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "graph/errors.h"

namespace kith {
namespace {

double accuracy(Backend& backend, const Tensor& logits, std::span<const std::int32_t> labels,
                std::span<const NodeId> nodes) {
  std::vector<std::int32_t> masked(labels.size(), kNoLabel);
  for (const NodeId node : nodes) masked[node] = labels[node];
  const DeviceArrays on_device = backend.to_device(std::span<const std::int32_t>(masked));
  backend.wait_for(on_device);
  Tensor totals = backend.zero_loss();
  backend.softmax_cross_entropy(logits, on_device.get<std::int32_t>(0), nullptr, totals);
  const LossResult result = backend.read_loss(totals);
  return result.counted == 0 ? 0 : static_cast<double>(result.correct) / static_cast<double>(result.counted);
}

}  // namespace

Metric parse_metric(std::string_view name) {
  if (name == "accuracy") return Metric::accuracy;
  if (name == "roc-auc") return Metric::roc_auc;
  throw InvalidArgument(concat("metric must be accuracy or roc-auc, got '", name, "'"));
}

std::string_view name_of(Metric metric) { return metric == Metric::accuracy ? "accuracy" : "roc-auc"; }

double measure(Metric metric, Backend& backend, const Tensor& logits, std::span<const std::int32_t> labels,
               std::span<const NodeId> nodes) {
  if (metric == Metric::accuracy) return accuracy(backend, logits, labels, nodes);
  KITH_CHECK(logits.cols() == 2, InvalidArgument, "metric roc-auc needs two classes, the dataset has ",
             logits.cols());
  std::vector<double> all(static_cast<std::size_t>(logits.size()));
  backend.download(logits, all);
  std::vector<double> scores;
  std::vector<std::int32_t> chosen;
  for (const NodeId node : nodes) {
    if (labels[node] == kNoLabel) continue;
    scores.push_back(all[2 * static_cast<std::size_t>(node) + 1] - all[2 * static_cast<std::size_t>(node)]);
    chosen.push_back(labels[node]);
  }
  return roc_auc(scores, chosen);
}

double roc_auc(std::span<const double> scores, std::span<const std::int32_t> labels) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  double positive_ranks = 0;
  double positives = 0;
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    while (end < order.size() && scores[order[end]] == scores[order[begin]]) ++end;
    const double rank = 0.5 * static_cast<double>(begin + 1 + end);  // mean rank of the tied ones, from 1
    for (; begin < end; ++begin) {
      if (labels[order[begin]] != 1) continue;
      positive_ranks += rank;
      ++positives;
    }
  }
  const double negatives = static_cast<double>(scores.size()) - positives;
  if (positives == 0 || negatives == 0) return 0;
  return (positive_ranks - positives * (positives + 1) / 2) / (positives * negatives);
}

}  // namespace kith
