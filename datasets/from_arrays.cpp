#include "datasets/from_arrays.h"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "datasets/build_graph.h"
#include "datasets/source_parts.h"
#include "graph/errors.h"
#include "partition/hierarchy.h"

namespace kith {
namespace {

constexpr const char* kWho = "Dataset.from_arrays";

/// The two edge columns, streamed as build_graph wants them.
class ArraySource final : public StoredSource {
 public:
  explicit ArraySource(const ArrayGraph& arrays) : arrays_(arrays) { num_nodes_ = arrays.num_nodes; }

  void for_each_edges(const std::function<void(std::span<const Edge>)>& visit) override {
    EdgeBuffer buffer(visit);
    for (std::size_t e = 0; e < arrays_.sources.size(); ++e) {
      buffer.add({checked(arrays_.sources[e], "source", e), checked(arrays_.targets[e], "target", e)});
    }
    buffer.flush();
  }
  void for_each_feature_row(const std::function<void(NodeId, std::span<const float>)>& /*visit*/) override {}
  bool is_undirected() const override { return false; }

 private:
  NodeId checked(std::int64_t id, const char* end, std::size_t edge) const {
    KITH_CHECK(id >= 0 && id < num_nodes_, InvalidArgument, kWho, ": the ", end, " of edge ", edge,
               " must be in [0, ", num_nodes_, "), got ", id);
    return static_cast<NodeId>(id);
  }

  const ArrayGraph& arrays_;
};

void check_sizes(const ArrayGraph& arrays) {
  KITH_CHECK(arrays.num_nodes >= 0, InvalidArgument, kWho, ": num_nodes must be >= 0, got ", arrays.num_nodes);
  KITH_CHECK(arrays.sources.size() == arrays.targets.size(), InvalidArgument, kWho,
             ": an edge needs a source and a target, got ", arrays.sources.size(), " sources and ",
             arrays.targets.size(), " targets");
  KITH_CHECK(arrays.features.dim == 0 || arrays.features.num_rows == arrays.num_nodes, InvalidArgument, kWho,
             ": x must have ", arrays.num_nodes, " rows (one a node), got ", arrays.features.num_rows);
  KITH_CHECK(
      arrays.community_of.empty() || arrays.community_of.size() == static_cast<std::size_t>(arrays.num_nodes),
      InvalidArgument, kWho, ": communities must have ", arrays.num_nodes, " entries (one a node), got ",
      arrays.community_of.size());
  check_labels(arrays.labels, arrays.num_nodes, kWho);
  for (std::size_t v = 0; v < arrays.community_of.size(); ++v) {
    KITH_CHECK(arrays.community_of[v] >= 0, InvalidArgument, kWho, ": the community of node ", v,
               " must be >= 0, got ", arrays.community_of[v]);
  }
  if (arrays.features.dim == 0) return;
  const auto bad_row = first_non_finite_row(arrays.features);
  KITH_CHECK(!bad_row, InvalidArgument, kWho, ": x must be finite, row ", *bad_row, " is not");
}

bool has_one_way_edge(CsrView graph) {
  std::atomic<bool> found = false;
  tbb::parallel_for(tbb::blocked_range<NodeId>(0, graph.num_nodes(), 1024), [&](const auto& nodes) {
    for (NodeId v = nodes.begin(); v != nodes.end() && !found.load(std::memory_order_relaxed); ++v) {
      for (const NodeId u : graph.row(v)) {
        const auto back = graph.row(u);
        if (!std::binary_search(back.begin(), back.end(), v)) found.store(true, std::memory_order_relaxed);
      }
    }
  });
  return found;
}

/// Row v of the result is row old_of_new[v] of `bytes`.
template <typename Value>
std::vector<Value> permute_rows(const Value* values, std::size_t row_size, std::span<const NodeId> old_of_new) {
  std::vector<Value> out(old_of_new.size() * row_size);
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, old_of_new.size(), 1024), [&](const auto& rows) {
    for (std::size_t v = rows.begin(); v != rows.end(); ++v) {
      std::copy_n(values + static_cast<std::size_t>(old_of_new[v]) * row_size, row_size,
                  out.data() + v * row_size);
    }
  });
  return out;
}

FeatureStore permute_features(FeatureView features, std::span<const NodeId> old_of_new) {
  if (features.dim == 0) return {};
  return FeatureStore(permute_rows(features.data, features.row_bytes(), old_of_new), features.num_rows,
                      features.dim, features.type);
}

Labels permute_labels(const Labels& labels, std::span<const NodeId> old_of_new) {
  Labels out{.of_node = {}, .indicator = {}, .num_classes = labels.num_classes};
  if (!labels.of_node.empty()) out.of_node = permute_rows(labels.of_node.data(), 1, old_of_new);
  if (labels.is_multi_label()) {
    out.indicator =
        permute_rows(labels.indicator.data(), static_cast<std::size_t>(labels.num_classes), old_of_new);
  }
  return out;
}

void renumber_split(std::vector<NodeId>& ids, std::span<const NodeId> new_of_old, const char* name) {
  for (NodeId& id : ids) {
    KITH_CHECK(id >= 0 && static_cast<std::size_t>(id) < new_of_old.size(), InvalidArgument, kWho, ": ids of ",
               name, " must be in [0, ", new_of_old.size(), "), got ", id);
    id = new_of_old[static_cast<std::size_t>(id)];
  }
  std::sort(ids.begin(), ids.end());
  KITH_CHECK(std::adjacent_find(ids.begin(), ids.end()) == ids.end(), InvalidArgument, kWho, ": ids of ", name,
             " must not repeat");
}

}  // namespace

Dataset dataset_from_arrays(ArrayGraph arrays, const FromArraysOptions& options) {
  check_sizes(arrays);
  ArraySource source(arrays);
  BuiltGraph built = build_graph(source, {.symmetrize = options.symmetrize, .keep_edge_ids = true});
  const CsrView graph = built.graph.view();
  Hierarchy hierarchy = arrays.community_of.empty()
                            ? find_hierarchy(graph, options.partition)
                            : hierarchy_from(graph, arrays.community_of, options.partition);
  const std::vector<NodeId>& old_of_new = hierarchy.old_of_new;
  std::vector<NodeId> new_of_old(old_of_new.size());
  for (std::size_t v = 0; v < old_of_new.size(); ++v) {
    new_of_old[static_cast<std::size_t>(old_of_new[v])] = static_cast<NodeId>(v);
  }
  renumber_split(arrays.splits.train, new_of_old, "train");
  renumber_split(arrays.splits.valid, new_of_old, "valid");
  renumber_split(arrays.splits.test, new_of_old, "test");

  const char* method = options.partition.method == PartitionMethod::metis ? "metis" : "lpa";
  Dataset dataset;
  dataset.provenance = {.source = "arrays",
                        .method = arrays.community_of.empty() ? method : "file",
                        .seed = options.partition.seed,
                        .directed = !options.symmetrize && has_one_way_edge(graph),
                        .created = {}};
  dataset.edge_id = std::move(built.edge_id);
  dataset.graph = renumber(graph, old_of_new, dataset.edge_id);
  dataset.features = permute_features(arrays.features, old_of_new);
  dataset.labels = permute_labels(arrays.labels, old_of_new);
  dataset.splits = std::move(arrays.splits);
  dataset.levels = std::move(hierarchy.levels);
  dataset.original_id.assign(old_of_new.begin(), old_of_new.end());
  check_dataset(dataset, kWho);
  return dataset;
}

}  // namespace kith
