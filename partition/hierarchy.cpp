#include "partition/hierarchy.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "graph/errors.h"
#include "graph/memory_limit.h"
#include "partition/community_order.h"
#include "partition/partition_cache.h"
#include "partition/quotient.h"
#include "partition/simple_graph.h"

namespace kith {
namespace {

constexpr double kCoarsening = 16;        ///< communities of one level that make one of the next
constexpr double kCoarseImbalance = 0.3;  ///< a few large groups that differ more are of little use as a level

void check_options(NodeId num_nodes, const PartitionOptions& options) {
  KITH_CHECK(options.num_communities >= 0 && options.num_communities <= std::max(num_nodes, 1), InvalidArgument,
             "find_hierarchy: num_communities must lie in [0, ", num_nodes, "] (the nodes), got ",
             options.num_communities);
  KITH_CHECK(options.community_size > 0, InvalidArgument, "find_hierarchy: community_size must be > 0, got ",
             options.community_size);
  KITH_CHECK(options.num_levels >= 1, InvalidArgument, "find_hierarchy: num_levels must be >= 1, got ",
             options.num_levels);
  KITH_CHECK(options.imbalance >= 0.001 && options.imbalance <= 1e6, InvalidArgument,
             "find_hierarchy: imbalance must lie in [0.001, 1000000], got ", options.imbalance);
}

template <typename... Parts>
void report(const PartitionOptions& options, Parts&&... parts) {
  if (options.progress) options.progress(concat(std::forward<Parts>(parts)...));
}

std::int32_t finest_count(NodeId num_nodes, const PartitionOptions& options) {
  if (options.num_communities > 0) return options.num_communities;
  return std::max(
      1, static_cast<std::int32_t>(std::lround(static_cast<double>(num_nodes) / options.community_size)));
}

/// Moves isolated members into groups of their own, of at most `capacity` (one member at least), and closes
/// gaps.
void set_isolated_apart(std::span<const char> is_isolated, std::span<const std::int32_t> weights,
                        std::int64_t capacity, std::vector<std::int32_t>& group) {
  std::int32_t number = group.empty() ? -1 : std::ranges::max(group);
  std::int64_t filled = std::numeric_limits<std::int32_t>::max();
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (!is_isolated[i]) continue;
    const std::int64_t weight = weights.empty() ? 1 : weights[i];
    if (filled + weight > capacity) {
      ++number;
      filled = 0;
    }
    filled += weight;
    group[i] = number;
  }
  compact_numbers(group);
}

std::vector<char> isolated_nodes(const RowBlocks& graph) {
  std::vector<char> is_isolated(static_cast<std::size_t>(graph.num_nodes()));
  for (NodeId v = 0; v < graph.num_nodes(); ++v) is_isolated[v] = graph.degree(v) == 0;
  return is_isolated;
}

std::vector<std::int32_t> run_metis(const RowBlocks& graph, std::int32_t count,
                                    std::optional<std::int64_t> available_bytes,
                                    const PartitionOptions& options) {
  const std::int64_t needed = estimate_metis_bytes(graph.num_nodes(), graph.num_edges(), count);
  report(options, "partition: METIS, ", count, " parts of ", graph.num_nodes(), " nodes, ", graph.num_edges(),
         " adjacency entries; it needs about ", (needed + (1 << 20) - 1) >> 20, " MiB besides the graph");
  const MetisOptions metis{.num_parts = count, .imbalance = options.imbalance, .seed = options.seed};
  const std::int64_t to_load =
      graph.scratch() == nullptr ? 0 : graph.num_edges() * static_cast<std::int64_t>(sizeof(NodeId));
  if (options.checks_memory) {
    require_memory(needed + to_load, "partition: METIS",
                   "--method lpa (label propagation) needs far less, --no-memory-check tries anyway",
                   available_bytes);
  }
  if (graph.scratch() != nullptr) {
    const std::vector<NodeId> neighbors = graph.load();
    return metis_partition({graph.offsets(), neighbors}, {}, {}, metis);
  }
  std::vector<std::int32_t> community_of;
  graph.for_each([&](const RowBlock& all) {
    community_of = metis_partition({all.offsets, all.neighbors}, {}, {}, metis);
  });
  return community_of;
}

std::vector<std::int32_t> run_finder(const RowBlocks& graph, std::int32_t count,
                                     std::optional<std::int64_t> available_bytes,
                                     const PartitionOptions& options) {
  const std::int64_t size = (graph.num_nodes() + std::int64_t{count} - 1) / count;
  if (options.method == PartitionMethod::lpa) {
    const double largest =
        std::min((1.0 + options.imbalance) * static_cast<double>(size), static_cast<double>(graph.num_nodes()));
    report(options, "partition: label propagation on ", graph.num_nodes(), " nodes, ", graph.num_edges(),
           " adjacency entries, at most ", static_cast<std::int64_t>(largest), " nodes a community");
    return label_propagation(graph, static_cast<std::int32_t>(largest), options.seed);
  }
  return run_metis(graph, count, available_bytes, options);
}

/// Finest communities of a simple graph: [num_nodes], isolated nodes in communities of their own.
std::vector<std::int32_t> find_finest(const RowBlocks& graph, std::optional<std::int64_t> available_bytes,
                                      const PartitionOptions& options) {
  const std::int32_t count = finest_count(graph.num_nodes(), options);
  const std::int64_t size = (graph.num_nodes() + std::int64_t{count} - 1) / count;
  std::vector<std::int32_t> community_of = run_finder(graph, count, available_bytes, options);
  set_isolated_apart(isolated_nodes(graph), {}, size, community_of);
  return community_of;
}

/// Brings 64-bit weights into METIS's range; none becomes 0.
std::vector<std::int32_t> scale_weights(std::span<const std::int64_t> weights) {
  const std::int64_t room =
      std::numeric_limits<std::int32_t>::max() - static_cast<std::int64_t>(weights.size());
  std::int64_t sum = std::accumulate(weights.begin(), weights.end(), std::int64_t{0});
  int shift = 0;
  for (; sum > room && shift < 62; sum >>= 1) ++shift;
  std::vector<std::int32_t> scaled(weights.size());
  std::ranges::transform(weights, scaled.begin(), [&](std::int64_t weight) {
    return static_cast<std::int32_t>(std::max<std::int64_t>(1, weight >> shift));
  });
  return scaled;
}

/// Sets level.parent and returns the next coarser level, or nothing to add if that would be one community.
bool coarsen(Level& level, Level& coarser, const PartitionOptions& options) {
  const std::int32_t count = level.quotient.num_communities();
  const auto target = static_cast<std::int32_t>(std::lround(count / kCoarsening));
  if (target < 2) return false;
  report(options, "partition: grouping ", count, " communities into ", target);
  const std::vector<std::int32_t> edge_weights = scale_weights(level.quotient.edge_weights);
  std::vector<std::int32_t> parent = metis_partition(
      level.quotient.view(), edge_weights, level.quotient.node_weights,
      {.num_parts = target, .imbalance = std::min(options.imbalance, kCoarseImbalance), .seed = options.seed});
  const std::int64_t num_nodes =
      std::accumulate(level.quotient.node_weights.begin(), level.quotient.node_weights.end(), std::int64_t{0});
  set_isolated_apart(level.is_isolated, level.quotient.node_weights, (num_nodes + target - 1) / target, parent);
  const std::int32_t num_parents = std::ranges::max(parent) + 1;
  if (num_parents < 2 || num_parents >= count) return false;
  coarser.quotient = contract(level.quotient.view(), level.quotient.edge_weights, level.quotient.node_weights,
                              parent, num_parents);
  coarser.is_isolated.assign(static_cast<std::size_t>(num_parents), 0);
  for (std::int32_t c = 0; c < count; ++c) coarser.is_isolated[parent[c]] |= level.is_isolated[c];
  level.parent = std::move(parent);
  return true;
}

std::vector<Level> build_levels(const RowBlocks& graph, std::span<const std::int32_t> community_of,
                                std::int32_t count, const PartitionOptions& options) {
  std::vector<Level> levels(1);
  levels[0].quotient = contract(graph, community_of, count);
  levels[0].is_isolated.assign(static_cast<std::size_t>(count), 1);
  for (NodeId v = 0; v < graph.num_nodes(); ++v) {
    if (graph.degree(v) > 0) levels[0].is_isolated[community_of[v]] = 0;
  }
  while (static_cast<std::int32_t>(levels.size()) < options.num_levels) {
    Level coarser;
    if (!coarsen(levels.back(), coarser, options)) break;
    levels.push_back(std::move(coarser));
  }
  return levels;
}

/// Bounds of the communities of every level in new numbers. ranks: see order_communities.
std::vector<Communities> number_levels(std::span<const Level> levels,
                                       std::span<const std::vector<std::int32_t>> ranks, NodeId num_nodes) {
  std::vector<Communities> numbered;
  for (std::size_t l = 0; l < levels.size(); ++l) {
    std::vector<EdgeOffset> offsets(ranks[l].size() + 1, 0);
    for (std::size_t c = 0; c < ranks[l].size(); ++c)
      offsets[ranks[l][c] + 1] = levels[l].quotient.node_weights[c];
    std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
    numbered.emplace_back(std::move(offsets), num_nodes, "hierarchy");
  }
  return numbered;
}

/// Nodes by community, inside a community by falling in-degree, then by number.
std::vector<NodeId> order_nodes(std::span<const EdgeOffset> offsets, std::span<const std::int32_t> community_of,
                                std::span<const std::int32_t> rank) {
  const auto degree = [&](NodeId v) { return offsets[v + 1] - offsets[v]; };
  std::vector<std::int32_t> ranked(community_of.size());
  std::ranges::transform(community_of, ranked.begin(), [&](std::int32_t c) { return rank[c]; });
  const auto count = static_cast<std::int32_t>(rank.size());
  Members members = group_by_community(ranked, count);
  tbb::parallel_for(0, count, [&](std::int32_t c) {
    const auto nodes =
        std::span(members.nodes).subspan(static_cast<std::size_t>(members.offsets[c]), members.of(c).size());
    std::ranges::sort(nodes, [&](NodeId a, NodeId b) {
      const EdgeOffset degree_a = degree(a), degree_b = degree(b);
      return degree_a != degree_b ? degree_a > degree_b : a < b;
    });
  });
  return std::move(members.nodes);
}

/// community_of: finest, numbers compact.
Hierarchy build_hierarchy(const FoundGraph& graph, std::span<const std::int32_t> community_of,
                          const PartitionOptions& options) {
  if (community_of.empty()) return {{}, {Communities(0)}};
  const std::vector<Level> levels =
      build_levels(graph.simple, community_of, std::ranges::max(community_of) + 1, options);
  const auto ranks = order_communities(levels);
  return {order_nodes(graph.offsets, community_of, ranks[0]),
          number_levels(levels, ranks, graph.simple.num_nodes())};
}

}  // namespace

