// Sampled edges a second of one batch after another: [15, 10, 5] from 1024 roots of a skewed community graph.
#include <benchmark/benchmark.h>
#include <oneapi/tbb/global_control.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "graph/communities.h"
#include "graph/csr_graph.h"
#include "graph/errors.h"
#include "sampler/neighbor_sampler.h"
#include "sampler/plan.h"

namespace kith {
namespace {

constexpr NodeId kNumNodes = 200'000;
constexpr EdgeOffset kNumEdges = 5'000'000;
constexpr NodeId kCommunitySize = 250;
constexpr std::uint64_t kSeed = 1;

struct World {
  CsrGraph graph;
  Communities communities;
  std::vector<NodeId> roots;
};

/// In-degrees fall as a power of the rank inside the community (hot nodes first); 80 % of the edges stay
/// inside.
World make_world() {
  std::mt19937_64 bits(kSeed);
  std::vector<double> weights(kNumNodes);
  double total = 0;
  for (NodeId v = 0; v < kNumNodes; ++v) {
    weights[v] = std::pow(v % kCommunitySize + 1 + static_cast<double>(bits() % 50), -0.8);
    total += weights[v];
  }
  std::vector<EdgeOffset> offsets = {0};
  std::vector<NodeId> neighbors;
  for (NodeId v = 0; v < kNumNodes; ++v) {
    const auto degree = static_cast<EdgeOffset>(std::lround(weights[v] / total * kNumEdges));
    const NodeId home = v / kCommunitySize * kCommunitySize;
    for (EdgeOffset i = 0; i < degree; ++i) {
      neighbors.push_back(bits() % 100 < 80 ? home + static_cast<NodeId>(bits() % kCommunitySize)
                                            : static_cast<NodeId>(bits() % kNumNodes));
    }
    std::sort(neighbors.begin() + offsets.back(), neighbors.end());
    offsets.push_back(static_cast<EdgeOffset>(neighbors.size()));
  }
  std::vector<EdgeOffset> bounds;
  for (NodeId v = 0; v <= kNumNodes; v += kCommunitySize) bounds.push_back(v);
  std::vector<NodeId> roots(kNumNodes);
  std::iota(roots.begin(), roots.end(), 0);
  return {CsrGraph(std::move(offsets), std::move(neighbors), "bench"),
          Communities(std::move(bounds), kNumNodes, "bench"), std::move(roots)};
}

const World& world() {
  static const World instance = make_world();
  return instance;
}

/// Throws unless every kept edge is an edge of the graph, none comes twice, and every count is the fanout's.
void verify(const MiniBatch& batch, const SamplerOptions& options) {
  const CsrView graph = world().graph.view();
  for (std::size_t hop = 0; hop < options.fanouts.size(); ++hop) {
    for (std::int32_t i = hop == 0 ? 0 : batch.hop_bounds[hop - 1]; i < batch.hop_bounds[hop]; ++i) {
      const NodeId node = batch.input_nodes[i];
      std::vector<EdgeOffset> edges(batch.edges.begin() + batch.offsets[i],
                                    batch.edges.begin() + batch.offsets[i + 1]);
      std::sort(edges.begin(), edges.end());
      KITH_CHECK(std::adjacent_find(edges.begin(), edges.end()) == edges.end(), InvalidArgument,
                 "bench: repeated edge");
      KITH_CHECK(static_cast<NodeId>(edges.size()) == std::min(graph.degree(node), options.fanouts[hop]),
                 InvalidArgument, "bench: wrong number of neighbours");
      for (std::int32_t e = batch.offsets[i]; e < batch.offsets[i + 1]; ++e) {
        KITH_CHECK(batch.edges[e] >= graph.offsets[node] && batch.edges[e] < graph.offsets[node + 1] &&
                       graph.neighbors[batch.edges[e]] == batch.input_nodes[batch.sources[e]],
                   InvalidArgument, "bench: an edge that is not in the graph");
      }
    }
  }
}

std::int64_t bytes_of(const MiniBatch& batch) {
  return static_cast<std::int64_t>(4 *
                                   (batch.input_nodes.size() + batch.offsets.size() + batch.sources.size()));
}

/// Arguments: threads, 100 * p_intra, communities in a super-community (0 = random roots).
void BM_NeighborSampler(benchmark::State& state) {
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                                  static_cast<std::size_t>(state.range(0)));
  const auto group = static_cast<std::int32_t>(state.range(2));
  const Plan plan = make_plan(world().roots, world().communities, {.mix = 1, .group = group, .seed = kSeed});
  SamplerOptions options{
      .p_intra = static_cast<double>(state.range(1)) / 100, .keep_edges = true, .seed = kSeed};
  verify(NeighborSampler(world().graph.view(), world().communities, options).sample(plan[0], 0, 0), options);

  options.keep_edges = false;
  const NeighborSampler sampler(world().graph.view(), world().communities, options);
  std::int64_t batches = 0, edges = 0, bytes = 0, inputs = 0;
  for (auto _ : state) {
    const auto index = static_cast<std::size_t>(batches++) % (plan.size() - 1);
    const MiniBatch batch = sampler.sample(plan[index], 0, static_cast<std::int64_t>(index));
    edges += static_cast<std::int64_t>(batch.sources.size());
    inputs += static_cast<std::int64_t>(batch.input_nodes.size());
    bytes += bytes_of(batch);
  }
  state.counters["edges"] = benchmark::Counter(static_cast<double>(edges), benchmark::Counter::kIsRate);
  state.counters["edges_per_batch"] = static_cast<double>(edges / batches);
  state.counters["input_nodes_per_batch"] = static_cast<double>(inputs / batches);
  state.counters["seed"] = static_cast<double>(kSeed);
  state.SetBytesProcessed(bytes);
}
BENCHMARK(BM_NeighborSampler)
    ->ArgNames({"threads", "p_percent", "group"})
    ->ArgsProduct({{1, 2}, {50, 90}, {0, 4}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void BM_Plan(benchmark::State& state) {
  const auto group = static_cast<std::int32_t>(state.range(0));
  std::int32_t epoch = 0;
  for (auto _ : state) {
    const Plan plan =
        make_plan(world().roots, world().communities, {.mix = 1, .group = group, .epoch = epoch++});
    KITH_CHECK(plan.roots().size() == world().roots.size(), InvalidArgument, "bench: roots got lost");
  }
  state.SetItemsProcessed(state.iterations() * kNumNodes);
}
BENCHMARK(BM_Plan)->ArgName("group")->Arg(0)->Arg(4)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace kith

BENCHMARK_MAIN();
