#include "datasets/info.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

#include "datasets/quality_json.h"
#include "graph/dataset_file.h"
#include "train/report.h"

namespace kith {
namespace {

DegreeSummary summarize_degrees(CsrView graph) {
  DegreeSummary summary;
  if (graph.num_nodes() == 0) return summary;
  std::vector<NodeId> degrees(static_cast<std::size_t>(graph.num_nodes()));
  for (NodeId v = 0; v < graph.num_nodes(); ++v) degrees[v] = graph.degree(v);
  std::sort(degrees.begin(), degrees.end());
  const auto at = [&](double share) {
    return degrees[static_cast<std::size_t>(share * static_cast<double>(degrees.size() - 1))];
  };
  summary.smallest = degrees.front();
  summary.median = at(0.5);
  summary.p99 = at(0.99);
  summary.largest = degrees.back();
  summary.mean = static_cast<double>(graph.num_edges()) / graph.num_nodes();
  summary.num_isolated = std::upper_bound(degrees.begin(), degrees.end(), 0) - degrees.begin();
  return summary;
}

void count_labels(const Labels& labels, NodeId num_nodes, InfoReport& report) {
  const auto width = static_cast<std::size_t>(labels.num_classes);
  report.num_classes = labels.num_classes;
  report.is_multi_label = labels.is_multi_label();
  report.label_counts.assign(width, 0);
  if (labels.empty()) {
    report.num_unlabelled = num_nodes;
    return;
  }
  for (std::size_t v = 0; v < static_cast<std::size_t>(num_nodes); ++v) {
    if (!report.is_multi_label) {
      const std::int32_t label = labels.of_node[v];
      ++(label == kNoLabel ? report.num_unlabelled : report.label_counts[label]);
      continue;
    }
    bool has_any = false;
    for (std::size_t k = 0; k < width; ++k) {
      const bool has_class = labels.indicator[v * width + k] != 0;
      report.label_counts[k] += has_class;
      has_any |= has_class;
    }
    report.num_unlabelled += !has_any;
  }
}

}  // namespace

InfoReport inspect_dataset(const std::string& path, bool verify) {
  const Dataset dataset =
      read_dataset(path, {.map_features = true, .verify_checksums = verify, .check_features = verify});
  InfoReport report;
  report.path = path;
  report.is_verified = verify;
  report.num_nodes = dataset.num_nodes();
  report.num_edges = dataset.graph.num_edges();
  report.in_degree = summarize_degrees(dataset.graph.view());
  report.has_edge_ids = !dataset.edge_id.empty();
  report.feature_dim = dataset.features.dim();
  report.feature_type = dataset.features.view().type;
  count_labels(dataset.labels, dataset.num_nodes(), report);
  const auto size = [](const std::vector<NodeId>& part) { return static_cast<std::int64_t>(part.size()); };
  report.split_sizes = {size(dataset.splits.train), size(dataset.splits.valid), size(dataset.splits.test)};
  for (const Communities& level : dataset.levels) {
    report.levels.push_back(measure_quality(dataset.graph.view(), level));
  }
  report.provenance = dataset.provenance;
  return report;
}

nlohmann::ordered_json to_json(const InfoReport& report) {
  using Json = nlohmann::ordered_json;
  Json levels = Json::array();
  for (const LevelQuality& level : report.levels) levels.push_back(to_json(level));
  const DegreeSummary& degree = report.in_degree;
  return {
      {"file", report.path},
      {"verified", report.is_verified},
      {"nodes", report.num_nodes},
      {"edges", report.num_edges},
      {"directed", report.provenance.directed},
      {"in_degree",
       {{"smallest", degree.smallest},
        {"median", degree.median},
        {"mean", degree.mean},
        {"p99", degree.p99},
        {"largest", degree.largest},
        {"isolated", degree.num_isolated}}},
      {"edge_ids", report.has_edge_ids},
      {"features", report.feature_dim},
      {"feature_type", name_of(report.feature_type)},
      {"classes", report.num_classes},
      {"multi_label", report.is_multi_label},
      {"label_counts", report.label_counts},
      {"unlabelled", report.num_unlabelled},
      {"splits",
       {{"train", report.split_sizes[0]}, {"valid", report.split_sizes[1]}, {"test", report.split_sizes[2]}}},
      {"levels", std::move(levels)},
      {"source", report.provenance.source},
      {"method", report.provenance.method},
      {"seed", report.provenance.seed},
      {"created", report.provenance.created},
      {"version", kVersion}};
}

std::string to_text(const InfoReport& report) {
  constexpr std::size_t kShownClasses = 20;
  const DegreeSummary& degree = report.in_degree;
  std::ostringstream out;
  out.precision(4);
  out << "file         " << report.path << (report.is_verified ? " (verified)" : "") << "\n"
      << "source       " << report.provenance.source << ", communities by " << report.provenance.method
      << ", seed " << report.provenance.seed << ", " << report.provenance.created << "\n"
      << "nodes        " << report.num_nodes << "\n"
      << "edges        " << report.num_edges
      << (report.provenance.directed ? " directed" : ", both directions stored")
      << (report.has_edge_ids ? ", with edge ids" : "") << "\n"
      << "in-degree    " << degree.smallest << " to " << degree.largest << ", median " << degree.median
      << ", mean " << degree.mean << ", 99 % <= " << degree.p99 << ", " << degree.num_isolated << " isolated\n";
  if (report.feature_dim > 0) {
    out << "features     " << report.feature_dim << " x " << name_of(report.feature_type) << "\n";
  } else {
    out << "features     none\n";
  }
  if (report.num_classes > 0) {
    out << "labels       " << report.num_classes
        << (report.is_multi_label ? " classes, several a node:" : " classes:");
    for (std::size_t k = 0; k < std::min(kShownClasses, report.label_counts.size()); ++k) {
      out << " " << report.label_counts[k];
    }
    out << (report.label_counts.size() > kShownClasses ? " ..." : "") << "; " << report.num_unlabelled
        << " nodes without\n";
  } else {
    out << "labels       none\n";
  }
  out << "splits       train " << report.split_sizes[0] << ", valid " << report.split_sizes[1] << ", test "
      << report.split_sizes[2] << "\n"
      << to_text(report.levels);
  return out.str();
}

}  // namespace kith
