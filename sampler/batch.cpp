#include "sampler/batch.h"

#include <algorithm>
#include <cmath>

#include "graph/errors.h"

namespace kith {
namespace {

/// Entropy of the class shares, in bits. Sorts `classes`.
double entropy_bits(std::vector<std::int32_t>& classes) {
  std::sort(classes.begin(), classes.end());
  const auto total = static_cast<double>(classes.size());
  double bits = 0;
  for (auto first = classes.begin(); first != classes.end();) {
    const auto last = std::upper_bound(first, classes.end(), *first);
    const double share = static_cast<double>(last - first) / total;
    bits -= share * std::log2(share);
    first = last;
  }
  return bits;
}

}  // namespace

BlockCsrView MiniBatch::block(std::int32_t layer) const {
  KITH_CHECK(layer >= 0 && layer < num_hops(), InvalidArgument, "MiniBatch::block: layer must be in [0, ",
             num_hops(), "), got ", layer);
  const auto hop = static_cast<std::size_t>(num_hops() - 1 - layer);
  const auto num_destinations = static_cast<std::size_t>(hop_bounds[hop]);
  return {.num_sources = hop_bounds[hop + 1],
          .offsets = std::span(offsets).first(num_destinations + 1),
          .sources = std::span(sources).first(static_cast<std::size_t>(offsets[num_destinations]))};
}

BatchStats& BatchStats::operator+=(const BatchStats& other) {
  batches += other.batches;
  roots += other.roots;
  input_nodes += other.input_nodes;
  reused_input_nodes += other.reused_input_nodes;
  pages += other.pages;
  edges += other.edges;
  intra_edges += other.intra_edges;
  communities += other.communities;
  label_entropy_bits += other.label_entropy_bits;
  return *this;
}

BatchStats describe_roots(std::span<const NodeId> roots, const Communities& communities,
                          std::span<const std::int32_t> labels) {
  KITH_CHECK(labels.empty() || labels.size() == static_cast<std::size_t>(communities.num_nodes()),
             InvalidArgument, "describe: expected ", communities.num_nodes(), " labels or none, got ",
             labels.size());
  std::vector<std::int32_t> seen;
  seen.reserve(roots.size());
  for (const NodeId root : roots) seen.push_back(communities.community_of(root));
  std::sort(seen.begin(), seen.end());
  BatchStats stats{.batches = 1,
                   .roots = static_cast<std::int64_t>(roots.size()),
                   .communities = std::unique(seen.begin(), seen.end()) - seen.begin()};
  seen.clear();
  for (const NodeId root : roots) {
    if (!labels.empty() && labels[static_cast<std::size_t>(root)] >= 0) {
      seen.push_back(labels[static_cast<std::size_t>(root)]);
    }
  }
  stats.label_entropy_bits = entropy_bits(seen);
  return stats;
}

BatchStats describe(const MiniBatch& batch, const Communities& communities,
                    std::span<const std::int32_t> labels) {
  BatchStats stats = describe_roots(batch.roots(), communities, labels);
  stats.input_nodes = static_cast<std::int64_t>(batch.input_nodes.size());
  stats.edges = static_cast<std::int64_t>(batch.sources.size());
  stats.intra_edges = batch.num_intra_edges;
  return stats;
}

}  // namespace kith
