#include "partition/simple_graph.h"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_reduce.h>

#include <algorithm>
#include <atomic>

namespace kith {
namespace {

constexpr NodeId kGrain = 1024;

/// True if `holds(v)` for every node.
template <typename Predicate>
bool all_nodes(NodeId num_nodes, const Predicate& holds) {
  return tbb::parallel_reduce(
      tbb::blocked_range<NodeId>(0, num_nodes, kGrain), true,
      [&](const tbb::blocked_range<NodeId>& range, bool so_far) {
        for (NodeId v = range.begin(); v < range.end() && so_far; ++v) so_far = holds(v);
        return so_far;
      },
      [](bool a, bool b) { return a && b; });
}

template <typename Body>
void for_each_node(NodeId num_nodes, const Body& body) {
  tbb::parallel_for(tbb::blocked_range<NodeId>(0, num_nodes, kGrain),
                    [&](const tbb::blocked_range<NodeId>& range) {
                      for (NodeId v = range.begin(); v < range.end(); ++v) body(v);
                    });
}

bool has_simple_row(CsrView graph, NodeId v) {
  const auto row = graph.row(v);
  return std::adjacent_find(row.begin(), row.end()) == row.end() &&
         !std::binary_search(row.begin(), row.end(), v);
}

bool has_reverse_edges(CsrView graph, NodeId v) {
  return std::ranges::all_of(graph.row(v), [&](NodeId u) {
    const auto back = graph.row(u);
    return std::binary_search(back.begin(), back.end(), v);
  });
}

/// Both directions of every edge, rows unsorted, with repeats; offsets receives the row bounds.
std::vector<NodeId> both_directions(CsrView graph, std::vector<EdgeOffset>& offsets) {
  const NodeId num_nodes = graph.num_nodes();
  std::vector<std::atomic<EdgeOffset>> cursor(static_cast<std::size_t>(num_nodes));
  for_each_node(num_nodes, [&](NodeId v) {
    cursor[v].fetch_add(graph.degree(v), std::memory_order_relaxed);
    for (const NodeId u : graph.row(v)) cursor[u].fetch_add(1, std::memory_order_relaxed);
  });
  for (NodeId v = 0; v < num_nodes; ++v) {
    offsets[v + 1] = offsets[v] + cursor[v].load(std::memory_order_relaxed);
    cursor[v].store(offsets[v] + graph.degree(v), std::memory_order_relaxed);
  }
  std::vector<NodeId> entries(static_cast<std::size_t>(offsets.back()));
  for_each_node(num_nodes, [&](NodeId v) {
    std::ranges::copy(graph.row(v), entries.begin() + offsets[v]);
    for (const NodeId u : graph.row(v)) entries[cursor[u].fetch_add(1, std::memory_order_relaxed)] = v;
  });
  return entries;
}

/// Sorts every row, drops self-loops and repeats, and closes the gaps in place.
void clean_rows(std::vector<EdgeOffset>& offsets, std::vector<NodeId>& entries) {
  const NodeId num_nodes = static_cast<NodeId>(offsets.size()) - 1;
  std::vector<NodeId> kept(static_cast<std::size_t>(num_nodes));
  for_each_node(num_nodes, [&](NodeId v) {
    const auto begin = entries.begin() + offsets[v];
    auto end = entries.begin() + offsets[v + 1];
    // Scatter order depends on the threads; the sort makes the row the same again.
    std::sort(begin, end);
    end = std::remove(begin, std::unique(begin, end), v);
    kept[v] = static_cast<NodeId>(end - begin);
  });
  EdgeOffset out = 0;
  for (NodeId v = 0; v < num_nodes; ++v) {
    const auto begin = entries.begin() + offsets[v];
    offsets[v] = out;
    std::copy(begin, begin + kept[v], entries.begin() + out);
    out += kept[v];
  }
  offsets[num_nodes] = out;
  entries.resize(static_cast<std::size_t>(out));
}

}  // namespace

SimpleGraph::SimpleGraph(CsrView graph) : view_(graph) {
  const NodeId num_nodes = graph.num_nodes();
  const bool is_simple = all_nodes(num_nodes, [&](NodeId v) { return has_simple_row(graph, v); });
  const bool is_symmetric = all_nodes(num_nodes, [&](NodeId v) { return has_reverse_edges(graph, v); });
  if (is_simple && is_symmetric) return;
  if (is_symmetric) {
    offsets_.assign(graph.offsets.begin(), graph.offsets.end());
    neighbors_.assign(graph.neighbors.begin(), graph.neighbors.end());
  } else {
    offsets_.assign(static_cast<std::size_t>(num_nodes) + 1, 0);
    neighbors_ = both_directions(graph, offsets_);
  }
  clean_rows(offsets_, neighbors_);
  view_ = {offsets_, neighbors_};
}

}  // namespace kith
