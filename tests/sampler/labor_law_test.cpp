// LABOR-0 (arXiv 2210.13339): nodes of a hop choose by variates that belong to the neighbours. So they agree
// where their rows do, while each still draws its own neighbours with the right chances
// (single_inclusion_law_test.cpp, biased_law_test.cpp) and other hops, batches and epochs draw anew
// (independence_law_test.cpp).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <set>
#include <vector>

#include "sampler/neighbor_sampler.h"
#include "tests/sampler/class_law.h"
#include "tests/sampler/law.h"
#include "tests/support/graphs.h"

namespace kith {
namespace {

using Choice = std::set<NodeId>;

/// rows[i] lists the in-neighbours of node i; ids from rows.size() on have none.
CsrGraph graph_of(const std::vector<std::vector<NodeId>>& rows, NodeId num_nodes) {
  std::vector<std::pair<NodeId, NodeId>> edges;
  for (std::size_t v = 0; v < rows.size(); ++v) {
    for (const NodeId u : rows[v]) edges.emplace_back(u, static_cast<NodeId>(v));
  }
  return test::make_graph(num_nodes, std::move(edges));
}

std::vector<NodeId> range(NodeId begin, NodeId end) {
  std::vector<NodeId> ids(static_cast<std::size_t>(end - begin));
  std::iota(ids.begin(), ids.end(), begin);
  return ids;
}

/// What each of the roots 0..num_roots - 1 chooses in one batch.
std::vector<Choice> choices(const NeighborSampler& sampler, NodeId num_roots, std::int64_t batch_index) {
  const MiniBatch batch = sampler.sample(range(0, num_roots), 0, batch_index);
  std::vector<Choice> all(static_cast<std::size_t>(num_roots));
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::int32_t e = batch.offsets[i]; e < batch.offsets[i + 1]; ++e) {
      all[i].insert(batch.input_nodes[batch.sources[e]]);
    }
  }
  return all;
}

bool contains(const Choice& large, const Choice& small) {
  return std::includes(large.begin(), large.end(), small.begin(), small.end());
}

SamplerOptions options(SamplerKind kind, std::int32_t fanout, double p_intra = 0.5) {
  return {.kind = kind, .fanouts = {fanout}, .p_intra = p_intra, .seed = 51};
}

/// Whether 1,100 nodes with one row, more than one task holds, choose alike in 20 batches.
bool equal_rows_agree(SamplerKind kind) {
  constexpr NodeId kNumRoots = 1100;
  const CsrGraph graph = graph_of(std::vector(kNumRoots, range(kNumRoots, kNumRoots + 30)), kNumRoots + 30);
  const NeighborSampler sampler(graph.view(), Communities(graph.num_nodes()), options(kind, 7));
  for (std::int64_t batch = 0; batch < 20; ++batch) {
    const auto all = choices(sampler, kNumRoots, batch);
    if (std::any_of(all.begin(), all.end(), [&](const Choice& choice) { return choice != all[0]; }))
      return false;
  }
  return true;
}

TEST(LaborLaw, EqualRowsChooseEqualSets) {
  EXPECT_TRUE(equal_rows_agree(SamplerKind::labor));
  EXPECT_FALSE(equal_rows_agree(SamplerKind::neighbor));
}

// How many fall inside is each node's own draw; of each class, the larger choice contains the smaller one.
TEST(LaborLaw, EqualRowsAgreeWithinEachClassOfABiasedDraw) {
  const CsrGraph graph = graph_of(std::vector(20, range(20, 60)), 60);
  const NeighborSampler sampler(graph.view(), Communities({0, 35, 60}, 60, "test"),
                                options(SamplerKind::labor, 9, 0.7));
  std::set<std::size_t> sizes;
  for (std::int64_t batch = 0; batch < 50; ++batch) {
    for (const bool is_inside : {true, false}) {
      auto all = choices(sampler, 20, batch);
      for (Choice& choice : all) {
        std::erase_if(choice, [&](NodeId node) { return (node < 35) != is_inside; });
        sizes.insert(choice.size());
      }
      std::sort(all.begin(), all.end(), [](const Choice& a, const Choice& b) { return a.size() < b.size(); });
      for (std::size_t i = 1; i < all.size(); ++i) ASSERT_TRUE(contains(all[i], all[i - 1]));
    }
  }
  EXPECT_GT(sizes.size(), 4U) << "not all the same size";
}

/// Node 0 hears from all of the nodes 2..51, node 1 from the first 20 of them; both draw 8.
struct Nested {
  static constexpr NodeId kLarge = 50, kSmall = 20;
  static constexpr std::int32_t kFanout = 8;
  static constexpr std::int64_t kTrials = 20'000;

  bool is_always_nested = true;           ///< what 0 chooses among 1's neighbours, 1 chooses too
  std::vector<std::int64_t> num_common;   ///< [kFanout + 1] trials by the size of the common choice
  std::vector<std::int64_t> of_neighbor;  ///< [kSmall] how often both choose it

