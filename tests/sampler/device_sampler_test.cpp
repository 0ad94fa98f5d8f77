// A device's batches are NeighborSampler's, bit for bit. Runs on the emulated device in every build, and on a
// real one where there is one.
#include "sampler/device_sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "graph/errors.h"
#include "tests/sampler/device_sampler_checks.h"
#include "tests/sampler/golden_batches.h"
#include "tests/sampler/random_case.h"
#include "tests/sampler/random_graphs.h"
#include "tests/support/devices.h"
#include "tests/support/errors.h"

namespace kith {
namespace {

using test::SamplerPair;
using DeviceSamplerTest = test::OnSamplingDevice;

std::vector<NodeId> nodes_up_to(NodeId num_nodes) {
  std::vector<NodeId> nodes(static_cast<std::size_t>(num_nodes));
  std::iota(nodes.begin(), nodes.end(), 0);
  return nodes;
}

// The batches of golden_batches.txt, which NeighborSampler has to reproduce.
TEST_P(DeviceSamplerTest, DrawsTheGoldenBatches) {
  const Communities communities = test::equal_communities(200, 20);
  for (test::Golden golden : test::golden_batches()) {
    if (golden.options.kind == SamplerKind::cluster) continue;
    SCOPED_TRACE(golden.name);
    golden.options.keep_edges = true;
    const CsrGraph graph = test::messy_graph(golden.graph_seed);
    SamplerPair samplers(*backend_, graph.view(), communities, golden.options);
    samplers.compare(golden.roots, golden.epoch, golden.batch_index);
  }
}

TEST_P(DeviceSamplerTest, DrawsWhatTheHostDrawsOnRandomGraphs) {
  for (std::uint64_t seed = 1; seed <= 64; ++seed) {
    const test::RandomCase c(seed);
    SamplerPair samplers(*backend_, c.graph.view(), c.communities, c.options);
    samplers.compare(c.roots, c.epoch, c.batch_index);
    // What a batch leaves behind must not show in the next one.
    const std::span roots(c.roots);
    samplers.compare(roots.first(roots.size() / 2), c.epoch, c.batch_index + 1);
    samplers.compare(roots.subspan(roots.size() / 2), c.epoch + 1, c.batch_index);
    if (HasFailure()) FAIL() << "seed " << seed << ": " << test::describe(c.options);
  }
}

// 64 draws are looked through, more go through a set; hubs have more than a block of neighbours.
TEST_P(DeviceSamplerTest, DrawsWhatTheHostDrawsAtEveryFanout) {
  const CsrGraph graph = test::messy_graph(3);
  const Communities communities = test::equal_communities(200, 50);
  const std::vector<NodeId> roots = {5, 1, 0, 61, 120};
  for (const std::int32_t fanout : {0, 1, 64, 65, 200, -1}) {
    for (const double p_intra : {0.5, 0.8, 1.0}) {
      for (const auto kind : {SamplerKind::neighbor, SamplerKind::labor}) {
        for (const bool is_unbiased : {false, true}) {
          if (is_unbiased && fanout == 1 && p_intra == 1) continue;
          const SamplerOptions options{.kind = kind,
                                       .fanouts = {fanout, 2},
                                       .p_intra = p_intra,
                                       .is_unbiased = is_unbiased,
                                       .keep_edges = true,
                                       .seed = 11};
          SamplerPair samplers(*backend_, graph.view(), communities, options);
          samplers.compare(roots, 1, 2);
          if (HasFailure()) FAIL() << test::describe(options);
        }
      }
    }
  }
}

TEST_P(DeviceSamplerTest, DrawsWithThePIntraOfACall) {
  const CsrGraph graph = test::messy_graph(3);
  SamplerPair samplers(*backend_, graph.view(), test::equal_communities(200, 50),
                       {.fanouts = {6, 4}, .p_intra = 0.9, .keep_edges = true, .seed = 11});
  const std::vector<NodeId> roots = {5, 1, 0, 61, 120};
  for (const double p_intra : {0.5, 0.7, 0.9, 1.0}) samplers.compare(roots, 1, 2, p_intra);
  EXPECT_THROW(samplers.on_device().sample(roots, 1, 2, 0.4), InvalidArgument);
}

// Parallel edges have one variate, so the threshold falls between equals: the first ones in the row win.
TEST_P(DeviceSamplerTest, LaborTakesTheFirstOfEqualVariates) {
  std::vector<std::pair<NodeId, NodeId>> edges;
  for (NodeId source = 1; source <= 3; ++source) edges.insert(edges.end(), 150, {source, 0});
  const CsrGraph graph = test::make_graph(4, std::move(edges));
  for (const std::int32_t fanout : {1, 5, 149, 150, 151, 290, 310, 449}) {
    SamplerPair samplers(*backend_, graph.view(), Communities(4),
                         {.kind = SamplerKind::labor, .fanouts = {fanout}, .p_intra = 0.5, .keep_edges = true});
    for (std::int32_t epoch = 0; epoch < 4; ++epoch) samplers.compare(std::vector<NodeId>{0}, epoch, 0);
  }
}

// LABOR's threshold among so many takes several digits to find.
TEST_P(DeviceSamplerTest, DrawsFromAHubWithALongRow) {
  const CsrGraph star = test::star_graph(20'000);
  for (const auto kind : {SamplerKind::neighbor, SamplerKind::labor}) {
    SamplerPair samplers(*backend_, star.view(), Communities({0, 8'001, 20'001}, 20'001, "test"),
                         {.kind = kind, .fanouts = {100}, .p_intra = 0.8, .keep_edges = true});
    for (std::int32_t epoch = 0; epoch < 10; ++epoch) samplers.compare(std::vector<NodeId>{7, 0}, epoch, 9);
  }
}

TEST_P(DeviceSamplerTest, DrawsNothingWithoutRootsOrEdges) {
  const CsrGraph graph = test::make_graph(3, {});
  SamplerPair samplers(*backend_, graph.view(), Communities(3), {.fanouts = {2, 3}, .keep_edges = true});
  samplers.compare({}, 0, 0);
  samplers.compare(std::vector<NodeId>{2, 0}, 0, 0);
}

// Batches are used long after others were drawn, and after the sampler is gone.
TEST_P(DeviceSamplerTest, BatchesStandOnTheirOwn) {
  const CsrGraph graph = test::messy_graph(2);
  const Communities communities = test::equal_communities(200, 20);
  SamplerPair samplers(*backend_, graph.view(), communities, {.fanouts = {5, 5}, .is_unbiased = true});
  std::vector<DeviceSample> drawn;
  {
    const auto other = make_device_sampler(*backend_, graph.view(), communities, samplers.on_host().options());
    for (NodeId root = 0; root < 12; ++root)
      drawn.push_back(other->sample(std::vector<NodeId>{root, 99}, 0, root));
  }
  for (NodeId root = 11; root >= 0; --root) {
    test::expect_equal(test::on_host(*backend_, drawn.back()),
                       samplers.on_host().sample(std::vector<NodeId>{root, 99}, 0, root));
    drawn.pop_back();
  }
}

TEST_P(DeviceSamplerTest, AnyThreadMayCallIt) {
  const CsrGraph graph = test::messy_graph(2);
  const Communities communities = test::equal_communities(200, 20);
  SamplerPair samplers(*backend_, graph.view(), communities, {.fanouts = {5, 5}});
  const std::vector<NodeId> roots = {3, 60, 150};
  std::vector<DeviceSample> drawn(4);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    threads.emplace_back(
        [&, i] { drawn[i] = samplers.on_device().sample(roots, 0, static_cast<std::int64_t>(i)); });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    test::expect_equal(test::on_host(*backend_, drawn[i]),
                       samplers.on_host().sample(roots, 0, static_cast<std::int64_t>(i)));
  }
}

TEST_P(DeviceSamplerTest, SaysWhatTheHostSaysOfBadBatches) {
  const CsrGraph graph = test::messy_graph(1);
  SamplerPair samplers(*backend_, graph.view(), test::equal_communities(200, 20), {.fanouts = {3}});
  struct Bad {
    std::vector<NodeId> roots;
    std::int32_t epoch = 0;
    std::int64_t batch_index = 0;
  };
  const std::vector<Bad> all = {
      {{1, 200}, 0, 0},  {{-1}, 0, 0}, {{4, 5, 4}, 0, 0},   {{1}, -1, 0},
      {{1}, 1 << 24, 0}, {{1}, 0, -1}, {{1}, 0, 1LL << 32}, {std::vector<NodeId>(201, 0), 0, 0}};
  for (const Bad& bad : all) {
    const auto text_of = [&](auto& sampler) {
      return test::error_of<InvalidArgument>([&] { sampler.sample(bad.roots, bad.epoch, bad.batch_index); });
    };
    EXPECT_EQ(text_of(samplers.on_device()), text_of(samplers.on_host()));
    samplers.compare(std::vector<NodeId>{4, 5}, 1, 1);
  }
}

// Node 0 hears from all; 2,200 others hear from it, a million times each.
TEST_P(DeviceSamplerTest, SaysThatABatchHasTooManyEdges) {
  constexpr NodeId kNumNodes = 2201;
  std::vector<std::pair<NodeId, NodeId>> edges;
  for (NodeId v = 1; v < kNumNodes; ++v) edges.emplace_back(0, v);
  const CsrGraph graph = test::make_graph(kNumNodes, std::move(edges));
  SamplerPair samplers(*backend_, graph.view(), Communities(kNumNodes),
                       {.fanouts = {1'000'000}, .p_intra = 0.5, .with_replacement = true});
  const std::vector<NodeId> roots = nodes_up_to(kNumNodes);
  const auto text_of = [&](auto& sampler) {
    return test::error_of<InvalidArgument>([&] { sampler.sample(roots, 0, 0); });
  };
  const std::string text = text_of(samplers.on_host());
  EXPECT_THAT(text, testing::HasSubstr("more than 2147483647 edges"));
  EXPECT_EQ(text_of(samplers.on_device()), text);
  samplers.compare(std::vector<NodeId>{0}, 0, 0);
}

TEST_P(DeviceSamplerTest, SaysWhatTheHostSaysOfBadOptions) {
  const CsrGraph graph = test::messy_graph(1);
  const auto expect_same_text = [&](NodeId num_nodes, const SamplerOptions& options) {
    const Communities communities(num_nodes);
    EXPECT_EQ(test::error_of<InvalidArgument>(
                  [&] { make_device_sampler(*backend_, graph.view(), communities, options); }),
              test::error_of<InvalidArgument>([&] { NeighborSampler(graph.view(), communities, options); }));
  };
  expect_same_text(200, {.fanouts = {}});
  expect_same_text(200, {.p_intra = 0.3});
  expect_same_text(200, {.kind = SamplerKind::cluster});
  expect_same_text(199, {});
}

TEST_P(DeviceSamplerTest, WantsACudaBackend) {
  const CsrGraph graph = test::messy_graph(1);
  const auto cpu = make_backend("cpu");
  EXPECT_EQ(test::error_of<InvalidArgument>(
                [&] { make_device_sampler(*cpu, graph.view(), Communities(200), SamplerOptions{}); }),
            "make_device_sampler: expected a backend of the device cuda, got cpu");
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DeviceSamplerTest);  // a machine may have no device
INSTANTIATE_TEST_SUITE_P(Devices, DeviceSamplerTest, testing::ValuesIn(test::other_devices()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace kith
