// Which rows and pages live in which tier, from the statistics of a sampled epoch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/views.h"
#include "train/staging/access_trace.h"
#include "train/staging/batch_touches.h"

namespace kith {

/// The `count` ids of the highest scores above 0; of equals the smaller ids. Returns a set of scores.size()
/// ids.
IdSet choose_best(std::span<const std::int32_t> scores, std::int64_t count);

/// How many neighbour lists hold each node: how often it is read when every list is. [num_nodes]
std::vector<std::int32_t> count_list_entries(CsrView graph);

/// In how many batches each row is read alone, without a row store: the isolated neighbours. [num_rows]
std::vector<std::int32_t> count_isolated(const AccessTrace& trace, BatchSplitter& splitter);

/// In how many batches each page is touched. [num_pages]
std::vector<std::int32_t> count_page_touches(const AccessTrace& trace, const PageGeometry& geometry);

/// Reads of one epoch by the tier that serves them.
struct TierTraffic {
  std::int64_t fast = 0, host = 0, disk = 0;  ///< bytes
};

/// Where every row lives. Rows are equal in size and each tier is faster than the next, so the sum of accesses
/// x bytes / bandwidth is smallest when the tiers are filled in the order of the accesses: an exchange of two
/// rows that are out of order never makes it larger.
struct Placement {
  IdSet fast, host;  ///< [num_rows]; the others are on disk

  /// accesses: [num_rows] of the sampled epoch.
  Placement(std::span<const std::int32_t> accesses, std::int64_t fast_rows, std::int64_t host_rows);

  /// Bytes that each tier serves for these accesses.
  TierTraffic traffic(std::span<const std::int32_t> accesses, std::size_t row_bytes) const;
};

}  // namespace kith
