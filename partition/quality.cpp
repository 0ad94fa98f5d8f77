#include <tbb/parallel_for.h>

#include <algorithm>
#include <atomic>

#include "graph/errors.h"
#include "partition/hierarchy.h"

namespace kith {
namespace {

/// Edge counts of one community; self-loops are left out.
struct EdgeCounts {
  std::int64_t inside = 0;                ///< both ends in the community
  std::int64_t entering = 0;              ///< only the target
  std::atomic<std::int64_t> leaving = 0;  ///< only the source
};

/// Adds the edges into the rows of community c that the block holds.
void count_rows(const RowBlock& block, std::int32_t c, const Communities& communities,
                std::vector<EdgeCounts>& counts) {
  EdgeCounts& own = counts[c];
  const NodeId end = std::min(communities.end(c), block.end);
  for (NodeId v = std::max(communities.begin(c), block.begin); v < end; ++v) {
    for (const NodeId u : block.row(v)) {
      if (u == v) continue;
      const std::int32_t other = communities.community_of(u);
      if (other == c) {
        ++own.inside;
      } else {
        ++own.entering;
        counts[other].leaving.fetch_add(1, std::memory_order_relaxed);
      }
    }
  }
}

std::vector<EdgeCounts> count_edges(const RowBlocks& graph, const Communities& communities) {
  std::vector<EdgeCounts> counts(static_cast<std::size_t>(communities.num_communities()));
  graph.for_each([&](const RowBlock& block) {
    const std::int32_t first = communities.community_of(block.begin);
    const std::int32_t last = communities.community_of(block.end - 1);
    tbb::parallel_for(first, last + 1, [&](std::int32_t c) { count_rows(block, c, communities, counts); });
  });
  return counts;
}

}  // namespace

LevelQuality measure_quality(const RowBlocks& graph, const Communities& communities) {
  KITH_CHECK(graph.num_nodes() == communities.num_nodes(), InvalidArgument,
             "measure_quality: the communities cover ", communities.num_nodes(), " nodes, the graph has ",
             graph.num_nodes());
  LevelQuality quality;
  quality.num_communities = communities.num_communities();
  if (quality.num_communities == 0) return quality;

  std::vector<NodeId> sizes(static_cast<std::size_t>(quality.num_communities));
  for (std::int32_t c = 0; c < quality.num_communities; ++c)
    sizes[c] = communities.end(c) - communities.begin(c);
  std::ranges::sort(sizes);
  quality.smallest = sizes.front();
  quality.median = sizes[sizes.size() / 2];
  quality.largest = sizes.back();

  const std::vector<EdgeCounts> counts = count_edges(graph, communities);
  std::int64_t inside = 0, total = 0;
  for (const EdgeCounts& c : counts) {
    inside += c.inside;
    total += c.inside + c.entering;
  }
  if (total == 0) return quality;
  quality.intra_edge_fraction = static_cast<double>(inside) / static_cast<double>(total);
  double expected = 0;
  for (const EdgeCounts& c : counts) {
    const auto ends = static_cast<double>(2 * c.inside + c.entering + c.leaving);
    const double share = ends / (2.0 * static_cast<double>(total));
    expected += share * share;
  }
  quality.modularity = quality.intra_edge_fraction - expected;
  return quality;
}

}  // namespace kith
