#include "datasets/prepare_output.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <span>
#include <utility>
#include <vector>

#include "datasets/feature_cast.h"
#include "graph/errors.h"
#include "graph/row_blocks.h"

namespace kith {
namespace {

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
                    const PrepareReport& report, std::span<const NodeId> new_of_old, std::size_t buffer_bytes) {
  const auto dim = static_cast<std::size_t>(report.feature_dim);
  std::vector<float> row(dim);
  std::vector<std::byte> bytes(dim * size_of(report.feature_type));
  writer.create_features(report.num_nodes, report.feature_dim, report.feature_type, buffer_bytes);
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

void write_graph(DatasetWriter& writer, const StageGraph& graph, Scratch* scratch) {
  if (const auto* built = std::get_if<BuiltGraph>(&graph)) {
    writer.write_graph(built->graph.view(), built->edge_id);
    return;
  }
  const auto& files = std::get<FileGraph>(graph);
  writer.write_graph(RowBlocks(files.paths.neighbors, files.offsets, *scratch), files.paths.edge_id);
}

}  // namespace

void write_output(DatasetWriter& writer, FinishedStages stages, Source* source, Scratch* scratch,
                  const PrepareOptions& options, PrepareReport& report) {
  write_graph(writer, stages.graph, scratch);
  stages.graph = {};
  const Hierarchy& hierarchy = stages.communities.hierarchy;
  const std::vector<NodeId> new_of_old = invert(hierarchy.old_of_new);
  const Labels labels = renumber_labels(std::move(stages.nodes.labels), hierarchy.old_of_new);
  const Splits splits = renumber_splits(std::move(stages.nodes.splits), new_of_old);
  writer.write_nodes(renumber_ids(stages.nodes.original_id, hierarchy.old_of_new), labels);
  writer.write_levels(hierarchy.levels);
  writer.write_splits(splits);
  report.num_classes = labels.num_classes;
  report.num_train = static_cast<std::int64_t>(splits.train.size());
  report.num_valid = static_cast<std::int64_t>(splits.valid.size());
  report.num_test = static_cast<std::int64_t>(splits.test.size());
  if (source != nullptr) {
    const std::size_t buffer_bytes =
        scratch == nullptr ? kFeatureBufferBytes : std::min(scratch->sort_bytes(), kFeatureBufferBytes);
    write_features(writer, *source, options, report, new_of_old, buffer_bytes);
  }
  writer.commit({.source = file_name(options.source),
                 .method = report.method,
                 .seed = options.partition.seed,
                 .directed = report.is_directed,
                 .created = {}});
}

}  // namespace kith
