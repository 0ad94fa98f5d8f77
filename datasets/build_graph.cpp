#include "datasets/build_graph.h"

#include <sys/mman.h>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "graph/errors.h"

namespace kith {
namespace {

// While the rows are filled and sorted, a neighbour is kept as (id << 1 | is_reverse) in the same 32 bits: ids
// need 31. So stored edges sort before the reverse copy of the same edge, and cleaning knows which edges were
// added.
using Key = std::uint32_t;

constexpr NodeId as_neighbor(Key key) { return static_cast<NodeId>(key >> 1); }
constexpr Key kReverse = 1;

// What both passes must agree on. A file that is rewritten while we read it would otherwise fill the wrong
// rows.
struct Fingerprint {
  EdgeOffset num_edges = 0;
  std::uint64_t sum = 0;

  void add(Edge edge) {
    const auto both = static_cast<std::uint64_t>(static_cast<std::uint32_t>(edge.source)) << 32 |
                      static_cast<std::uint32_t>(edge.target);
    sum += (both + 1) * 0x9E3779B97F4A7C15U ^ (both >> 29);
    ++num_edges;
  }
  bool operator==(const Fingerprint&) const = default;
};

struct Rows {
  std::vector<EdgeOffset> offsets;  // [num_nodes + 1]
  std::vector<NodeId> keys;         // [offsets.back()], each a Key until clean_rows has run
  std::vector<EdgeOffset> edge_id;  // [offsets.back()] or empty
};

// Row v is counted at offsets[v + 2], so that after the prefix sum offsets[v + 1] is where row v is filled
// from, and after the filling where it ends: no second array of cursors.
Fingerprint count_rows(Source& source, const BuildOptions& options, std::vector<EdgeOffset>& offsets,
                       BuildCounts& counts) {
  Fingerprint seen;
  source.for_each_edges([&](std::span<const Edge> edges) {
    for (const Edge edge : edges) {
      seen.add(edge);
      const bool is_loop = edge.source == edge.target;
      counts.self_loops += is_loop;
      if (is_loop && options.drop_self_loops) continue;
      ++offsets[static_cast<std::size_t>(edge.target) + 2];
      if (options.symmetrize && !is_loop) ++offsets[static_cast<std::size_t>(edge.source) + 2];
    }
  });
  counts.source_edges = seen.num_edges;
  counts.self_loops_dropped = options.drop_self_loops ? counts.self_loops : 0;
  return seen;
}

Fingerprint fill_rows(Source& source, const BuildOptions& options, Rows& rows) {
  Fingerprint seen;
  const auto limit = static_cast<EdgeOffset>(rows.keys.size());
  const auto put = [&](NodeId row, NodeId neighbor, Key flag) {
    const EdgeOffset place = rows.offsets[static_cast<std::size_t>(row) + 1]++;
    KITH_CHECK(place < limit, IoError, "the source changed while it was read");
    rows.keys[static_cast<std::size_t>(place)] = static_cast<NodeId>(static_cast<Key>(neighbor) << 1 | flag);
    if (!rows.edge_id.empty()) rows.edge_id[static_cast<std::size_t>(place)] = seen.num_edges - 1;
  };
  source.for_each_edges([&](std::span<const Edge> edges) {
    for (const Edge edge : edges) {
      seen.add(edge);
      const bool is_loop = edge.source == edge.target;
      if (is_loop && options.drop_self_loops) continue;
      put(edge.target, edge.source, 0);
      if (options.symmetrize && !is_loop) put(edge.source, edge.target, kReverse);
    }
  });
  return seen;
}

// Sorts by key and, among equal keys, by position in the source.
void sort_with_ids(std::span<NodeId> keys, std::span<EdgeOffset> ids) {
  std::vector<std::pair<Key, EdgeOffset>> row(keys.size());
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = {static_cast<Key>(keys[i]), ids[i]};
  std::sort(row.begin(), row.end());
  for (std::size_t i = 0; i < row.size(); ++i) {
    keys[i] = static_cast<NodeId>(row[i].first);
    ids[i] = row[i].second;
  }
}

struct RowCounts {
  std::size_t kept = 0;
  EdgeOffset duplicates = 0;
  EdgeOffset added = 0;
};

// Keeps the first of each neighbour at the front of the row and turns keys into ids.
RowCounts clean_row(std::span<NodeId> keys, std::span<EdgeOffset> ids) {
  if (ids.empty()) {
    std::sort(keys.begin(), keys.end(),
              [](NodeId a, NodeId b) { return static_cast<Key>(a) < static_cast<Key>(b); });
  } else {
    sort_with_ids(keys, ids);
  }
  RowCounts counts;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto key = static_cast<Key>(keys[i]);
    const bool is_reverse = (key & kReverse) != 0;
    if (counts.kept > 0 && keys[counts.kept - 1] == as_neighbor(key)) {
      counts.duplicates += !is_reverse;
      continue;
    }
    counts.added += is_reverse;
    keys[counts.kept] = as_neighbor(key);
    if (!ids.empty()) ids[counts.kept] = ids[i];
    ++counts.kept;
  }
  return counts;
}

// Sorts and cleans every row in place; afterwards row v holds the returned [v] entries, the rest of it is
// stale.
std::vector<NodeId> clean_rows(Rows& rows, BuildCounts& counts) {
  const auto num_nodes = static_cast<NodeId>(rows.offsets.size()) - 1;
  std::vector<NodeId> degree(static_cast<std::size_t>(num_nodes));
  std::atomic<EdgeOffset> duplicates = 0;
  std::atomic<EdgeOffset> added = 0;
  tbb::parallel_for(tbb::blocked_range<NodeId>(0, num_nodes, 1024), [&](const auto& range) {
    EdgeOffset range_duplicates = 0;
    EdgeOffset range_added = 0;
    for (NodeId v = range.begin(); v != range.end(); ++v) {
      const auto begin = static_cast<std::size_t>(rows.offsets[v]);
      const std::size_t size = static_cast<std::size_t>(rows.offsets[v + 1]) - begin;
      const std::span<EdgeOffset> ids =
          rows.edge_id.empty() ? std::span<EdgeOffset>() : std::span(rows.edge_id).subspan(begin, size);
      const RowCounts row = clean_row(std::span(rows.keys).subspan(begin, size), ids);
      degree[v] = static_cast<NodeId>(row.kept);
      range_duplicates += row.duplicates;
      range_added += row.added;
    }
    duplicates += range_duplicates;
    added += range_added;
  });
  counts.duplicates_dropped = duplicates;
  counts.edges_added = added;
  return degree;
}

// Shortens `values` and hands the pages behind its new end back to the system: shrink_to_fit would need the old
// and the new array at once, which doubles the peak for a source that stores both directions and is
// symmetrised.
template <typename T>
void truncate(std::vector<T>& values, std::size_t size) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto end = reinterpret_cast<std::uintptr_t>(values.data() + values.size());
  values.resize(size);
  const std::uintptr_t first =
      (reinterpret_cast<std::uintptr_t>(values.data() + size) + page - 1) / page * page;
  const std::uintptr_t last = end / page * page;
  // Advice only: if it fails, the memory stays ours until the graph goes.
  if (first < last) (void)madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

// Moves the kept entries of all rows together.
void close_gaps(Rows& rows, std::span<const NodeId> degree) {
  EdgeOffset end = 0;
  for (std::size_t v = 0; v < degree.size(); ++v) {
    const EdgeOffset begin = rows.offsets[v];
    rows.offsets[v] = end;
    if (begin != end) {
      std::copy_n(rows.keys.begin() + begin, degree[v], rows.keys.begin() + end);
      if (!rows.edge_id.empty())
        std::copy_n(rows.edge_id.begin() + begin, degree[v], rows.edge_id.begin() + end);
    }
    end += degree[v];
  }
  rows.offsets.back() = end;
  truncate(rows.keys, static_cast<std::size_t>(end));
  if (!rows.edge_id.empty()) truncate(rows.edge_id, static_cast<std::size_t>(end));
}

}  // namespace

BuiltGraph build_graph(Source& source, const BuildOptions& options) {
  const auto num_nodes = static_cast<std::size_t>(source.num_nodes());
  BuiltGraph built;
  Rows rows;
  rows.offsets.resize(num_nodes + 2);
  const Fingerprint counted = count_rows(source, options, rows.offsets, built.counts);
  for (std::size_t v = 2; v < rows.offsets.size(); ++v) rows.offsets[v] += rows.offsets[v - 1];
  const auto total = static_cast<std::size_t>(rows.offsets.back());
  rows.keys.resize(total);
  if (options.keep_edge_ids) rows.edge_id.resize(total);
  const Fingerprint filled = fill_rows(source, options, rows);
  KITH_CHECK(counted == filled, IoError, "the source changed while it was read");
  rows.offsets.pop_back();
  const std::vector<NodeId> degree = clean_rows(rows, built.counts);
  close_gaps(rows, degree);
  built.edge_id = std::move(rows.edge_id);
  built.graph = CsrGraph(std::move(rows.offsets), std::move(rows.keys), "build_graph");
  return built;
}

}  // namespace kith