  explicit Nested(SamplerKind kind) : num_common(kFanout + 1), of_neighbor(kSmall) {
    const CsrGraph graph = graph_of({range(2, 2 + kLarge), range(2, 2 + kSmall)}, 2 + kLarge);
    const NeighborSampler sampler(graph.view(), Communities(graph.num_nodes()), options(kind, kFanout));
    for (std::int64_t trial = 0; trial < kTrials; ++trial) {
      const auto both = choices(sampler, 2, trial);
      std::size_t common = 0;
      for (const NodeId node : both[0]) {
        if (node >= 2 + kSmall) continue;
        is_always_nested = is_always_nested && both[1].contains(node);
        if (!both[1].contains(node)) continue;
        ++of_neighbor[static_cast<std::size_t>(node - 2)];
        ++common;
      }
      ++num_common[common];
    }
  }

  /// The common choice is node 0's, so its size is that of a uniform draw among node 1's. Off by 0.03 in
  /// weight.
  test::Verdict size() const {
    const test::Row row{.degree = kLarge, .num_inside = kSmall};
    return test::fit(num_common, test::class_law(row, kFanout, 0.5), test::class_law(row, kFanout, 0.53));
  }

  /// Both choose a neighbour with the chance fanout / kLarge. Counts of n have the covariance v (I - J / n), of
  /// which kSmall are seen here; its inverse is (I + J / (n - kSmall)) / v. Each off by 5 %.
  test::Verdict joint_inclusion() const {
    const double mean = static_cast<double>(kTrials) * kFanout / kLarge;
    const double variance = mean * (kLarge - kFanout) / (kLarge - 1);
    double squares = 0, sum = 0;
    for (const std::int64_t count : of_neighbor) {
      squares += std::pow(static_cast<double>(count) - mean, 2);
      sum += static_cast<double>(count) - mean;
    }
    return test::chi_square_verdict((squares + sum * sum / (kLarge - kSmall)) / variance, kSmall,
                                    kSmall * std::pow(0.05 * mean, 2) / variance);
  }
};

TEST(LaborLaw, OfNestedRowsTheSmallerOneTakesWhatTheLargerOneChoosesThere) {
  const Nested labor(SamplerKind::labor);
  EXPECT_TRUE(labor.is_always_nested);
  EXPECT_TRUE(obeys(labor.size()));
  EXPECT_TRUE(obeys(labor.joint_inclusion()));
  const Nested neighbor(SamplerKind::neighbor);  // draws that know nothing of each other
  EXPECT_FALSE(neighbor.is_always_nested);
  EXPECT_TRUE(is_caught(neighbor.size()));
  EXPECT_TRUE(is_caught(neighbor.joint_inclusion()));
}

// 50 nodes draw 5 of 40 random neighbours out of 200. Alone, each neighbour is missed by all with the chance
// (1 - 5/40)^rows, so 147 of the 200 are drawn.
TEST(LaborLaw, ReadsFarFewerNodesThanIndependentDraws) {
  constexpr NodeId kNumRoots = 50, kNumNeighbors = 200, kDegree = 40, kFanout = 5;
  std::mt19937_64 bits(1);
  std::vector<std::vector<NodeId>> rows;
  std::vector<int> num_rows(kNumNeighbors);
  for (NodeId v = 0; v < kNumRoots; ++v) {
    std::set<NodeId> row;
    while (row.size() < kDegree) row.insert(static_cast<NodeId>(bits() % kNumNeighbors));
    rows.emplace_back();
    for (const NodeId u : row) {
      ++num_rows[static_cast<std::size_t>(u)];
      rows.back().push_back(kNumRoots + u);
    }
  }
  const CsrGraph graph = graph_of(rows, kNumRoots + kNumNeighbors);
  double expected = 0;
  for (const int count : num_rows) expected += 1 - std::pow(1 - static_cast<double>(kFanout) / kDegree, count);
  constexpr int kTrials = 400;
  const auto moments = [&](SamplerKind kind) {
    const NeighborSampler sampler(graph.view(), Communities(graph.num_nodes()), options(kind, kFanout));
    double sum = 0, squares = 0;
    for (int trial = 0; trial < kTrials; ++trial) {
      const MiniBatch batch = sampler.sample(range(0, kNumRoots), 0, trial);
      EXPECT_EQ(batch.sources.size(), static_cast<std::size_t>(kNumRoots * kFanout));
      const auto drawn = static_cast<double>(batch.input_nodes.size() - kNumRoots);
      sum += drawn, squares += drawn * drawn;
    }
    const double mean = sum / kTrials;
    return std::pair(mean, std::sqrt((squares / kTrials - mean * mean) / kTrials));
  };
  const auto [alone, error] = moments(SamplerKind::neighbor);
  EXPECT_TRUE(obeys(test::normal_verdict((alone - expected) / error, 0.02 * expected / error))) << "2 % off";
  EXPECT_LT(moments(SamplerKind::labor).first, 0.4 * alone);
}

}  // namespace
}  // namespace kith
