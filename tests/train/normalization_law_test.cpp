// The sums of GCN and GIN over biased draws have the sum over the whole graph as their mean, when the batch
// carries unbiased weights.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "graph/errors.h"
#include "sampler/neighbor_sampler.h"
#include "tests/sampler/law.h"
#include "tests/support/graphs.h"
#include "train/normalization.h"

namespace kith {
namespace {

constexpr NodeId kNumNodes = 60;

/// 1 in node 0's community and -1 elsewhere, give or take a half.
double value_of(NodeId node) { return (node < kNumNodes / 2 ? 1 : -1) + node * 5 % 11 / 10.0 - 0.5; }

/// A layer kind that sums: its weights for a batch and for the whole graph.
struct Sum {
  BatchAdjacency (*of_batch)(const MiniBatch&, CsrView);
  WeightedGraph (*of_graph)(CsrView);
};
constexpr Sum kGcn{make_gcn_adjacency, make_gcn_graph};
constexpr Sum kGin{make_gin_adjacency, make_gin_graph};

/// The sum at node 0, over many batches, against the sum in the whole graph, in standard errors. The deviation
/// is 5 % of the distance between the communities, scaled as the sum is.
test::Verdict sum_at_node_0(const Sum& kind, const CsrGraph& graph, const SamplerOptions& options) {
  constexpr std::int64_t kTrials = 10'000;
  const Communities communities({0, kNumNodes / 2, kNumNodes}, kNumNodes, "test");
  const NeighborSampler sampler(graph.view(), communities, options);
  double sum = 0, squares = 0;
  for (std::int64_t trial = 0; trial < kTrials; ++trial) {
    const MiniBatch batch = sampler.sample(std::vector<NodeId>{0}, 0, trial);
    const BatchAdjacency adjacency = kind.of_batch(batch, graph.view());
    double estimate = 0;
    for (std::int32_t e = adjacency.offsets[0]; e < adjacency.offsets[1]; ++e) {
      estimate += adjacency.weights[e] * value_of(batch.input_nodes[adjacency.sources[e]]);
    }
    sum += estimate;
    squares += estimate * estimate;
  }
  const WeightedGraph whole = kind.of_graph(graph.view());
  double expected = 0, scale = 0;
  for (EdgeOffset e = whole.graph.view().offsets[0]; e < whole.graph.view().offsets[1]; ++e) {
    expected += static_cast<double>(whole.weights[e]) * value_of(whole.graph.view().neighbors[e]);
    scale += whole.weights[e];
  }
  const double mean = sum / kTrials;
  const double error = std::sqrt((squares / kTrials - mean * mean) / kTrials);
  return test::normal_verdict((mean - expected) / error, 0.05 * 2 * scale / error);
}

void expect_law(const Sum& sum) {
  const CsrGraph graph = test::random_graph(kNumNodes, 1200, 9);  // about 10 neighbours on each side
  for (const SamplerKind kind : {SamplerKind::neighbor, SamplerKind::labor}) {
    for (const double p : {0.5, 0.7, 0.9, 1.0}) {
      const SamplerOptions options{.kind = kind, .fanouts = {5}, .p_intra = p, .is_unbiased = true, .seed = 61};
      EXPECT_TRUE(obeys(sum_at_node_0(sum, graph, options))) << name_of(kind) << ' ' << p;
      SamplerOptions plain = options;
      plain.is_unbiased = false;
      if (p == 0.5) {
        EXPECT_TRUE(obeys(sum_at_node_0(sum, graph, plain))) << "uniform draws need no weights";
      } else {
        EXPECT_TRUE(is_caught(sum_at_node_0(sum, graph, plain))) << name_of(kind) << ' ' << p;
      }
    }
  }
}

TEST(NormalizationLaw, UnbiasedWeightsKeepGcnsSum) { expect_law(kGcn); }

TEST(NormalizationLaw, UnbiasedWeightsKeepGinsSum) { expect_law(kGin); }

}  // namespace
}  // namespace kith
