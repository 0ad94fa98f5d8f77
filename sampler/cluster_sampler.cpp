#include "sampler/cluster_sampler.h"

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "graph/errors.h"
#include "sampler/scratch.h"

namespace kith {
namespace {

constexpr std::int32_t kGrain = 256;  ///< rows a task

/// Communities of the roots, ascending, each once.
std::vector<std::int32_t> communities_of(std::span<const NodeId> roots, const Communities& communities) {
  std::vector<std::int32_t> found;
  found.reserve(roots.size());
  for (const NodeId root : roots) found.push_back(communities.community_of(root));
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

template <typename Body>
void for_each_row(std::int32_t num_rows, const Body& body) {
  tbb::parallel_for(tbb::blocked_range<std::int32_t>(0, num_rows, kGrain), [&](const auto& rows) {
    for (std::int32_t i = rows.begin(); i < rows.end(); ++i) body(i);
  });
}

/// Rows [0, num_rows) of the batch: their in-neighbours that lie in it.
void fill_adjacency(CsrView graph, const LocalIds& local_ids, std::int32_t num_rows, bool keep_edges,
                    MiniBatch& batch) {
  batch.offsets.assign(static_cast<std::size_t>(num_rows) + 1, 0);
  for_each_row(num_rows, [&](std::int32_t i) {
    const auto row = graph.row(batch.input_nodes[static_cast<std::size_t>(i)]);
    batch.offsets[static_cast<std::size_t>(i) + 1] = static_cast<std::int32_t>(
        std::count_if(row.begin(), row.end(), [&](NodeId u) { return local_ids.has(u); }));
  });
  std::int64_t total = 0;
  for (std::int32_t& offset : batch.offsets) {
    total += offset;
    KITH_CHECK(total <= std::numeric_limits<std::int32_t>::max(), InvalidArgument,
               "ClusterSampler: one batch has more than 2147483647 edges; use a smaller group");
    offset = static_cast<std::int32_t>(total);
  }
  batch.sources.resize(static_cast<std::size_t>(total));
  if (keep_edges) batch.edges.resize(batch.sources.size());
  for_each_row(num_rows, [&](std::int32_t i) {
    const NodeId node = batch.input_nodes[static_cast<std::size_t>(i)];
    auto next = static_cast<std::size_t>(batch.offsets[static_cast<std::size_t>(i)]);
    for (EdgeOffset e = graph.offsets[node]; e < graph.offsets[node + 1]; ++e) {
      const NodeId neighbor = graph.neighbors[static_cast<std::size_t>(e)];
      if (!local_ids.has(neighbor)) continue;
      if (keep_edges) batch.edges[next] = e;
      batch.sources[next++] = local_ids[neighbor];
    }
  });
}

}  // namespace

ClusterSampler::ClusterSampler(CsrView graph, const Communities& communities, SamplerOptions options)
    : graph_(graph),
      communities_(communities),
      options_(std::move(options)),
      scratch_(std::make_unique<ScratchPool>()) {
  check_sampler_options(options_);
  KITH_CHECK(communities.num_nodes() == graph.num_nodes(), InvalidArgument, "ClusterSampler: the graph has ",
             graph.num_nodes(), " nodes, the communities cover ", communities.num_nodes());
}

ClusterSampler::~ClusterSampler() = default;

MiniBatch ClusterSampler::sample(std::span<const NodeId> roots) const {
  ScratchPool::Lease lease(*scratch_);
  LocalIds& local_ids = (*lease).local_ids;
  local_ids.begin_batch(graph_.num_nodes());
  local_ids.set_roots(roots);
  MiniBatch batch;
  batch.input_nodes.assign(roots.begin(), roots.end());
  for (const std::int32_t community : communities_of(roots, communities_)) {
    for (NodeId v = communities_.begin(community); v < communities_.end(community); ++v) {
      if (local_ids.has(v)) continue;
      local_ids.set(v, static_cast<std::int32_t>(batch.input_nodes.size()));
      batch.input_nodes.push_back(v);
    }
  }
  batch.hop_bounds.assign(options_.fanouts.size() + 1, static_cast<std::int32_t>(batch.input_nodes.size()));
  batch.hop_bounds.front() = static_cast<std::int32_t>(roots.size());
  // The last hop's sources hear from nobody further out.
  fill_adjacency(graph_, local_ids, batch.hop_bounds[options_.fanouts.size() - 1], options_.keep_edges, batch);
  for (std::size_t i = 0; i + 1 < batch.offsets.size(); ++i) {
    const std::int32_t community = communities_.community_of(batch.input_nodes[i]);
    for (std::int32_t e = batch.offsets[i]; e < batch.offsets[i + 1]; ++e) {
      const NodeId source =
          batch.input_nodes[static_cast<std::size_t>(batch.sources[static_cast<std::size_t>(e)])];
      batch.num_intra_edges += communities_.community_of(source) == community ? 1 : 0;
    }
  }
  return batch;
}

}  // namespace kith
