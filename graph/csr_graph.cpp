#include "graph/csr_graph.h"

#include <tbb/blocked_range.h>
#include <tbb/parallel_reduce.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "graph/errors.h"
#include "graph/huge_pages.h"

namespace kith {
namespace {

constexpr NodeId kAllRowsValid = std::numeric_limits<NodeId>::max();

bool is_valid_row(std::span<const NodeId> row, NodeId num_nodes) {
  if (row.empty()) return true;
  return row.front() >= 0 && row.back() < num_nodes && std::is_sorted(row.begin(), row.end());
}

/// The first row that is not ascending or leaves [0, num_nodes), or kAllRowsValid.
NodeId first_bad_row(CsrView graph) {
  return tbb::parallel_reduce(
      tbb::blocked_range<NodeId>(0, graph.num_nodes(), 4096), kAllRowsValid,
      [&](const tbb::blocked_range<NodeId>& range, NodeId first) {
        for (NodeId v = range.begin(); v < range.end() && v < first; ++v) {
          if (!is_valid_row(graph.row(v), graph.num_nodes())) return v;
        }
        return first;
      },
      [](NodeId a, NodeId b) { return std::min(a, b); });
}

}  // namespace

void check_csr(CsrView graph, const char* who) {
  KITH_CHECK(!graph.offsets.empty() && graph.offsets.front() == 0, InvalidArgument, who,
             ": offsets must start with 0");
  KITH_CHECK(graph.offsets.size() - 1 <= static_cast<std::size_t>(kAllRowsValid), InvalidArgument, who,
             ": at most 2^31 - 1 nodes are supported, got ", graph.offsets.size() - 1);
  const auto fall = std::adjacent_find(graph.offsets.begin(), graph.offsets.end(), std::greater<>());
  KITH_CHECK(fall == graph.offsets.end(), InvalidArgument, who, ": offsets must not fall, but offsets[",
             fall - graph.offsets.begin() + 1, "] does");
  KITH_CHECK(graph.offsets.back() == graph.num_edges(), InvalidArgument, who, ": offsets must end at ",
             graph.num_edges(), " (the number of edges), got ", graph.offsets.back());
  const NodeId bad = first_bad_row(graph);
  KITH_CHECK(bad == kAllRowsValid, InvalidArgument, who, ": the neighbours of node ", bad,
             " must be ascending ids in [0, ", graph.num_nodes(), ")");
}

CsrGraph::CsrGraph(std::vector<EdgeOffset> offsets, std::vector<NodeId> neighbors, const char* who)
    : offsets_(std::move(offsets)), neighbors_(std::move(neighbors)) {
  check_csr(view(), who);
  use_huge_pages(std::span(std::as_const(offsets_)));
  use_huge_pages(std::span(std::as_const(neighbors_)));
}

}  // namespace kith
