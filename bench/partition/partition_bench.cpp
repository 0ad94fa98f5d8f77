// Community finders and renumbering on a block model of 100,000 nodes. Every result is verified before it is
// timed.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "graph/csr_graph.h"
#include "partition/hierarchy.h"
#include "partition/simple_graph.h"

namespace kith {
namespace {

constexpr NodeId kNumNodes = 100000;
constexpr NodeId kBlockSize = 250;
constexpr std::int32_t kDraws = 10;   ///< edges each node draws
constexpr double kIntraShare = 0.85;  ///< of them inside its block
constexpr std::uint64_t kSeed = 1;

/// Undirected and simple; blocks are scattered over the ids.
CsrGraph make_block_model() {
  std::mt19937_64 bits(kSeed);
  constexpr NodeId kNumBlocks = kNumNodes / kBlockSize;
  const auto below = [&](NodeId bound) {
    return static_cast<NodeId>(bits() % static_cast<std::uint64_t>(bound));
  };
  std::vector<EdgeOffset> offsets(kNumNodes + 1, 0);
  std::vector<NodeId> neighbors;
  for (NodeId v = 0; v < kNumNodes; ++v) {
    for (std::int32_t i = 0; i < kDraws; ++i) {
      const bool is_inside = static_cast<double>(bits() >> 11) * 0x1p-53 < kIntraShare;
      neighbors.push_back(is_inside ? v % kNumBlocks + kNumBlocks * below(kBlockSize) : below(kNumNodes));
    }
    offsets[v + 1] = offsets[v] + kDraws;
    std::sort(neighbors.begin() + offsets[v], neighbors.end());
  }
  const SimpleGraph simple({offsets, neighbors});
  const CsrView view = simple.view();
  return CsrGraph({view.offsets.begin(), view.offsets.end()}, {view.neighbors.begin(), view.neighbors.end()},
                  "make_block_model");
}

PartitionOptions options_for(PartitionMethod method) {
  PartitionOptions options;
  options.method = method;
  options.seed = kSeed;
  return options;
}

/// A benchmark with a fast wrong result must not report: false if the hierarchy is no permutation or not
/// nested.
bool is_valid(CsrView graph, const Hierarchy& hierarchy) {
  std::vector<NodeId> nodes = hierarchy.old_of_new;
  std::ranges::sort(nodes);
  if (static_cast<NodeId>(nodes.size()) != graph.num_nodes()) return false;
  for (NodeId v = 0; v < graph.num_nodes(); ++v) {
    if (nodes[v] != v) return false;
  }
  check_nested(hierarchy.levels, "partition_bench");
  return true;
}

void find(benchmark::State& state, PartitionMethod method) {
  const CsrGraph graph = make_block_model();
  const Hierarchy found = find_hierarchy(graph.view(), options_for(method));
  std::vector<EdgeOffset> no_ids;
  const CsrGraph ordered = renumber(graph.view(), found.old_of_new, no_ids);
  const LevelQuality quality = measure_quality(ordered.view(), found.levels[0]);
  if (!is_valid(graph.view(), found) || quality.intra_edge_fraction < 0.4) {
    state.SkipWithError("the communities are wrong");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(find_hierarchy(graph.view(), options_for(method)));
  state.counters["intra"] = quality.intra_edge_fraction;
  state.counters["communities"] = quality.num_communities;
  state.counters["largest"] = quality.largest;
  state.SetItemsProcessed(state.iterations() * graph.num_edges());
  state.SetLabel("edges/s; seed 1");
}

void FindHierarchyMetis(benchmark::State& state) { find(state, PartitionMethod::metis); }
BENCHMARK(FindHierarchyMetis)->Unit(benchmark::kMillisecond)->UseRealTime();

void FindHierarchyLpa(benchmark::State& state) { find(state, PartitionMethod::lpa); }
BENCHMARK(FindHierarchyLpa)->Unit(benchmark::kMillisecond)->UseRealTime();

void Renumber(benchmark::State& state) {
  const CsrGraph graph = make_block_model();
  std::vector<NodeId> old_of_new(kNumNodes), new_of_old(kNumNodes);
  for (NodeId v = 0; v < kNumNodes; ++v) old_of_new[v] = v;
  std::shuffle(old_of_new.begin(), old_of_new.end(), std::mt19937_64(kSeed));
  for (NodeId v = 0; v < kNumNodes; ++v) new_of_old[old_of_new[v]] = v;
  std::vector<EdgeOffset> no_ids;
  const CsrGraph there = renumber(graph.view(), old_of_new, no_ids);
  const CsrGraph back = renumber(there.view(), new_of_old, no_ids);
  if (!std::ranges::equal(back.view().neighbors, graph.view().neighbors)) {
    state.SkipWithError("renumbering there and back changed the graph");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(renumber(graph.view(), old_of_new, no_ids));
  state.SetItemsProcessed(state.iterations() * graph.num_edges());
}
BENCHMARK(Renumber)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace kith

BENCHMARK_MAIN();
