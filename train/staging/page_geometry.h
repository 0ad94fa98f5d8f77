// How a feature table is cut into pages: the unit of staging between memories.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "graph/errors.h"
#include "graph/types.h"

namespace kith {

/// A page of a table, counted from its beginning.
using PageId = std::int32_t;

inline constexpr std::size_t kDefaultPageBytes = 64 << 10;

/// Pages of whole rows. A page starts at a row, and the last one may be short.
///
/// Example, 10 rows of 100 bytes in pages of 350: 3 rows a page, 4 pages, page 3 holds row 9 alone.
class PageGeometry {
 public:
  /// page_bytes: at most so many bytes a page, but at least one row. Throws InvalidArgument for a table of
  /// empty rows, or an empty page.
  PageGeometry(std::int64_t num_rows, std::size_t row_bytes, std::size_t page_bytes)
      : num_rows_(num_rows), row_bytes_(row_bytes) {
    KITH_CHECK(row_bytes > 0, InvalidArgument, "staging: the dataset has no features");
    KITH_CHECK(page_bytes > 0, InvalidArgument, "staging: a page must have more than 0 bytes");
    const std::size_t fitting = std::max<std::size_t>(page_bytes / row_bytes, 1);
    rows_per_page_ = static_cast<std::int32_t>(
        std::min<std::size_t>(fitting, static_cast<std::size_t>(std::max<std::int64_t>(num_rows, 1))));
    const auto divisor = static_cast<std::uint64_t>(rows_per_page_);
    shift_ = 31 + std::bit_width(divisor - 1);
    factor_ = ((std::uint64_t{1} << shift_) + divisor - 1) / divisor;
  }

  std::int64_t num_rows() const { return num_rows_; }
  std::size_t row_bytes() const { return row_bytes_; }
  std::int32_t rows_per_page() const { return rows_per_page_; }
  /// Bytes of a full page.
  std::size_t page_bytes() const { return static_cast<std::size_t>(rows_per_page_) * row_bytes_; }
  PageId num_pages() const { return static_cast<PageId>((num_rows_ + rows_per_page_ - 1) / rows_per_page_); }

  /// row / rows_per_page(), as a product: every row of every batch comes by here.
  PageId page_of(NodeId row) const {
    return static_cast<PageId>(static_cast<std::uint64_t>(row) * factor_ >> shift_);
  }
  NodeId first_row(PageId page) const { return page * rows_per_page_; }
  std::int32_t rows_in(PageId page) const {
    return static_cast<std::int32_t>(std::min<std::int64_t>(rows_per_page_, num_rows_ - first_row(page)));
  }

 private:
  std::int64_t num_rows_;
  std::size_t row_bytes_;
  std::int32_t rows_per_page_;
  // For d rows a page, 2^(k - 1) < d <= 2^k: factor * d exceeds 2^(31 + k) by less than d, which a row below
  // 2^31 does not notice (Granlund & Montgomery, PLDI 1994).
  int shift_;             ///< 31 + k
  std::uint64_t factor_;  ///< at most 2^32
};

}  // namespace kith
