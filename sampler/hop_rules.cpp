#include "sampler/hop_rules.h"

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "graph/errors.h"
#include "graph/huge_pages.h"

namespace kith {
namespace {

constexpr std::uint8_t kSharedVariates = 64;  ///< added to the hop: see Purpose

}  // namespace

std::vector<IntraSlice> find_intra_slices(CsrView graph, const Communities& communities) {
  std::vector<IntraSlice> slices(static_cast<std::size_t>(graph.num_nodes()));
  use_huge_pages(std::span(std::as_const(slices)));
  tbb::parallel_for(tbb::blocked_range<NodeId>(0, graph.num_nodes(), 4096), [&](const auto& nodes) {
    for (NodeId v = nodes.begin(); v < nodes.end(); ++v) {
      KITH_CHECK(graph.offsets[v + 1] - graph.offsets[v] <= std::numeric_limits<std::int32_t>::max(),
                 InvalidArgument, "NeighborSampler: node ", v, " has more than 2147483647 in-neighbours");
      const auto row = graph.row(v);
      const std::int32_t community = communities.community_of(v);
      const auto begin = std::lower_bound(row.begin(), row.end(), communities.begin(community));
      const auto end = std::lower_bound(begin, row.end(), communities.end(community));
      slices[v] = {static_cast<std::int32_t>(begin - row.begin()), static_cast<std::int32_t>(end - begin)};
    }
  });
  return slices;
}

void check_neighbor_sampler(CsrView graph, const Communities& communities, const SamplerOptions& options) {
  check_sampler_options(options);
  KITH_CHECK(options.kind != SamplerKind::cluster, InvalidArgument,
             "NeighborSampler: expected the sampler neighbor, labor or full, got cluster");
  KITH_CHECK(communities.num_nodes() == graph.num_nodes(), InvalidArgument, "NeighborSampler: the graph has ",
             graph.num_nodes(), " nodes, the communities cover ", communities.num_nodes());
}

void check_batch(const SamplerOptions& options, const BatchKey& key, std::size_t num_roots, NodeId num_nodes) {
  if (key.p_intra) check_p_intra(options, *key.p_intra);
  KITH_CHECK(key.epoch >= 0 && key.epoch <= kMaxEpoch, InvalidArgument,
             "NeighborSampler: epoch must be in [0, ", kMaxEpoch, "], got ", key.epoch);
  KITH_CHECK(key.batch_index >= 0 && key.batch_index <= std::numeric_limits<std::uint32_t>::max(),
             InvalidArgument, "NeighborSampler: batch index must be in [0, 2^32), got ", key.batch_index);
  KITH_CHECK(num_roots <= static_cast<std::size_t>(num_nodes), InvalidArgument, "NeighborSampler: got ",
             num_roots, " roots of a graph with ", num_nodes, " nodes");
}

void check_num_edges(std::int64_t num_edges) {
  KITH_CHECK(num_edges <= std::numeric_limits<std::int32_t>::max(), InvalidArgument,
             "NeighborSampler: one batch has more than 2147483647 edges; use a smaller batch size or fanout");
}

DrawRule rule_of(const SamplerOptions& options, const BatchKey& key, std::size_t hop) {
  if (options.kind == SamplerKind::full) return {.fanout = -1};
  const double p_intra = key.p_intra.value_or(options.p_intra);
  return {
      .fanout = options.fanouts[hop],
      .intra_weight = static_cast<std::uint64_t>(std::llround(p_intra * static_cast<double>(DrawRule::kOne))),
      .no_intra = options.no_intra,
      .with_replacement = options.with_replacement,
      .is_shared = options.kind == SamplerKind::labor,
      .is_unbiased = options.is_unbiased};
}

HopStreams streams_of(const SamplerOptions& options, const BatchKey& key, std::size_t hop) {
  const auto with_purpose = [&](std::size_t purpose) {
    return RngStream{options.seed, static_cast<std::uint32_t>(key.batch_index), key.epoch,
                     static_cast<std::uint8_t>(purpose)};
  };
  return {.own = with_purpose(hop), .shared = with_purpose(kSharedVariates + hop)};
}

}  // namespace kith
