#include "datasets/attached_source.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "datasets/npz_node_data.h"
#include "datasets/source_parts.h"
#include "graph/errors.h"

namespace kith {

namespace {

bool is_bare(const NodeData& data) {
  return data.feature_dim == 0 && data.labels.empty() && data.splits.empty();
}

class AttachedSource final : public StoredSource {
 public:
  AttachedSource(std::unique_ptr<Source> graph, const std::string& graph_path, const std::string& path)
      : graph_(std::move(graph)), archive_(path), nodes_(archive_) {
    KITH_CHECK(is_bare(graph_->node_data()), InvalidArgument, graph_path,
               ": has features, labels or splits of its own, so none can come from ", path);
    const std::optional<NodeId> count = nodes_.num_nodes();
    KITH_CHECK(count, IoError, path,
               ": has no array 'x', 'y' or 'num_nodes', which would say how many nodes there are");
    num_nodes_ = *count;
    id_of_ = std::move(graph_->node_data().original_id);
    check_ids(graph_path, path);
    data_ = nodes_.read(num_nodes_);
  }

  void for_each_edges(const std::function<void(std::span<const Edge>)>& visit) override {
    if (id_of_.empty()) return graph_->for_each_edges(visit);
    std::vector<Edge> renamed;
    graph_->for_each_edges([&](std::span<const Edge> edges) {
      renamed.clear();
      for (const Edge& edge : edges) renamed.push_back({row_of(edge.source), row_of(edge.target)});
      visit(renamed);
    });
  }

  EdgeOffset num_stored_edges() const override { return graph_->num_stored_edges(); }

  void release_edges() override { graph_->release_edges(); }

  void for_each_feature_row(const std::function<void(NodeId, std::span<const float>)>& visit) override {
    nodes_.for_each_feature_row(visit);
  }

  bool is_undirected() const override { return graph_->is_undirected(); }

 private:
  NodeId row_of(NodeId v) const { return static_cast<NodeId>(id_of_[static_cast<std::size_t>(v)]); }

  void check_ids(const std::string& graph_path, const std::string& path) const {
    const NodeId count = graph_->num_nodes();
    KITH_CHECK(!graph_->has_all_nodes() || count == num_nodes_, IoError, path, ": has ", num_nodes_,
               " rows, but ", graph_path, " has ", count, " nodes");
    const std::int64_t smallest = id_of_.empty() ? 0 : std::ranges::min(id_of_);
    const std::int64_t largest = id_of_.empty() ? count - 1 : std::ranges::max(id_of_);
    KITH_CHECK(smallest >= 0 && largest < num_nodes_, IoError, path, ": has rows for the nodes 0..",
               num_nodes_ - 1, ", but ", graph_path, " has the ids ", smallest, "..", largest);
  }

  std::unique_ptr<Source> graph_;
  NpzArchive archive_;
  NpzNodeData nodes_;
  std::vector<std::int64_t> id_of_;  ///< by node of the graph; empty: a node is its id
};

}  // namespace

std::unique_ptr<Source> attach_node_data(std::unique_ptr<Source> graph, const std::string& graph_path,
                                         const std::string& path) {
  return std::make_unique<AttachedSource>(std::move(graph), graph_path, path);
}

}  // namespace kith
