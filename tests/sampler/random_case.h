// Random graphs, communities and options of a sampler.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "graph/communities.h"
#include "graph/errors.h"
#include "sampler/sampler_options.h"
#include "tests/support/graphs.h"

namespace kith::test {

/// Everything about one case comes from one seed.
class RandomCase {
 public:
  explicit RandomCase(std::uint64_t seed) : bits_(seed) {
    num_nodes_ = seed % 16 == 0 ? 2000 : 1 + below(80);  // the large ones have frontiers of several tasks
    graph = random_multigraph();
    communities = random_communities();
    options = random_options();
    roots = random_roots();
    epoch = below(1000);
    batch_index = below(1000);
  }

  CsrGraph graph;
  Communities communities;
  SamplerOptions options;
  std::vector<NodeId> roots;
  std::int32_t epoch = 0;
  std::int64_t batch_index = 0;

 private:
  std::int32_t below(std::int32_t bound) {
    return static_cast<std::int32_t>(bits_() % static_cast<std::uint64_t>(bound));
  }

  template <typename T>
  T any_of(std::initializer_list<T> choices) {
    return choices.begin()[below(static_cast<std::int32_t>(choices.size()))];
  }

  /// Few targets hear from many: self-loops, parallel edges, isolated nodes and hubs come by themselves.
  CsrGraph random_multigraph() {
    const std::int32_t num_edges = below(num_nodes_ * any_of({1, 4, 16}) + 1);
    const std::int32_t num_targets = 1 + below(num_nodes_);
    std::vector<std::pair<NodeId, NodeId>> edges;
    for (std::int32_t i = 0; i < num_edges; ++i) {
      edges.emplace_back(below(num_nodes_), below(any_of({num_targets, num_nodes_})));
    }
    return test::make_graph(num_nodes_, std::move(edges));
  }

  Communities random_communities() {
    std::vector<EdgeOffset> bounds = {0, num_nodes_};
    const std::int32_t num_cuts = below(any_of({1, 4, num_nodes_}) + 1);
    for (std::int32_t i = 0; i < num_cuts; ++i) bounds.push_back(below(num_nodes_));
    std::sort(bounds.begin(), bounds.end());
    bounds.erase(std::unique(bounds.begin(), bounds.end()), bounds.end());
    return Communities(std::move(bounds), num_nodes_, "RandomCase");
  }

  SamplerOptions random_options() {
    SamplerOptions chosen{
        .kind = any_of({SamplerKind::neighbor, SamplerKind::neighbor, SamplerKind::labor, SamplerKind::full}),
        .fanouts = std::vector<std::int32_t>(static_cast<std::size_t>(1 + below(4))),
        .p_intra = any_of({0.5, 0.5000001, 0.7, 0.9, 0.9999999, 1.0}),
        .no_intra = any_of({NoIntra::keep, NoIntra::drop}),
        .keep_edges = true,
        .seed = bits_()};
    for (std::int32_t& fanout : chosen.fanouts) fanout = any_of({-1, 0, 1, 2, 3, 8, 70});
    chosen.with_replacement = chosen.kind == SamplerKind::neighbor && below(3) == 0;
    chosen.is_unbiased = chosen.kind != SamplerKind::full && below(2) == 0;
    if (!chosen.is_unbiased) return chosen;
    chosen.no_intra = NoIntra::keep;  // what unbiased needs
    for (std::int32_t& fanout : chosen.fanouts) fanout += fanout == 1 && chosen.p_intra == 1 ? 1 : 0;
    return chosen;
  }

  std::vector<NodeId> random_roots() {
    std::vector<NodeId> nodes(static_cast<std::size_t>(num_nodes_));
    for (NodeId v = 0; v < num_nodes_; ++v) nodes[static_cast<std::size_t>(v)] = v;
    std::shuffle(nodes.begin(), nodes.end(), bits_);
    nodes.resize(static_cast<std::size_t>(below(num_nodes_ + 1)));
    return nodes;
  }

  std::mt19937_64 bits_;
  NodeId num_nodes_ = 0;
};

inline std::string describe(const SamplerOptions& options) {
  return concat(name_of(options.kind), ", p_intra ", options.p_intra, ", no_intra ", name_of(options.no_intra),
                ", replacement ", options.with_replacement, ", unbiased ", options.is_unbiased, ", fanouts ",
                testing::PrintToString(options.fanouts));
}

}  // namespace kith::test
