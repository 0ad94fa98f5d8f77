#include "sampler/shared_variates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "sampler/hop_rules.h"
#include "sampler/neighbor_sampler.h"
#include "tests/sampler/random_graphs.h"

namespace kith {
namespace {

TEST(SharedVariates, AreTheFirstBitsOfEveryNodesStream) {
  const RngStream stream{.seed = 0xFEDCBA9876543210, .batch = 0x80000001, .epoch = kMaxEpoch, .purpose = 67};
  const NodeId largest = std::numeric_limits<NodeId>::max();
  std::vector<NodeId> nodes = {largest, 0, 1, largest - 1, 0x40000000};
  for (NodeId v = 0; v < 100; ++v) nodes.push_back(v * 7919);
  for (std::size_t count = 0; count <= nodes.size(); ++count) {
    std::vector<std::uint64_t> out(count + 1, 42);
    shared_variates(stream, std::span(nodes).first(count), out.data());
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_EQ(out[i], stream.first64(static_cast<std::uint32_t>(nodes[i]))) << i << " of " << count;
    }
    ASSERT_EQ(out[count], 42U) << "wrote past the end";
  }
}

// A sampler looks first at the variates below a bound. One draw of a hundred finds none below it about once in
// ten thousand times, and must then look at all.
TEST(SharedVariates, TheSmallestIsChosenEvenWhereItIsLarge) {
  constexpr NodeId kNeighbors = 100;
  std::vector<std::pair<NodeId, NodeId>> edges;
  std::vector<NodeId> neighbors;
  for (NodeId v = 1; v <= kNeighbors; ++v) {
    edges.emplace_back(v, 0);
    neighbors.push_back(v);
  }
  const CsrGraph graph = test::make_graph(kNeighbors + 1, edges);
  const SamplerOptions options{.kind = SamplerKind::labor, .fanouts = {1}, .p_intra = 0.5};
  const NeighborSampler sampler(graph.view(), Communities(kNeighbors + 1), options);
  const std::vector<NodeId> roots = {0};
  int num_large = 0;
  std::vector<std::uint64_t> variates(neighbors.size());
  for (std::int64_t batch = 0; batch < 50'000; ++batch) {
    shared_variates(streams_of(options, {.batch_index = batch, .p_intra = options.p_intra}, 0).shared,
                    neighbors, variates.data());
    const auto smallest = std::min_element(variates.begin(), variates.end());
    num_large += static_cast<double>(*smallest) > 0.09 * 0x1p64 ? 1 : 0;
    const MiniBatch drawn = sampler.sample(roots, 0, batch);
    ASSERT_EQ(drawn.input_nodes[1], neighbors[static_cast<std::size_t>(smallest - variates.begin())]) << batch;
  }
  EXPECT_GE(num_large, 1) << "nothing was tested";
}

}  // namespace
}  // namespace kith