Hierarchy find_hierarchy(CsrView graph, const PartitionOptions& options) {
  check_options(graph.num_nodes(), options);
  const SimpleGraph simple(graph);
  return find_hierarchy({graph.offsets, simple.view()}, available_memory(), options);
}

Hierarchy find_hierarchy(const FoundGraph& graph, std::optional<std::int64_t> available_bytes,
                         const PartitionOptions& options) {
  const RowBlocks& simple = graph.simple;
  check_options(simple.num_nodes(), options);
  if (simple.num_nodes() == 0) return {{}, {Communities(0)}};
  if (options.cache_dir.empty()) {
    return build_hierarchy(graph, find_finest(simple, available_bytes, options), options);
  }
  const std::string key = partition_key(simple, options);
  std::optional<std::vector<std::int32_t>> community_of =
      load_partition(options.cache_dir, key, simple.num_nodes());
  if (community_of) {
    report(options, "partition: found in the cache, ", key);
    compact_numbers(*community_of);
  } else {
    community_of = find_finest(simple, available_bytes, options);
    try {
      store_partition(options.cache_dir, key, *community_of);
    } catch (const IoError& error) {
      // A cache that cannot be written must not cost the partition that was just found.
      report(options, "partition: not cached: ", error.what());
    }
  }
  return build_hierarchy(graph, *community_of, options);
}

Hierarchy hierarchy_from(CsrView graph, std::span<const std::int32_t> community_of,
                         const PartitionOptions& options) {
  check_options(graph.num_nodes(), options);
  const SimpleGraph simple(graph);
  return hierarchy_from({graph.offsets, simple.view()}, community_of, options);
}

Hierarchy hierarchy_from(const FoundGraph& graph, std::span<const std::int32_t> community_of,
                         const PartitionOptions& options) {
  check_options(graph.simple.num_nodes(), options);
  KITH_CHECK(community_of.size() == static_cast<std::size_t>(graph.simple.num_nodes()), InvalidArgument,
             "hierarchy_from: community_of must hold ", graph.simple.num_nodes(), " values, got ",
             community_of.size());
  const auto negative = std::ranges::find_if(community_of, [](std::int32_t c) { return c < 0; });
  KITH_CHECK(negative == community_of.end(), InvalidArgument, "hierarchy_from: communities must be >= 0, got ",
             *negative, " for node ", negative - community_of.begin());
  std::vector<std::int32_t> compact(community_of.begin(), community_of.end());
  compact_numbers(compact);
  return build_hierarchy(graph, compact, options);
}

}  // namespace kith
