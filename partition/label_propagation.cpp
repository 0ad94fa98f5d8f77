#include <tbb/blocked_range.h>
#include <tbb/enumerable_thread_specific.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <numeric>

#include "graph/errors.h"
#include "partition/label_counter.h"
#include "partition/partition.h"
#include "partition/quotient.h"

namespace kith {
namespace {

constexpr std::uint32_t kNumClasses = 8;  ///< nodes of one class move at the same time
constexpr int kMaxRounds = 12;
constexpr int kMergeRounds = 4;

/// SplitMix64: spreads classes and ties evenly, whatever the node numbers.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

struct State {
  std::vector<std::int32_t> label;  ///< [num_nodes]
  std::vector<std::int32_t> size;   ///< [num_nodes] nodes with this label
  std::int32_t max_size;
  std::uint64_t seed;
};

/// The label that most neighbours of v have and that has room; v's own label wins ties, then the lower hash.
std::int32_t best_label(const RowBlock& graph, const State& state, NodeId v, std::uint64_t salt,
                        LabelCounter& counter) {
  counter.reset(graph.row(v).size());
  for (const NodeId u : graph.row(v)) {
    if (u != v) counter.add(state.label[u], 1);
  }
  const std::int32_t own = state.label[v];
  std::int32_t best = own;
  std::int64_t best_weight = 0;
  for (const auto& [label, weight] : counter.entries()) {
    if (label == own) best_weight = weight;
  }
  for (const auto& [label, weight] : counter.entries()) {
    if (label == own || state.size[label] >= state.max_size || weight < best_weight) continue;
    const bool is_tie = weight == best_weight;
    if (is_tie && (best == own || mix(salt ^ static_cast<std::uint64_t>(label)) >=
                                      mix(salt ^ static_cast<std::uint64_t>(best)))) {
      continue;
    }
    best = label;
    best_weight = weight;
  }
  return best;
}

/// One class of nodes chooses from one snapshot, in parallel; then the moves are admitted in node order while
/// there is room. Neither step depends on the number of threads. Returns the number of moves.
std::int64_t move_class(const RowBlocks& graph, std::span<const NodeId> nodes, std::uint64_t salt, State& state,
                        std::vector<std::int32_t>& choice,
                        tbb::enumerable_thread_specific<LabelCounter>& counters) {
  std::size_t begin = 0;
  graph.for_each([&](const RowBlock& block) {
    const auto end =
        static_cast<std::size_t>(std::lower_bound(nodes.begin(), nodes.end(), block.end) - nodes.begin());
    tbb::parallel_for(tbb::blocked_range<std::size_t>(begin, end, 256), [&](const auto& range) {
      LabelCounter& counter = counters.local();
      for (std::size_t i = range.begin(); i < range.end(); ++i) {
        choice[i] = best_label(block, state, nodes[i], salt, counter);
      }
    });
    begin = end;
  });
  std::int64_t num_moves = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    std::int32_t& label = state.label[nodes[i]];
    const std::int32_t room = state.max_size - state.size[choice[i]];
    // Two nodes that choose each other's label would swap for ever: the second finds its label empty and stays.
    if (choice[i] == label || room <= 0 || state.size[choice[i]] == 0) continue;
    --state.size[label];
    ++state.size[choice[i]];
    label = choice[i];
    ++num_moves;
  }
  return num_moves;
}

void propagate(const RowBlocks& graph, State& state) {
  const std::size_t num_nodes = state.label.size();
  std::vector<std::int32_t> class_of(num_nodes);
  for (std::size_t v = 0; v < num_nodes; ++v) {
    class_of[v] = static_cast<std::int32_t>(mix(state.seed ^ mix(v)) % kNumClasses);
  }
  const Members classes = group_by_community(class_of, kNumClasses);
  std::vector<std::int32_t> choice(num_nodes);
  tbb::enumerable_thread_specific<LabelCounter> counters;
  for (int round = 0; round < kMaxRounds; ++round) {
    const std::uint64_t salt = mix(state.seed + static_cast<std::uint64_t>(round));
    std::int64_t num_moves = 0;
    for (std::uint32_t c = 0; c < kNumClasses; ++c) {
      num_moves += move_class(graph, classes.of(static_cast<std::int32_t>(c)), salt, state, choice, counters);
    }
    if (num_moves * 200 < static_cast<std::int64_t>(num_nodes)) break;
  }
}

/// Merges each community below `min_size` into the neighbour it has most edges to that has room.
/// Returns the new number of each community, not compact.
std::vector<std::int32_t> merge_small(const Quotient& quotient, std::int32_t min_size, std::int32_t max_size) {
  const std::int32_t num_communities = quotient.num_communities();
  std::vector<std::int32_t> group(static_cast<std::size_t>(num_communities));
  std::iota(group.begin(), group.end(), 0);
  const auto find = [&](std::int32_t c) {
    while (group[c] != c) c = group[c] = group[group[c]];
    return c;
  };
  std::vector<std::int32_t> size = quotient.node_weights;
  std::vector<std::int32_t> by_size = group;
  std::ranges::stable_sort(by_size, {}, [&](std::int32_t c) { return quotient.node_weights[c]; });
  LabelCounter counter;
  for (const std::int32_t c : by_size) {
    const std::int32_t own = find(c);
    if (size[own] >= min_size) continue;
    const EdgeOffset begin = quotient.offsets[c], end = quotient.offsets[c + 1];
    counter.reset(static_cast<std::size_t>(end - begin));
    for (EdgeOffset e = begin; e < end; ++e) counter.add(find(quotient.neighbors[e]), quotient.edge_weights[e]);
    std::int32_t best = own;
    std::int64_t best_weight = 0;
    for (const auto& [other, weight] : counter.entries()) {
      if (other == own || size[own] + size[other] > max_size) continue;
      if (weight > best_weight || (weight == best_weight && other < best)) {
        best = other;
        best_weight = weight;
      }
    }
    if (best == own) continue;
    group[own] = best;
    size[best] += size[own];
  }
  for (std::int32_t c = 0; c < num_communities; ++c) group[c] = find(c);
  return group;
}

/// Puts what is still small (small components, mostly) together, in order, up to half the largest size.
std::vector<std::int32_t> pack_small(std::span<const std::int32_t> sizes, std::int32_t min_size,
                                     std::int32_t max_size) {
  std::vector<std::int32_t> group(sizes.size());
  std::iota(group.begin(), group.end(), 0);
  std::int32_t open = -1, filled = 0;
  for (std::size_t c = 0; c < sizes.size(); ++c) {
    if (sizes[c] >= min_size) continue;
    if (open < 0 || filled + sizes[c] > std::max(min_size, max_size / 2)) {
      open = static_cast<std::int32_t>(c);
      filled = 0;
    }
    group[c] = open;
    filled += sizes[c];
  }
  return group;
}

void relabel(std::span<const std::int32_t> group, std::span<std::int32_t> label) {
  for (std::int32_t& l : label) l = group[l];
}

}  // namespace

