#include "datasets/prepare.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "datasets/attached_source.h"
#include "datasets/feature_cast.h"
#include "datasets/quality_json.h"
#include "graph/dataset_file.h"
#include "graph/errors.h"
#include "graph/printable.h"
#include "train/report.h"

namespace kith {
namespace {

// Says a line when a stage begins and adds the stage's seconds to where they belong when it ends.
class Stage {
 public:
  Stage(const PrepareOptions& options, const std::string& line, double& seconds) : seconds_(seconds) {
    if (options.progress) options.progress(line);
  }
  ~Stage() { seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

 private:
  double& seconds_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

std::string file_name(const std::string& path) {
  const std::filesystem::path given(path);
  return (given.has_filename() ? given : given.parent_path()).filename().string();
}

std::vector<NodeId> invert(std::span<const NodeId> old_of_new) {
  std::vector<NodeId> new_of_old(old_of_new.size());
  for (std::size_t v = 0; v < old_of_new.size(); ++v) new_of_old[old_of_new[v]] = static_cast<NodeId>(v);
  return new_of_old;
}

std::vector<std::int64_t> renumber_ids(std::span<const std::int64_t> original,
                                       std::span<const NodeId> old_of_new) {
  std::vector<std::int64_t> ids(old_of_new.size());
  for (std::size_t v = 0; v < ids.size(); ++v)
    ids[v] = original.empty() ? old_of_new[v] : original[old_of_new[v]];
  return ids;
}

Labels renumber_labels(Labels labels, std::span<const NodeId> old_of_new) {
  Labels out;
  out.num_classes = labels.num_classes;
  if (labels.is_multi_label()) {
    const auto width = static_cast<std::size_t>(labels.num_classes);
    out.indicator.resize(labels.indicator.size());
    for (std::size_t v = 0; v < old_of_new.size(); ++v) {
      std::copy_n(labels.indicator.begin() + static_cast<std::ptrdiff_t>(old_of_new[v] * width), width,
                  out.indicator.begin() + static_cast<std::ptrdiff_t>(v * width));
    }
  }
  if (!labels.of_node.empty()) {
    out.of_node.resize(labels.of_node.size());
    for (std::size_t v = 0; v < old_of_new.size(); ++v) out.of_node[v] = labels.of_node[old_of_new[v]];
  }
  return out;
}

Splits renumber_splits(Splits splits, std::span<const NodeId> new_of_old) {
  for (std::vector<NodeId>* part : {&splits.train, &splits.valid, &splits.test}) {
    for (NodeId& v : *part) v = new_of_old[v];
    std::sort(part->begin(), part->end());
  }
  return splits;
}

// Zero rows stay zero.
void normalize_row(std::span<float> row) {
  double sum = 0;
  for (const float value : row) sum += std::fabs(static_cast<double>(value));
  if (sum == 0) return;
  for (float& value : row) value = static_cast<float>(value / sum);
}

void write_features(DatasetWriter& writer, Source& source, const PrepareOptions& options,
                    const PrepareReport& report, std::span<const NodeId> new_of_old) {
  const auto dim = static_cast<std::size_t>(report.feature_dim);
  std::vector<float> row(dim);
  std::vector<std::byte> bytes(dim * size_of(report.feature_type));
  writer.create_features(report.num_nodes, report.feature_dim, report.feature_type);
  source.for_each_feature_row([&](NodeId v, std::span<const float> values) {
    std::copy(values.begin(), values.end(), row.begin());
    if (options.normalize_rows) normalize_row(row);
    const std::size_t bad = first_not_finite(row, report.feature_type);
    KITH_CHECK(bad == dim, InvalidArgument, options.source, ": feature ", bad, " of node ", v, " is ",
               values[bad],
               std::isfinite(values[bad]) ? concat(", too large for ", name_of(report.feature_type))
                                          : std::string(", a finite value was expected"));
    cast_features(row, report.feature_type, bytes);
    writer.write_feature_row(new_of_old[v], bytes);
  });
}

Hierarchy make_hierarchy(const BuiltGraph& built, const PrepareOptions& options, PrepareReport& report) {
  const CsrView graph = built.graph.view();
  if (!options.communities_from.empty()) {
    report.method = "file";
    return hierarchy_from(graph, read_communities(options.communities_from, graph.num_nodes()),
                          options.partition);
  }
  report.method = "lpa";
  if (options.partition.method == PartitionMethod::metis && graph.num_nodes() > 0) {
    report.method = "metis";
    const PartitionOptions& partition = options.partition;
    const auto by_size = static_cast<std::int32_t>(
        std::lround(graph.num_nodes() / static_cast<double>(std::max(1, partition.community_size))));
    const std::int32_t count = partition.num_communities > 0 ? partition.num_communities : std::max(1, by_size);
    // METIS sees both directions of every edge.
    const EdgeOffset num_entries = report.is_directed ? 2 * graph.num_edges() : graph.num_edges();
    report.metis_bytes = estimate_metis_bytes(graph.num_nodes(), num_entries, count);
  }
  return find_hierarchy(graph, options.partition);
}

void describe(const Labels& labels, const Splits& splits, PrepareReport& report) {
  report.num_classes = labels.num_classes;
  report.num_train = static_cast<std::int64_t>(splits.train.size());
  report.num_valid = static_cast<std::int64_t>(splits.valid.size());
  report.num_test = static_cast<std::int64_t>(splits.test.size());
}

std::unique_ptr<Source> open_with_node_data(const PrepareOptions& options) {
  std::unique_ptr<Source> source = open_source(options.source, options.format);
  if (!options.node_data.empty())
    source = attach_node_data(std::move(source), options.source, options.node_data);
  if (options.random_split) {
    NodeData& data = source->node_data();
    const bool has_split =
        !data.splits.train.empty() || !data.splits.valid.empty() || !data.splits.test.empty();
    KITH_CHECK(!has_split, InvalidArgument, options.source, ": has a split, so --random-split would drop it");
    data.splits = random_split(data.labels, source->num_nodes(), *options.random_split, options.partition.seed);
  }
  return source;
}

// Reads the edges; says what cleaning did to them.
BuiltGraph clean(Source& source, const PrepareOptions& options, PrepareReport& report) {
  BuildOptions build = options.build;
  build.symmetrize = build.symmetrize || source.is_undirected();
  report.is_directed = !build.symmetrize;
  BuiltGraph built = build_graph(source, build);
  source.release_edges();
  report.counts = built.counts;
  report.num_nodes = built.graph.num_nodes();
  report.num_edges = built.graph.num_edges();
  return built;
}

// Everything from the cleaned graph on. `built` dies inside, as soon as its renumbered copy stands.
void renumber_and_write(Source& source, BuiltGraph built, const PrepareOptions& options, DatasetWriter& writer,
                        PrepareReport& report) {
  Hierarchy hierarchy;
  {
    const Stage stage(
        options, concat("finding communities of ", report.num_nodes, " nodes and ", report.num_edges, " edges"),
        report.seconds.partition);
    hierarchy = make_hierarchy(built, options, report);
  }
  std::vector<NodeId> new_of_old;
  {
    const Stage stage(options, "renumbering by community", report.seconds.renumber);
    built.graph = renumber(built.graph.view(), hierarchy.old_of_new, built.edge_id);
    new_of_old = invert(hierarchy.old_of_new);
    for (const Communities& level : hierarchy.levels) {
      report.levels.push_back(measure_quality(built.graph.view(), level));
    }
  }
  const Stage stage(options, concat("writing ", options.output), report.seconds.write);
  writer.write_graph(built.graph.view(), built.edge_id);
  built = {};
  NodeData& data = source.node_data();
  const Labels labels = renumber_labels(std::move(data.labels), hierarchy.old_of_new);
  const Splits splits = renumber_splits(std::move(data.splits), new_of_old);
  writer.write_nodes(renumber_ids(data.original_id, hierarchy.old_of_new), labels);
  writer.write_levels(hierarchy.levels);
  writer.write_splits(splits);
  describe(labels, splits, report);
  if (report.feature_dim > 0) write_features(writer, source, options, report, new_of_old);
  writer.commit({.source = file_name(options.source),
                 .method = report.method,
                 .seed = options.partition.seed,
                 .directed = report.is_directed,
                 .created = {}});
}

}  // namespace

std::vector<std::int32_t> read_communities(const std::string& path, NodeId num_nodes) {
  std::ifstream in(path);
  KITH_CHECK(in && !std::filesystem::is_directory(path), IoError, path, ": cannot be read");
  std::vector<std::int32_t> communities;
  communities.reserve(static_cast<std::size_t>(num_nodes));
  std::string line;
  while (std::getline(in, line)) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    std::int32_t community = -1;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), community);
    KITH_CHECK(error == std::errc() && end == line.data() + line.size() && community >= 0, IoError, path,
               ": line ", communities.size() + 1, ": expected the number of a community, got '",
               printable(line.substr(0, 40)), "'");
    communities.push_back(community);
  }
  KITH_CHECK(!in.bad(), IoError, path, ": cannot be read");
  KITH_CHECK(communities.size() == static_cast<std::size_t>(num_nodes), IoError, path, ": expected ", num_nodes,
             " lines, one a node, got ", communities.size());
  return communities;
}

