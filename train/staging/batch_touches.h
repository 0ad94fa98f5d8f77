// Splits what a batch reads into whole pages and isolated rows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/types.h"
#include "train/staging/options.h"
#include "train/staging/page_geometry.h"
#include "train/staging/tier_model.h"

namespace kith {

/// A set of rows, or of pages.
using IdSet = std::vector<bool>;

/// What a batch reads in one page, without the rows of the row store.
struct PageTouch {
  PageId page = 0;
  std::int32_t rows = 0;
  std::int64_t alone_bytes = 0;  ///< read row by row, in the units of its tier
  SlowTier source = SlowTier::host;
  bool is_dense = false;  ///< the page is read whole
};

/// What a batch reads.
struct BatchTouches {
  std::vector<PageTouch> pages;  ///< in the order of first touch
  std::vector<PageId> dense;     ///< of them, those that are read whole
  std::int64_t num_rows = 0;     ///< those of the row store counted too
  std::int64_t num_stored = 0;   ///< rows of the row store
  std::int32_t context = 0;      ///< community of most roots
};

/// Decides page by page from the rows that a batch needs of it, so that the answer does not depend on what a
/// cache holds. Rows of the batch's communities make dense pages, the neighbours outside sparse ones. One
/// thread at a time.
class BatchSplitter {
 public:
  /// host_pages: [num_pages] pages that lie in the host tier; empty = all of them.
  BatchSplitter(const PageGeometry& geometry, const TierModel& model, IdSet host_pages, Isolation isolation);

  /// rows: global ids, each once. stored: [num_rows] the row store, or empty.
  BatchTouches split(std::span<const NodeId> rows, std::int32_t context, const IdSet& stored);

  const PageGeometry& geometry() const { return geometry_; }
  const TierModel& model() const { return model_; }
  SlowTier source(PageId page) const {
    return host_pages_.empty() || host_pages_[page] ? SlowTier::host : SlowTier::disk;
  }
  std::int64_t bytes_of(PageId page) const {
    return geometry_.rows_in(page) * static_cast<std::int64_t>(geometry_.row_bytes());
  }

 private:
  /// Whether rows of a tier may share a unit, so that their bytes depend on each other.
  bool shares_units(SlowTier source) const {
    return source == SlowTier::host ? !host_units_.empty() : !disk_units_.empty();
  }
  /// Bytes that reading `row` alone adds, given the rows of this batch that were read alone before; of a tier
  /// that shares units.
  std::int64_t add_units(NodeId row, SlowTier source);
  std::int64_t bytes_in_units(SlowTier source) const;  ///< of a row, where rows share none
  bool is_dense(const PageTouch& touch) const;

  PageGeometry geometry_;
  TierModel model_;
  IdSet host_pages_;
  Isolation isolation_;
  std::vector<std::int32_t> rows_of_;       ///< [num_pages] of the batch; 0 between batches
  std::vector<std::int64_t> shared_bytes_;  ///< [num_pages] the same: rows read alone, where they share units
  std::uint32_t serial_ = 0;                ///< of the batch
  std::vector<std::uint32_t> host_units_,
      disk_units_;  ///< the last batch that read a unit; where a unit has rows
};

}  // namespace kith
