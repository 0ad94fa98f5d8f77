#include "train/staging/access_trace.h"

#include <tbb/global_control.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <utility>

#include "graph/errors.h"

namespace kith {

void AccessTrace::add(std::span<const NodeId> rows, std::span<const std::int32_t> root_communities,
                      std::int64_t references) {
  rows_.insert(rows_.end(), rows.begin(), rows.end());
  row_bounds_.push_back(rows_.size());
  communities_.insert(communities_.end(), root_communities.begin(), root_communities.end());
  community_bounds_.push_back(communities_.size());
  references_.push_back(references);
}

void AccessTrace::add(const MiniBatch& batch, const Communities& communities) {
  const auto num_destinations = static_cast<std::int64_t>(batch.offsets.size()) - 1;
  add(batch.input_nodes, communities_by_roots(batch.roots(), communities),
      static_cast<std::int64_t>(batch.sources.size()) + num_destinations);
}

std::span<const NodeId> AccessTrace::rows(std::size_t batch) const {
  return std::span(rows_).subspan(row_bounds_[batch], row_bounds_[batch + 1] - row_bounds_[batch]);
}

std::span<const std::int32_t> AccessTrace::root_communities(std::size_t batch) const {
  return std::span(communities_)
      .subspan(community_bounds_[batch], community_bounds_[batch + 1] - community_bounds_[batch]);
}

AccessTrace record_trace(const Loader& loader, std::int32_t first_epoch, std::int32_t num_epochs) {
  AccessTrace trace;
  // Few at a time: a sampler keeps 8 bytes a node for as many batches as it ever made at once.
  constexpr std::size_t kAtOnce = 4;
  const auto num_threads = tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism);
  std::vector<SampledBatch> sampled(std::min(kAtOnce, num_threads));
  for (std::int32_t epoch = first_epoch; epoch < first_epoch + num_epochs; ++epoch) {
    const Plan plan = loader.plan(epoch);
    for (std::size_t first = 0; first < plan.size(); first += sampled.size()) {
      const std::size_t count = std::min(sampled.size(), plan.size() - first);
      tbb::parallel_for(std::size_t{0}, count,
                        [&](std::size_t i) { sampled[i] = loader.sample(plan, epoch, first + i); });
      for (std::size_t i = 0; i < count; ++i) trace.add(sampled[i].batch, loader.communities());
    }
  }
  return trace;
}

std::vector<std::int32_t> communities_by_roots(std::span<const NodeId> roots, const Communities& communities) {
  std::vector<std::int32_t> of_root;
  of_root.reserve(roots.size());
  for (const NodeId root : roots) of_root.push_back(communities.community_of(root));
  std::sort(of_root.begin(), of_root.end());
  std::vector<std::pair<std::int32_t, std::int32_t>> counts;  // minus the number of roots, community
  for (const std::int32_t community : of_root) {
    if (counts.empty() || counts.back().second != community) counts.emplace_back(0, community);
    --counts.back().first;
  }
  std::sort(counts.begin(), counts.end());
  std::vector<std::int32_t> result;
  result.reserve(counts.size());
  for (const auto& [count, community] : counts) result.push_back(community);
  return result;
}

DedupCounts count_dedup(const AccessTrace& trace, std::int64_t num_rows, std::size_t window) {
  KITH_CHECK(window > 0, InvalidArgument, "count_dedup: a window must have more than 0 batches");
  DedupCounts counts;
  std::vector<std::size_t> last_window(static_cast<std::size_t>(num_rows));  // counted from 1; 0 = never
  for (std::size_t batch = 0; batch < trace.num_batches(); ++batch) {
    const std::size_t present = batch / window + 1;
    for (const NodeId row : trace.rows(batch)) {
      counts.window_rows +=
          std::exchange(last_window[static_cast<std::size_t>(row)], present) == present ? 0 : 1;
    }
    counts.batch_rows += static_cast<std::int64_t>(trace.rows(batch).size());
    counts.references += trace.references(batch);
  }
  return counts;
}

std::vector<std::int32_t> count_accesses(const AccessTrace& trace, std::int64_t num_rows) {
  std::vector<std::int32_t> counts(static_cast<std::size_t>(num_rows));
  for (std::size_t batch = 0; batch < trace.num_batches(); ++batch) {
    for (const NodeId row : trace.rows(batch)) ++counts[static_cast<std::size_t>(row)];
  }
  return counts;
}

}  // namespace kith