std::vector<std::int32_t> label_propagation(const RowBlocks& graph, std::int32_t max_community_size,
                                            std::uint64_t seed) {
  KITH_CHECK(max_community_size >= 1, InvalidArgument,
             "label_propagation: max_community_size must be >= 1, got ", max_community_size);
  const auto num_nodes = static_cast<std::size_t>(graph.num_nodes());
  State state{std::vector<std::int32_t>(num_nodes), std::vector<std::int32_t>(num_nodes, 1), max_community_size,
              seed};
  std::iota(state.label.begin(), state.label.end(), 0);
  propagate(graph, state);

  const std::int32_t min_size = std::max(1, max_community_size / 8);
  std::int32_t num_communities = compact_numbers(state.label);
  for (int round = 0; round < kMergeRounds; ++round) {
    const Quotient quotient = contract(graph, state.label, num_communities);
    relabel(merge_small(quotient, min_size, max_community_size), state.label);
    const std::int32_t before = num_communities;
    num_communities = compact_numbers(state.label);
    if (num_communities == before) break;
  }
  std::vector<std::int32_t> sizes(static_cast<std::size_t>(num_communities), 0);
  for (const std::int32_t c : state.label) ++sizes[c];
  relabel(pack_small(sizes, min_size, max_community_size), state.label);
  compact_numbers(state.label);
  return std::move(state.label);
}

}  // namespace kith
