// Random graphs, communities and options: every promise about a batch holds, and the number of threads does not
// matter.
#include <gtest/gtest.h>
#include <oneapi/tbb/global_control.h>

#include <span>
#include <vector>

#include "sampler/neighbor_sampler.h"
#include "tests/sampler/batch_checks.h"
#include "tests/sampler/random_case.h"

namespace kith {
namespace {

using test::describe;
using test::RandomCase;

TEST(SamplerFuzz, EveryBatchKeepsEveryPromiseOnOneThreadAndOnFour) {
  std::size_t num_large = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const RandomCase c(seed);
    const NeighborSampler sampler(c.graph.view(), c.communities, c.options);
    const auto with_threads = [&](std::size_t num_threads) {
      const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, num_threads);
      return sampler.sample(c.roots, c.epoch, c.batch_index);
    };
    const MiniBatch one = with_threads(1);
    test::BatchChecker(c.graph, c.communities, c.options).check(one, c.roots);
    test::expect_equal(one, with_threads(4));
    num_large += one.input_nodes.size() > 1024 ? 1 : 0;
    if (HasFailure()) FAIL() << "seed " << seed << ": " << describe(c.options);
  }
  EXPECT_GT(num_large, 5U) << "cases with several tasks a hop";
}

// A draw depends on its place alone: a batch in two halves is the batch, but for the local ids.
TEST(SamplerFuzz, ANodeDrawsAlikeInAnyCompany) {
  for (std::uint64_t seed = 1000; seed < 1100; ++seed) {
    RandomCase c(seed);
    c.options.fanouts.resize(1);
    const NeighborSampler sampler(c.graph.view(), c.communities, c.options);
    const MiniBatch whole = sampler.sample(c.roots, c.epoch, c.batch_index);
    std::vector<EdgeOffset> edges;
    std::vector<float> weights;
    const std::span roots(c.roots);
    for (const auto half : {roots.first(roots.size() / 2), roots.subspan(roots.size() / 2)}) {
      const MiniBatch batch = sampler.sample(half, c.epoch, c.batch_index);
      edges.insert(edges.end(), batch.edges.begin(), batch.edges.end());
      weights.insert(weights.end(), batch.weights.begin(), batch.weights.end());
    }
    ASSERT_EQ(edges, whole.edges) << "seed " << seed << ": " << describe(c.options);
    ASSERT_EQ(weights, whole.weights) << "seed " << seed << ": " << describe(c.options);
  }
}

}  // namespace
}  // namespace kith
