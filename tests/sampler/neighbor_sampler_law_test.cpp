// Whether NeighborSampler draws with the probabilities that it promises. Seeds are fixed, so a verdict never
// changes.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "sampler/neighbor_sampler.h"
#include "tests/sampler/chi_square.h"
#include "tests/sampler/random_graphs.h"

namespace kith {
namespace {

/// Draws of the neighbours of node 0, of the star of `degree`, over `trials` batches: entry i counts node i
/// + 1.
std::vector<std::int64_t> inclusions(NodeId degree, const Communities& communities,
                                     const SamplerOptions& options, int trials) {
  const CsrGraph graph = test::star_graph(degree);
  const NeighborSampler sampler(graph.view(), communities, options);
  const std::vector<NodeId> roots = {0};
  std::vector<std::int64_t> counts(static_cast<std::size_t>(degree));
  for (int trial = 0; trial < trials; ++trial) {
    const MiniBatch batch = sampler.sample(roots, trial / 1000, trial % 1000);
    for (const std::int32_t source : batch.sources)
      ++counts.at(static_cast<std::size_t>(batch.input_nodes[source] - 1));
  }
  return counts;
}

/// P(neighbour drawn) inside and outside, by enumerating every order of classes.
struct Inclusion {
  double inside, outside;
};
Inclusion exact_inclusion(int inside, int outside, int fanout, double p) {
  std::map<std::pair<int, int>, double> states = {{{inside, outside}, 1.0}};  // what is left of each class
  for (int draw = 0; draw < fanout; ++draw) {
    std::map<std::pair<int, int>, double> next;
    for (const auto& [left, probability] : states) {
      const double weight_in = p * left.first, weight_out = (1 - p) * left.second;
      if (weight_in > 0)
        next[{left.first - 1, left.second}] += probability * weight_in / (weight_in + weight_out);
      if (weight_out > 0)
        next[{left.first, left.second - 1}] += probability * weight_out / (weight_in + weight_out);
    }
    states = std::move(next);
  }
  double drawn_inside = 0;
  for (const auto& [left, probability] : states) drawn_inside += probability * (inside - left.first);
  return {drawn_inside / inside, (fanout - drawn_inside) / outside};
}

TEST(NeighborSamplerLaw, IncludesEveryNeighbourAlikeAtPIntraHalf) {
  constexpr std::int32_t kFanout = 8;
  for (const NodeId degree : {9, 10, 15, 16, 17, 64}) {
    // Node 0 shares its community with the first three neighbours, which must not matter.
    const Communities communities({0, 4, degree + 1}, degree + 1, "test");
    const auto counts = inclusions(degree, communities, {.fanouts = {kFanout}, .p_intra = 0.5}, 10'000);
    EXPECT_LT(test::inclusion_z(counts, kFanout), 4) << degree;
    EXPECT_GT(test::inclusion_z(counts, kFanout), -4) << "too even to be random: " << degree;
  }
}

TEST(NeighborSamplerLaw, IncludesEveryNeighbourAlikeBeyondTheFanoutOfALinearScan) {
  constexpr std::int32_t kFanout = 70;
  const auto counts = inclusions(100, Communities(101), {.fanouts = {kFanout}, .p_intra = 0.5}, 5'000);
  EXPECT_LT(test::inclusion_z(counts, kFanout), 4);
}

// A 16-bit draw would miss most of a row this long, or favour parts of it.
TEST(NeighborSamplerLaw, IncludesEveryPartOfAHubAlike) {
  constexpr NodeId kDegree = 70'000;
  const auto counts = inclusions(kDegree, Communities(kDegree + 1), {.fanouts = {1000}, .p_intra = 0.5}, 700);
  EXPECT_LT(test::inclusion_z(counts, 1000), 4);  // ten draws a neighbour
  std::vector<std::int64_t> parts(70);
  for (std::size_t i = 0; i < counts.size(); ++i) parts[i / 1000] += counts[i];
  EXPECT_LT(test::inclusion_z(parts, 1), 4);
}

TEST(NeighborSamplerLaw, IncludesBothClassesAsEnumerated) {
  constexpr int kTrials = 40'000;
  struct Case {
    int inside, outside, fanout;
    double p;
  };
  for (const Case& c : {Case{3, 5, 4, 0.9}, Case{5, 3, 4, 0.9}, Case{1, 20, 5, 0.9}, Case{20, 1, 5, 0.6},
                        Case{6, 60, 10, 0.75}}) {
    const NodeId degree = c.inside + c.outside;
    const Communities communities({0, c.inside + 1, degree + 1}, degree + 1, "test");
    const auto counts = inclusions(degree, communities, {.fanouts = {c.fanout}, .p_intra = c.p}, kTrials);
    const Inclusion expected = exact_inclusion(c.inside, c.outside, c.fanout, c.p);
    for (int i = 0; i < degree; ++i) {
      const double probability = i < c.inside ? expected.inside : expected.outside;
      const double error = std::sqrt(probability * (1 - probability) / kTrials);
      EXPECT_NEAR(static_cast<double>(counts[i]) / kTrials, probability, 4.5 * error)
          << i << " of " << c.inside << "+" << c.outside;
    }
  }
}

TEST(NeighborSamplerLaw, DrawsIndependentlyWithReplacement) {
  constexpr int kTrials = 20'000;
  const Communities communities({0, 3, 6}, 6, "test");  // 1, 2 inside, 3..5 outside
  const auto counts =
      inclusions(5, communities, {.fanouts = {6}, .p_intra = 0.8, .with_replacement = true}, kTrials);
  const double total = 0.8 * 2 + 0.2 * 3;
  double chi_square = 0;
  for (std::size_t i = 0; i < 5; ++i) {
    const double mean = 6.0 * kTrials * (i < 2 ? 0.8 : 0.2) / total;
    chi_square += (static_cast<double>(counts[i]) - mean) * (static_cast<double>(counts[i]) - mean) / mean;
  }
  EXPECT_LT(test::chi_square_z(chi_square, 4), 4);
  const auto uniform =
      inclusions(5, communities, {.fanouts = {6}, .p_intra = 0.5, .with_replacement = true}, kTrials);
  EXPECT_LT(test::chi_square_z(uniform), 4);
}

// Every subset, not only every neighbour, has its chance: 3 of 6, 20 subsets.
TEST(NeighborSamplerLaw, DrawsEverySubsetAlike) {
  const CsrGraph graph = test::star_graph(6);
  const NeighborSampler sampler(graph.view(), Communities(7), {.fanouts = {3}, .p_intra = 0.5});
  const std::vector<NodeId> roots = {0};
  std::map<int, std::int64_t> subsets;
  for (int trial = 0; trial < 20'000; ++trial) {
    int subset = 0;
    for (const NodeId node : sampler.sample(roots, 0, trial).input_nodes) subset |= 1 << node;
    ++subsets[subset];
  }
  std::vector<std::int64_t> counts;
  for (const auto& [subset, count] : subsets) counts.push_back(count);
  ASSERT_EQ(counts.size(), 20U);
  EXPECT_LT(test::chi_square_z(counts), 4);
}

}  // namespace
}  // namespace kith
