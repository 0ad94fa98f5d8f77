// The public sampler as a Draw: many nodes with rows of one shape, each trial another node or batch.
#pragma once

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "sampler/neighbor_sampler.h"
#include "tests/sampler/law.h"
#include "tests/support/graphs.h"

namespace kith::test {

/// Roots whose rows all have one shape and no neighbour in common, so that their draws are independent for
/// labor too. Ids: the neighbours below every root's community, then the communities of the roots (the root,
/// then its neighbours inside), then the neighbours above.
class SampledRow {
 public:
  /// Trials of one batch, one a root; bounded by the memory of the graph.
  static std::int32_t num_roots(const Row& row) { return std::clamp(200'000 / std::max(row.degree, 1), 1, 64); }

  SampledRow(const Row& row, SamplerOptions options) : row_(row) {
    options.keep_edges = true;
    const NodeId num_roots = SampledRow::num_roots(row);
    const NodeId home_size = row.num_inside + 1;
    const NodeId first_home = num_roots * row.inside_begin;
    const NodeId first_above = first_home + num_roots * home_size;
    const NodeId num_above = row.degree - row.inside_begin - row.num_inside;
    const NodeId num_nodes = first_above + num_roots * num_above;
    std::vector<EdgeOffset> bounds = {0};
    std::vector<NodeId> neighbors;
    std::vector<EdgeOffset> offsets(static_cast<std::size_t>(num_nodes) + 1);
    if (first_home > 0) bounds.push_back(first_home);
    const auto append = [&](NodeId first, NodeId count) {
      for (NodeId i = 0; i < count; ++i) neighbors.push_back(first + i);
    };
    for (NodeId i = 0; i < num_roots; ++i) {
      const NodeId root = first_home + i * home_size;
      roots_.push_back(root);
      bounds.push_back(root + home_size);
      append(i * row.inside_begin, row.inside_begin);
      append(root + 1, row.num_inside);
      append(first_above + i * num_above, num_above);
      offsets[static_cast<std::size_t>(root) + 1] = row.degree;
    }
    if (num_above > 0) bounds.push_back(num_nodes);
    std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
    graph_ = CsrGraph(std::move(offsets), std::move(neighbors), "SampledRow");
    sampler_ = std::make_unique<NeighborSampler>(
        graph_.view(), Communities(std::move(bounds), num_nodes, "SampledRow"), std::move(options));
  }

  Drawn draw(std::int64_t trial) {
    const auto num_roots = static_cast<std::int64_t>(roots_.size());
    if (trial / num_roots != batch_number_) sample(trial / num_roots);
    const auto i = static_cast<std::size_t>(trial % num_roots);
    const auto begin = static_cast<std::size_t>(batch_.offsets[i]);
    const auto count = static_cast<std::size_t>(batch_.offsets[i + 1]) - begin;
    Drawn drawn{.positions = std::span(positions_).subspan(begin, count)};
    if (!batch_.weights.empty()) drawn.weights = std::span(batch_.weights).subspan(begin, count);
    return drawn;
  }

 private:
  /// Batches go over several epochs, so that a law sees how both change the draws.
  void sample(std::int64_t number) {
    constexpr std::int64_t kBatchesAnEpoch = 50;
    batch_number_ = number;
    batch_ =
        sampler_->sample(roots_, static_cast<std::int32_t>(number / kBatchesAnEpoch), number % kBatchesAnEpoch);
    positions_.resize(batch_.edges.size());
    for (std::size_t i = 0; i < roots_.size(); ++i) {
      const EdgeOffset row_begin = graph_.view().offsets[roots_[i]];
      for (std::int32_t e = batch_.offsets[i]; e < batch_.offsets[i + 1]; ++e) {
        positions_[e] = static_cast<std::int32_t>(batch_.edges[e] - row_begin);
      }
    }
  }

  Row row_;
  CsrGraph graph_;
  std::vector<NodeId> roots_;
  std::unique_ptr<NeighborSampler> sampler_;  // keeps a view of graph_
  std::int64_t batch_number_ = -1;
  MiniBatch batch_;
  std::vector<std::int32_t> positions_;
};

/// The draws that the sampler makes of such a row, with options.fanouts of one hop.
inline Draw sampled(const Row& row, const SamplerOptions& options) {
  const auto sampler = std::make_shared<SampledRow>(row, options);
  return [sampler](std::int64_t trial) { return sampler->draw(trial); };
}

}  // namespace kith::test
