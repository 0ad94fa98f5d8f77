#include "graph/dataset.h"

#include <algorithm>
#include <functional>

#include "graph/errors.h"
#include "graph/limits.h"

namespace kith {
namespace {

void check_split(const std::vector<NodeId>& ids, NodeId num_nodes, const char* who, const char* name) {
  if (ids.empty()) return;
  const bool rises = std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end();
  KITH_CHECK(rises, InvalidArgument, who, ": the ids of split ", name, " must be ascending without repeats");
  KITH_CHECK(ids.front() >= 0 && ids.back() < num_nodes, InvalidArgument, who, ": the ids of split ", name,
             " must be in [0, ", num_nodes, "), got ", ids.front() < 0 ? ids.front() : ids.back());
}

void check_classes(const Labels& labels, const char* who) {
  for (std::size_t v = 0; v < labels.of_node.size(); ++v) {
    const std::int32_t label = labels.of_node[v];
    KITH_CHECK(label >= kNoLabel && label < labels.num_classes, InvalidArgument, who, ": the label of node ", v,
               " must be in [-1, ", labels.num_classes, "), got ", label);
  }
  for (std::size_t i = 0; i < labels.indicator.size(); ++i) {
    KITH_CHECK(labels.indicator[i] <= 1, InvalidArgument, who, ": the labels of node ",
               i / static_cast<std::size_t>(labels.num_classes), " must be 0 or 1, got ",
               int{labels.indicator[i]});
  }
}

}  // namespace

const std::vector<NodeId>& Splits::named(std::string_view name) const {
  if (name == "train") return train;
  if (name == "valid" || name == "val") return valid;
  KITH_CHECK(name == "test", InvalidArgument, "split: expected train, valid or test, got ", name);
  return test;
}

const Communities& Dataset::communities(std::int32_t level) const {
  KITH_CHECK(level >= 0 && static_cast<std::size_t>(level) < levels.size(), InvalidArgument,
             "community level: expected 0 to ", static_cast<std::int64_t>(levels.size()) - 1, ", got ", level);
  return levels[static_cast<std::size_t>(level)];
}

void check_labels(const Labels& labels, NodeId num_nodes, const char* who) {
  const auto nodes = static_cast<std::size_t>(num_nodes);
  KITH_CHECK(labels.num_classes >= 0 && labels.num_classes <= kMaxClasses, InvalidArgument, who,
             ": the number of classes must lie in 0..", kMaxClasses, ", got ", labels.num_classes);
  if (labels.empty()) return;
  KITH_CHECK(labels.of_node.empty() || labels.indicator.empty(), InvalidArgument, who,
             ": labels must be either one class a node or multi-label, not both");
  if (labels.is_multi_label()) {
    const std::size_t expected = nodes * static_cast<std::size_t>(labels.num_classes);
    KITH_CHECK(labels.indicator.size() == expected, InvalidArgument, who, ": expected ", expected,
               " multi-label values (", num_nodes, " nodes x ", labels.num_classes, " classes), got ",
               labels.indicator.size());
  } else {
    KITH_CHECK(labels.of_node.size() == nodes, InvalidArgument, who, ": expected ", nodes,
               " labels (one a node), got ", labels.of_node.size());
  }
  check_classes(labels, who);
}

void check_splits(const Splits& splits, NodeId num_nodes, const char* who) {
  check_split(splits.train, num_nodes, who, "train");
  check_split(splits.valid, num_nodes, who, "valid");
  check_split(splits.test, num_nodes, who, "test");
}

void check_dataset(const Dataset& dataset, const char* who) {
  const NodeId num_nodes = dataset.num_nodes();
  const auto nodes = static_cast<std::size_t>(num_nodes);
  const auto edges = static_cast<std::size_t>(dataset.graph.num_edges());
  KITH_CHECK(dataset.features.num_rows() == 0 || dataset.features.num_rows() == num_nodes, InvalidArgument, who,
             ": expected ", num_nodes, " feature rows (one a node), got ", dataset.features.num_rows());
  KITH_CHECK(dataset.original_id.size() == nodes, InvalidArgument, who, ": expected ", nodes,
             " original ids (one a node), got ", dataset.original_id.size());
  KITH_CHECK(dataset.edge_id.empty() || dataset.edge_id.size() == edges, InvalidArgument, who, ": expected ",
             edges, " edge ids (one an edge) or none, got ", dataset.edge_id.size());
  check_nested(dataset.levels, who);
  KITH_CHECK(dataset.levels.front().num_nodes() == num_nodes, InvalidArgument, who, ": the communities cover ",
             dataset.levels.front().num_nodes(), " nodes, the graph has ", num_nodes);
  check_labels(dataset.labels, num_nodes, who);
  check_splits(dataset.splits, num_nodes, who);
}

}  // namespace kith
