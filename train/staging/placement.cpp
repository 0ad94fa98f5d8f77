#include "train/staging/placement.h"

#include <algorithm>
#include <numeric>

namespace kith {
namespace {

/// All ids of a score above 0, the highest first; of equals the smaller id first.
std::vector<std::int32_t> by_score(std::span<const std::int32_t> scores) {
  std::vector<std::int32_t> ids;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] > 0) ids.push_back(static_cast<std::int32_t>(i));
  }
  std::stable_sort(ids.begin(), ids.end(),
                   [&](std::int32_t a, std::int32_t b) { return scores[a] > scores[b]; });
  return ids;
}

}  // namespace

IdSet choose_best(std::span<const std::int32_t> scores, std::int64_t count) {
  IdSet chosen(scores.size());
  std::vector<std::int32_t> ids = by_score(scores);
  ids.resize(std::min(ids.size(), static_cast<std::size_t>(std::max<std::int64_t>(count, 0))));
  for (const std::int32_t id : ids) chosen[id] = true;
  return chosen;
}

std::vector<std::int32_t> count_list_entries(CsrView graph) {
  std::vector<std::int32_t> counts(static_cast<std::size_t>(graph.num_nodes()));
  for (const NodeId neighbor : graph.neighbors) ++counts[neighbor];
  return counts;
}

std::vector<std::int32_t> count_isolated(const AccessTrace& trace, BatchSplitter& splitter) {
  const PageGeometry& geometry = splitter.geometry();
  std::vector<std::int32_t> counts(static_cast<std::size_t>(geometry.num_rows()));
  IdSet is_dense(static_cast<std::size_t>(geometry.num_pages()));
  for (std::size_t batch = 0; batch < trace.num_batches(); ++batch) {
    const BatchTouches touches = splitter.split(trace.rows(batch), 0, {});
    for (const PageId page : touches.dense) is_dense[page] = true;
    for (const NodeId row : trace.rows(batch)) {
      if (!is_dense[geometry.page_of(row)]) ++counts[row];
    }
    for (const PageId page : touches.dense) is_dense[page] = false;
  }
  return counts;
}

std::vector<std::int32_t> count_page_touches(const AccessTrace& trace, const PageGeometry& geometry) {
  std::vector<std::int32_t> counts(static_cast<std::size_t>(geometry.num_pages()));
  std::vector<std::size_t> last(counts.size());  // counted from 1
  for (std::size_t batch = 0; batch < trace.num_batches(); ++batch) {
    for (const NodeId row : trace.rows(batch)) {
      const PageId page = geometry.page_of(row);
      if (last[page] == batch + 1) continue;
      last[page] = batch + 1;
      ++counts[page];
    }
  }
  return counts;
}

Placement::Placement(std::span<const std::int32_t> accesses, std::int64_t fast_rows, std::int64_t host_rows)
    : fast(accesses.size()), host(accesses.size()) {
  const std::vector<std::int32_t> rows = by_score(accesses);
  const auto num_fast = std::min(rows.size(), static_cast<std::size_t>(std::max<std::int64_t>(fast_rows, 0)));
  const auto num_host =
      std::min(rows.size() - num_fast, static_cast<std::size_t>(std::max<std::int64_t>(host_rows, 0)));
  for (std::size_t i = 0; i < num_fast; ++i) fast[rows[i]] = true;
  for (std::size_t i = num_fast; i < num_fast + num_host; ++i) host[rows[i]] = true;
}

TierTraffic Placement::traffic(std::span<const std::int32_t> accesses, std::size_t row_bytes) const {
  TierTraffic sum;
  for (std::size_t row = 0; row < accesses.size(); ++row) {
    const std::int64_t bytes = accesses[row] * static_cast<std::int64_t>(row_bytes);
    (fast[row] ? sum.fast : host[row] ? sum.host : sum.disk) += bytes;
  }
  return sum;
}

}  // namespace kith
