// Everything that batch.h, neighbor_sampler.h and sampler_options.h say about a batch, checked one edge at a
// time.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <span>

#include "graph/communities.h"
#include "graph/csr_graph.h"
#include "sampler/batch.h"
#include "sampler/sampler_options.h"

namespace kith::test {

inline void expect_equal(const MiniBatch& a, const MiniBatch& b) {
  EXPECT_EQ(a.input_nodes, b.input_nodes);
  EXPECT_EQ(a.hop_bounds, b.hop_bounds);
  EXPECT_EQ(a.offsets, b.offsets);
  EXPECT_EQ(a.sources, b.sources);
  EXPECT_EQ(a.weights, b.weights);
  EXPECT_EQ(a.edges, b.edges);
  EXPECT_EQ(a.num_intra_edges, b.num_intra_edges);
}

/// Checks one batch of NeighborSampler. Needs keep_edges.
class BatchChecker {
 public:
  BatchChecker(const CsrGraph& graph, const Communities& communities, const SamplerOptions& options)
      : graph_(graph.view()), communities_(communities), options_(options) {}

  /// The first broken promise is a fatal failure.
  void check(const MiniBatch& batch, std::span<const NodeId> roots) const {
    check_shape(batch, roots);
    if (testing::Test::HasFatalFailure()) return;
    check_blocks(batch);
    if (testing::Test::HasFatalFailure()) return;
    std::int64_t num_intra = 0;
    std::int32_t known = batch.num_roots();  // nodes that have appeared so far
    for (std::size_t hop = 0; hop < options_.fanouts.size(); ++hop) {
      for (std::int32_t i = hop == 0 ? 0 : batch.hop_bounds[hop - 1]; i < batch.hop_bounds[hop]; ++i) {
        check_row(batch, i, options_.fanouts[hop]);
        if (testing::Test::HasFatalFailure()) return;
        for (std::int32_t e = batch.offsets[i]; e < batch.offsets[i + 1]; ++e) {
          ASSERT_LE(batch.sources[e], known) << "local ids are to follow first appearance";
          known = std::max(known, batch.sources[e] + 1);
          num_intra += is_intra(batch, i, e) ? 1 : 0;
        }
      }
      ASSERT_EQ(known, batch.hop_bounds[hop + 1]);
    }
    ASSERT_EQ(num_intra, batch.num_intra_edges);
  }

 private:
  void check_shape(const MiniBatch& batch, std::span<const NodeId> roots) const {
    ASSERT_EQ(batch.num_hops(), static_cast<std::int32_t>(options_.fanouts.size()));
    ASSERT_THAT(batch.roots(), testing::ElementsAreArray(roots));
    ASSERT_EQ(static_cast<std::size_t>(batch.hop_bounds.back()), batch.input_nodes.size());
    const std::set<NodeId> distinct(batch.input_nodes.begin(), batch.input_nodes.end());
    ASSERT_EQ(distinct.size(), batch.input_nodes.size());
    ASSERT_EQ(batch.offsets.size(), static_cast<std::size_t>(batch.hop_bounds.end()[-2]) + 1);
    ASSERT_EQ(batch.offsets.front(), 0);
    ASSERT_EQ(static_cast<std::size_t>(batch.offsets.back()), batch.sources.size());
    ASSERT_EQ(batch.edges.size(), batch.sources.size());
    ASSERT_EQ(batch.weights.size(), options_.is_unbiased ? batch.sources.size() : 0);
  }

  /// Blocks are prefixes of one adjacency, and each one's sources are the next one's destinations.
  void check_blocks(const MiniBatch& batch) const {
    std::int32_t num_destinations = batch.num_roots();
    for (std::int32_t layer = batch.num_hops() - 1; layer >= 0; --layer) {
      const BlockCsrView block = batch.block(layer);
      ASSERT_EQ(block.num_destinations(), num_destinations);
      ASSERT_EQ(block.offsets.data(), batch.offsets.data());
      ASSERT_EQ(block.sources.data(), batch.sources.data());
      ASSERT_EQ(block.num_edges(), block.offsets.back());
      for (const std::int32_t source : block.sources) ASSERT_TRUE(source >= 0 && source < block.num_sources);
      num_destinations = block.num_sources;
    }
    ASSERT_EQ(num_destinations, batch.hop_bounds.back());
  }

  /// The draws of local node i.
  void check_row(const MiniBatch& batch, std::int32_t i, std::int32_t fanout) const {
    const NodeId node = batch.input_nodes[i];
    const std::int32_t begin = batch.offsets[i], end = batch.offsets[i + 1];
    ASSERT_EQ(end - begin, num_promised(node, fanout)) << "node " << node;
    std::set<EdgeOffset> drawn;
    for (std::int32_t e = begin; e < end; ++e) {
      drawn.insert(batch.edges[e]);
      ASSERT_GE(batch.edges[e], graph_.offsets[node]);
      ASSERT_LT(batch.edges[e], graph_.offsets[node + 1]);
      ASSERT_EQ(graph_.neighbors[batch.edges[e]], batch.input_nodes[batch.sources[e]]);
    }
    if (!options_.with_replacement) {
      ASSERT_EQ(drawn.size(), static_cast<std::size_t>(end - begin)) << "node " << node;
    }
    if (options_.is_unbiased && begin < end) check_weights(batch, i);
  }

  /// Each class of a row weighs its share of the row; one draw of two classes stands for both, on average only.
  void check_weights(const MiniBatch& batch, std::int32_t i) const {
    const NodeId node = batch.input_nodes[i];
    const std::int32_t begin = batch.offsets[i], end = batch.offsets[i + 1];
    double inside = 0, outside = 0;
    for (std::int32_t e = begin; e < end; ++e) {
      ASSERT_TRUE(std::isfinite(batch.weights[e]) && batch.weights[e] > 0) << "node " << node;
      (is_intra(batch, i, e) ? inside : outside) += batch.weights[e];
    }
    const double degree = graph_.degree(node);
    if (end - begin == 1 && num_inside(node) > 0 && num_inside(node) < degree) return;
    ASSERT_NEAR(inside, num_inside(node) / degree, 1e-5) << "node " << node;
    ASSERT_NEAR(outside, 1 - num_inside(node) / degree, 1e-5) << "node " << node;
  }

  bool is_intra(const MiniBatch& batch, std::int32_t i, std::int32_t e) const {
    return communities_.community_of(batch.input_nodes[batch.sources[e]]) ==
           communities_.community_of(batch.input_nodes[i]);
  }

  std::int32_t num_inside(NodeId node) const {
    const auto row = graph_.row(node);
    return static_cast<std::int32_t>(std::count_if(row.begin(), row.end(), [&](NodeId u) {
      return communities_.community_of(u) == communities_.community_of(node);
    }));
  }

  /// How many neighbours the options promise for a node.
  std::int32_t num_promised(NodeId node, std::int32_t fanout) const {
    const std::int32_t inside = num_inside(node), degree = graph_.degree(node);
    std::int32_t available = degree;
    if (options_.p_intra == 1 && (inside > 0 || options_.no_intra == NoIntra::drop)) available = inside;
    if (options_.is_unbiased && options_.p_intra == 1 && inside > 0 && inside < degree) ++available;
    if (options_.kind == SamplerKind::full || (fanout == -1 && options_.is_unbiased)) return degree;
    if (fanout == -1 || available == 0) return available;
    return options_.with_replacement ? fanout : std::min(fanout, available);
  }

  CsrView graph_;
  const Communities& communities_;
  const SamplerOptions& options_;
};

}  // namespace kith::test
