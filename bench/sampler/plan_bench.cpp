// Planned roots a second, for every way in which a plan mixes communities and orders batches.
#include <benchmark/benchmark.h>

#include <string>
#include <utility>
#include <vector>

#include "bench/sampler/community_graph.h"
#include "graph/errors.h"
#include "sampler/plan.h"

namespace kith {
namespace {

constexpr NodeId kNumNodes = 1'000'000;
constexpr std::uint64_t kSeed = 1;

struct NamedPlan {
  const char* name;
  PlanOptions options;
};

/// A new way of ordering is one line more.
std::vector<NamedPlan> plans() {
  using enum BatchOrder::Kind;
  return {{"as_stored", {.is_shuffled = false}},
          {"mix_1", {.mix = 1}},
          {"mix_0.5", {.mix = 0.5}},
          {"mix_0.125", {.mix = 0.125}},
          {"mix_0", {.mix = 0}},
          {"balanced_0.125", {.mix = 0.125, .mixing = Mixing::balanced}},
          {"leaky_0.125", {.mix = 0.125, .mixing = Mixing::leaky}},
          {"group_1", {.group = 1}},
          {"group_16", {.group = 16}},
          {"group_64", {.group = 64}},
          {"mix_0.125_window_8", {.mix = 0.125, .batch_order = {.kind = window, .window = 8}}},
          {"mix_0.125_sequential", {.mix = 0.125, .batch_order = {.kind = sequential}}}};
}

/// Plans cost the same with any adjacency, so the graph has no edges.
const bench::CommunityGraph& world() {
  static const bench::CommunityGraph instance = bench::make_community_graph(kNumNodes, 0, kSeed);
  return instance;
}

/// Throws unless every root comes once.
void verify(const Plan& plan) {
  std::vector<NodeId> seen(plan.roots().begin(), plan.roots().end());
  std::sort(seen.begin(), seen.end());
  KITH_CHECK(seen == world().nodes, InvalidArgument, "bench: a plan lost or repeated a root");
}

void BM_Plan(benchmark::State& state, PlanOptions options) {
  options.seed = kSeed;
  verify(make_plan(world().nodes, world().communities, options));
  for (auto _ : state) {
    ++options.epoch;
    benchmark::DoNotOptimize(make_plan(world().nodes, world().communities, options));
  }
  state.SetItemsProcessed(state.iterations() * kNumNodes);
}

}  // namespace
}  // namespace kith

int main(int argc, char** argv) {
  for (const kith::NamedPlan& plan : kith::plans()) {
    benchmark::RegisterBenchmark((std::string("BM_Plan/") + plan.name).c_str(), kith::BM_Plan, plan.options)
        ->Unit(benchmark::kMillisecond);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