PrepareReport prepare(const PrepareOptions& options) {
  PrepareReport report;
  report.output = options.output;
  std::unique_ptr<Source> source;
  std::unique_ptr<DatasetWriter> writer;
  {
    const Stage stage(options, concat("opening ", options.source), report.seconds.import);
    source = open_with_node_data(options);
    // Made first, so that a place that cannot be written to is found before the work.
    writer = std::make_unique<DatasetWriter>(options.output);
    const NodeData& data = source->node_data();
    report.feature_dim = data.feature_dim;
    report.feature_type = options.feature_type.value_or(data.feature_type);
  }
  BuiltGraph built;
  {
    const Stage stage(options, "reading and cleaning the edges", report.seconds.clean);
    built = clean(*source, options, report);
  }
  renumber_and_write(*source, std::move(built), options, *writer, report);
  report.peak_rss_bytes = peak_rss_bytes();
  return report;
}

nlohmann::ordered_json to_json(const PrepareReport& report) {
  using Json = nlohmann::ordered_json;
  const BuildCounts& counts = report.counts;
  const PrepareSeconds& seconds = report.seconds;
  Json levels = Json::array();
  for (const LevelQuality& level : report.levels) levels.push_back(to_json(level));
  const double total = seconds.import + seconds.clean + seconds.partition + seconds.renumber + seconds.write;
  return {{"output", report.output},
          {"nodes", report.num_nodes},
          {"edges", report.num_edges},
          {"directed", report.is_directed},
          {"source_edges", counts.source_edges},
          {"duplicates_dropped", counts.duplicates_dropped},
          {"self_loops", counts.self_loops},
          {"self_loops_dropped", counts.self_loops_dropped},
          {"edges_added", counts.edges_added},
          {"features", report.feature_dim},
          {"feature_type", name_of(report.feature_type)},
          {"classes", report.num_classes},
          {"splits", {{"train", report.num_train}, {"valid", report.num_valid}, {"test", report.num_test}}},
          {"method", report.method},
          {"levels", std::move(levels)},
          {"metis_estimated_bytes", report.metis_bytes},
          {"peak_rss_bytes", report.peak_rss_bytes},
          {"seconds",
           {{"import", seconds.import},
            {"clean", seconds.clean},
            {"partition", seconds.partition},
            {"renumber", seconds.renumber},
            {"write", seconds.write},
            {"total", total}}},
          {"version", kVersion}};
}

}  // namespace kith
