// Sampled edges of one batch after another, [15, 10, 5] from 1024 roots of a skewed community graph: edges a
// second by threads and knobs, time per edge over the size of the graph, a biased draw against a uniform one.
// Times per edge are medians over the batches.
#include <benchmark/benchmark.h>
#include <oneapi/tbb/global_control.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>
#include <vector>

#include "bench/sampler/community_graph.h"
#include "graph/errors.h"
#include "sampler/locality_meter.h"
#include "sampler/neighbor_sampler.h"
#include "sampler/plan.h"

namespace kith {
namespace {

constexpr NodeId kNumNodes = 200'000;
constexpr EdgeOffset kNumEdges = 5'000'000;
constexpr EdgeOffset kMillion = 1'000'000;
constexpr NodeId kMeanDegree = 50;  ///< of the curve over graph sizes
constexpr std::uint64_t kSeed = 1;

using bench::CommunityGraph;

/// The graph of the latest call is kept, no other: large ones come one after another.
const CommunityGraph& world(NodeId num_nodes = kNumNodes, EdgeOffset num_edges = kNumEdges) {
  static std::pair<NodeId, EdgeOffset> size = {0, 0};
  static std::vector<CommunityGraph> kept;
  if (size != std::pair(num_nodes, num_edges)) {
    kept.clear();
    kept.push_back(bench::make_community_graph(num_nodes, num_edges, kSeed));
    size = {num_nodes, num_edges};
  }
  return kept.front();
}

/// Throws unless every kept edge is an edge of the graph, none comes twice, and every count is the fanout's.
void verify(const CommunityGraph& world, SamplerOptions options, std::span<const NodeId> roots) {
  options.keep_edges = true;
  const CsrView graph = world.graph.view();
  const MiniBatch batch = NeighborSampler(graph, world.communities, options).sample(roots, 0, 0);
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

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// What a run has sampled.
struct Tally {
  std::int64_t batches = 0, edges = 0, bytes = 0, inputs = 0;
  std::vector<double> ns_per_edge;  ///< [batches]

  /// Samples the next batch of `plan`, and counts it.
  void sample(const NeighborSampler& sampler, const Plan& plan) {
    const auto index = static_cast<std::size_t>(batches++) % (plan.size() - 1);
    const auto start = std::chrono::steady_clock::now();
    const MiniBatch batch = sampler.sample(plan[index], 0, static_cast<std::int64_t>(index));
    const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
    ns_per_edge.push_back(time.count() / static_cast<double>(batch.sources.size()));
    edges += static_cast<std::int64_t>(batch.sources.size());
    inputs += static_cast<std::int64_t>(batch.input_nodes.size());
    bytes +=
        4 * static_cast<std::int64_t>(batch.input_nodes.size() + batch.offsets.size() + batch.sources.size());
  }

  void report(benchmark::State& state) const {
    state.counters["edges"] = benchmark::Counter(static_cast<double>(edges), benchmark::Counter::kIsRate);
    state.counters["ns_per_edge"] = median(ns_per_edge);
    state.counters["edges_per_batch"] = static_cast<double>(edges / batches);
    state.counters["input_nodes_per_batch"] = static_cast<double>(inputs / batches);
    state.counters["seed"] = static_cast<double>(kSeed);
    state.SetBytesProcessed(bytes);
  }
};

/// Arguments: threads, 100 * p_intra, communities in a super-community (0 = random roots).
void BM_NeighborSampler(benchmark::State& state) {
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                                  static_cast<std::size_t>(state.range(0)));
  const auto group = static_cast<std::int32_t>(state.range(2));
  const Plan plan = make_plan(world().nodes, world().communities, {.mix = 1, .group = group, .seed = kSeed});
  const SamplerOptions options{.p_intra = static_cast<double>(state.range(1)) / 100, .seed = kSeed};
  verify(world(), options, plan[0]);
  const NeighborSampler sampler(world().graph.view(), world().communities, options);
  Tally tally;
  for (auto _ : state) tally.sample(sampler, plan);
  tally.report(state);
}
BENCHMARK(BM_NeighborSampler)
    ->ArgNames({"threads", "p_percent", "group"})
    ->ArgsProduct({{1, 2}, {50, 90}, {0, 4}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

/// One thread, random roots, uniform. Arguments: millions of edges, 50 to a node.
void BM_GraphSize(benchmark::State& state) {
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, 1);
  const EdgeOffset num_edges = state.range(0) * kMillion;
  const CommunityGraph& graph = world(static_cast<NodeId>(num_edges / kMeanDegree), num_edges);
  const Plan plan = make_plan(graph.nodes, graph.communities, {.mix = 1, .seed = kSeed});
  const SamplerOptions options{.p_intra = 0.5, .seed = kSeed};
  verify(graph, options, plan[0]);
  const NeighborSampler sampler(graph.graph.view(), graph.communities, options);
  Tally tally;
  for (auto _ : state) tally.sample(sampler, plan);
  tally.report(state);
}
BENCHMARK(BM_GraphSize)
    ->ArgName("million_edges")
    ->Arg(1)
    ->Arg(5)
    ->Arg(10)
    ->Arg(25)
    ->Arg(50)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

/// A biased draw against a uniform one, one thread, random roots: every iteration samples one batch with each,
/// in turns. Argument: 1000 * p_intra. 501 draws nearly as 500 does and takes the biased path, so that only the
/// cost of the path differs; a larger bias also reaches fewer nodes. `ratio` is the median over the pairs.
void BM_BiasedAgainstUniform(benchmark::State& state) {
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, 1);
  const CommunityGraph& graph = world();
  const Plan plan = make_plan(graph.nodes, graph.communities, {.mix = 1, .seed = kSeed});
  const SamplerOptions uniform_options{.p_intra = 0.5, .seed = kSeed};
  SamplerOptions biased_options = uniform_options;
  biased_options.p_intra = static_cast<double>(state.range(0)) / 1000;
  verify(graph, biased_options, plan[0]);
  const NeighborSampler uniform(graph.graph.view(), graph.communities, uniform_options);
  const NeighborSampler biased(graph.graph.view(), graph.communities, biased_options);
  Tally uniform_tally, biased_tally;
  for (auto _ : state) {
    uniform_tally.sample(uniform, plan);
    biased_tally.sample(biased, plan);
  }
  std::vector<double> ratios;
  for (std::size_t i = 0; i < biased_tally.ns_per_edge.size(); ++i) {
    ratios.push_back(biased_tally.ns_per_edge[i] / uniform_tally.ns_per_edge[i]);
  }
  biased_tally.report(state);
  state.counters["uniform_ns_per_edge"] = median(uniform_tally.ns_per_edge);
  state.counters["ratio"] = median(ratios);
}
/// The accounts of random batches, rows of 100 floats; beside the time that it takes to draw such a batch.
void BM_LocalityMeter(benchmark::State& state) {
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, 1);
  const CommunityGraph& graph = world();
  const Plan plan = make_plan(graph.nodes, graph.communities, {.mix = 1, .seed = kSeed});
  const NeighborSampler sampler(graph.graph.view(), graph.communities, {.p_intra = 0.5, .seed = kSeed});
  std::vector<MiniBatch> batches;
  for (std::size_t i = 0; i < 8; ++i)
    batches.push_back(sampler.sample(plan[i], 0, static_cast<std::int64_t>(i)));
  LocalityMeter meter(graph.graph.num_nodes(), 400);
  std::size_t next = 0;
  std::int64_t num_nodes = 0;
  for (auto _ : state) {
    const MiniBatch& batch = batches[next++ % batches.size()];
    BatchStats stats;
    meter.add(std::span<const NodeId>(batch.input_nodes), stats);
    KITH_CHECK(stats.pages > 0, InvalidArgument, "bench: a batch touched no page");
    num_nodes += static_cast<std::int64_t>(batch.input_nodes.size());
  }
  state.SetItemsProcessed(num_nodes);
}
BENCHMARK(BM_LocalityMeter)->Unit(benchmark::kMillisecond);

BENCHMARK(BM_BiasedAgainstUniform)
    ->ArgName("p_permille")
    ->Arg(501)
    ->Arg(700)
    ->Arg(900)
    ->Arg(990)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace kith

BENCHMARK_MAIN();
