#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <utility>

#include "graph/errors.h"
#include "partition/hierarchy.h"

namespace kith {
namespace {

constexpr NodeId kUnset = -1;

std::vector<NodeId> invert(std::span<const NodeId> old_of_new) {
  const auto num_nodes = static_cast<NodeId>(old_of_new.size());
  std::vector<NodeId> new_of_old(old_of_new.size(), kUnset);
  for (NodeId v = 0; v < num_nodes; ++v) {
    const NodeId old = old_of_new[v];
    KITH_CHECK(old >= 0 && old < num_nodes && new_of_old[old] == kUnset, InvalidArgument,
               "renumber: old_of_new must be a permutation of [0, ", num_nodes, "), got ", old, " at ", v);
    new_of_old[old] = v;
  }
  return new_of_old;
}

/// Rows are independent of each other, so any split over threads gives the same arrays.
template <typename Body>
void for_each_row(NodeId num_nodes, const Body& body) {
  tbb::parallel_for(tbb::blocked_range<NodeId>(0, num_nodes, 512),
                    [&](const tbb::blocked_range<NodeId>& range) {
                      for (NodeId v = range.begin(); v < range.end(); ++v) body(v);
                    });
}

}  // namespace

CsrGraph renumber(CsrView graph, std::span<const NodeId> old_of_new, std::vector<EdgeOffset>& edge_id) {
  const NodeId num_nodes = graph.num_nodes();
  KITH_CHECK(old_of_new.size() == static_cast<std::size_t>(num_nodes), InvalidArgument,
             "renumber: old_of_new must hold ", num_nodes, " nodes, got ", old_of_new.size());
  KITH_CHECK(edge_id.empty() || edge_id.size() == graph.neighbors.size(), InvalidArgument,
             "renumber: edge_id must be empty or hold ", graph.num_edges(), " values, got ", edge_id.size());
  const std::vector<NodeId> new_of_old = invert(old_of_new);
  std::vector<EdgeOffset> offsets(static_cast<std::size_t>(num_nodes) + 1, 0);
  for (NodeId v = 0; v < num_nodes; ++v) offsets[v + 1] = offsets[v] + graph.degree(old_of_new[v]);
  std::vector<NodeId> neighbors(graph.neighbors.size());

  if (edge_id.empty()) {
    for_each_row(num_nodes, [&](NodeId v) {
      const auto out = neighbors.begin() + offsets[v];
      const auto row = graph.row(old_of_new[v]);
      std::ranges::transform(row, out, [&](NodeId u) { return new_of_old[u]; });
      std::sort(out, out + static_cast<std::ptrdiff_t>(row.size()));
    });
  } else {
    std::vector<EdgeOffset> carried(edge_id.size());
    for_each_row(num_nodes, [&](NodeId v) {
      // Parallel edges keep their order: the old place breaks ties.
      std::vector<std::pair<NodeId, EdgeOffset>> row;
      for (EdgeOffset e = graph.offsets[old_of_new[v]]; e < graph.offsets[old_of_new[v] + 1]; ++e) {
        row.emplace_back(new_of_old[graph.neighbors[e]], e);
      }
      std::ranges::sort(row);
      for (std::size_t i = 0; i < row.size(); ++i) {
        neighbors[offsets[v] + static_cast<EdgeOffset>(i)] = row[i].first;
        carried[offsets[v] + static_cast<EdgeOffset>(i)] = edge_id[row[i].second];
      }
    });
    edge_id = std::move(carried);
  }
  return CsrGraph(std::move(offsets), std::move(neighbors), "renumber");
}

}  // namespace kith
