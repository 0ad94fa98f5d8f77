// A graph with more than 2^31 edges, without the memory for it: pages that nobody has written read as zeros,
// and a row of zeros is a valid one (parallel edges from node 0).
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "graph/errors.h"
#include "sampler/sampler.h"
#include "tests/sampler/law.h"

namespace kith {
namespace {

constexpr EdgeOffset kHubDegree = EdgeOffset{1} << 30;
constexpr NodeId kNumHubs = 3;
constexpr NodeId kNumNodes = 16;  // 0..2 are hubs, the others have ten neighbours each: 6, 7, …, 15
constexpr EdgeOffset kSmallDegree = 10;
constexpr EdgeOffset kNumEdges = kNumHubs * kHubDegree + (kNumNodes - kNumHubs) * kSmallDegree;

/// 12 GiB of addresses; memory is taken for the pages that are touched.
class LargeGraph : public testing::Test {
 protected:
  void SetUp() override {
    void* const pages =
        ::mmap(nullptr, kNumBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED) GTEST_SKIP() << "the system refuses 12 GiB of addresses that take no memory";
    // A huge page is 2 MiB of zeros that would have to be made up for one neighbour.
    ::madvise(pages, kNumBytes, MADV_NOHUGEPAGE);
    neighbors_ = static_cast<NodeId*>(pages);
    for (NodeId v = 0; v < kNumNodes; ++v) {
      offsets_.push_back(offsets_.back() + (v < kNumHubs ? kHubDegree : kSmallDegree));
      if (v < kNumHubs) continue;
      for (EdgeOffset i = 0; i < kSmallDegree; ++i) neighbors_[offsets_[v] + i] = static_cast<NodeId>(6 + i);
    }
  }
  void TearDown() override {
    if (neighbors_ != nullptr) ::munmap(neighbors_, kNumBytes);
  }

  CsrView view() const { return {offsets_, {neighbors_, static_cast<std::size_t>(kNumEdges)}}; }

  /// Edges of local node i of a batch.
  static std::vector<EdgeOffset> edges_of(const MiniBatch& batch, std::size_t i) {
    return {batch.edges.begin() + batch.offsets[i], batch.edges.begin() + batch.offsets[i + 1]};
  }

  static constexpr std::size_t kNumBytes = static_cast<std::size_t>(kNumEdges) * sizeof(NodeId);
  std::vector<EdgeOffset> offsets_ = {0};
  NodeId* neighbors_ = nullptr;
  Communities communities_{{0, 10, kNumNodes}, kNumNodes, "LargeGraph"};
};

TEST_F(LargeGraph, DrawsTheRightNeighboursBehindTheTwoToThe31stEdge) {
  ASSERT_GT(offsets_[3], std::int64_t{1} << 31);
  const std::vector<NodeId> roots = {15, 3, 9};
  for (const SamplerKind kind : {SamplerKind::neighbor, SamplerKind::labor, SamplerKind::full}) {
    for (const double p : {0.5, 0.8, 1.0}) {
      const Sampler sampler(view(), communities_,
                            {.kind = kind, .fanouts = {4, 3}, .p_intra = p, .keep_edges = true, .seed = 3});
      const MiniBatch batch = sampler.sample(roots, 1, 2);
      ASSERT_GE(batch.edges.size(), 12U);
      for (std::size_t i = 0; i + 1 < batch.offsets.size(); ++i) {
        for (std::int32_t e = batch.offsets[i]; e < batch.offsets[i + 1]; ++e) {
          const NodeId node = batch.input_nodes[i], neighbor = batch.input_nodes[batch.sources[e]];
          ASSERT_EQ(batch.edges[e], offsets_[node] + neighbor - 6) << node << " <- " << neighbor;
        }
      }
    }
  }
}

TEST_F(LargeGraph, InducesTheRightSubGraphBehindTheTwoToThe31stEdge) {
  const Sampler sampler(view(), communities_,
                        {.kind = SamplerKind::cluster, .fanouts = {1, 1}, .keep_edges = true});
  const MiniBatch batch = sampler.sample(std::vector<NodeId>{12}, 0, 0);  // with 10, 11, 13, 14 and 15
  ASSERT_EQ(batch.input_nodes.size(), 6U);
  ASSERT_EQ(batch.sources.size(), 36U);
  for (std::size_t e = 0; e < 36; ++e) {
    const NodeId node = batch.input_nodes[e / 6], neighbor = batch.input_nodes[batch.sources[e]];
    ASSERT_EQ(batch.edges[e], offsets_[node] + neighbor - 6);
  }
}

// Half of each hub a twentieth more often than the other half, in a hundred parts of 10 million edges.
TEST_F(LargeGraph, DrawsAllPartsOfARowOfABillionAlike) {
  constexpr std::int32_t kFanout = 1000, kTrials = 25, kParts = 100;
  const Sampler sampler(view(), communities_,
                        {.fanouts = {kFanout}, .p_intra = 0.5, .keep_edges = true, .seed = 4});
  const std::vector<NodeId> roots = {2, 0, 1};
  std::vector<std::int64_t> counts(kParts);
  for (std::int32_t trial = 0; trial < kTrials; ++trial) {
    const MiniBatch batch = sampler.sample(roots, 0, trial);
    for (std::size_t i = 0; i < roots.size(); ++i) {
      const auto edges = edges_of(batch, i);
      ASSERT_EQ(std::set<EdgeOffset>(edges.begin(), edges.end()).size(), static_cast<std::size_t>(kFanout));
      for (const EdgeOffset edge : edges) {
        const EdgeOffset position = edge - offsets_[roots[i]];
        ASSERT_TRUE(position >= 0 && position < kHubDegree);
        ++counts[static_cast<std::size_t>(position * kParts / kHubDegree)];
      }
    }
  }
  const double num_draws = 3.0 * kTrials * kFanout;
  EXPECT_TRUE(obeys(test::chi_square_verdict(test::chi_square(counts), kParts - 1, num_draws * 0.05 * 0.05)));
}

// All of a hub's neighbours lie in its community, so a biased draw stays inside, too.
TEST_F(LargeGraph, FindsTheCommunityInARowOfABillion) {
  const Sampler sampler(view(), communities_, {.fanouts = {50}, .p_intra = 0.9, .keep_edges = true, .seed = 5});
  const MiniBatch batch = sampler.sample(std::vector<NodeId>{1}, 0, 0);
  EXPECT_EQ(batch.num_intra_edges, 50);
  EXPECT_EQ(batch.input_nodes, (std::vector<NodeId>{1, 0}));
}

TEST_F(LargeGraph, RefusesARowThat32BitsDoNotCount) {
  const std::vector<EdgeOffset> offsets = {0, 2 * kHubDegree, 2 * kHubDegree};
  const CsrView graph{offsets, {neighbors_, static_cast<std::size_t>(2 * kHubDegree)}};
  EXPECT_THROW(Sampler(graph, Communities(2), {}), InvalidArgument);
}

}  // namespace
}  // namespace kith
