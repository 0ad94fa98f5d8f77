// Private to graph/: puts feature rows that come in any order at their places in a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "graph/posix_file.h"

namespace kith {

/// Gathers rows in a buffer of at most buffer_bytes (one row at least) and writes them in file order when it is
/// full. Does not own the file.
class FeatureWriter {
 public:
  /// The table lies at [offset, offset + num_rows * row_bytes) of the file, which the caller has reserved.
  FeatureWriter(PosixFile& file, std::uint64_t offset, std::int64_t num_rows, std::size_t row_bytes,
                std::size_t buffer_bytes);

  std::uint64_t offset() const { return offset_; }
  std::int64_t num_rows() const { return num_rows_; }
  std::size_t row_bytes() const { return row_bytes_; }

  /// row in [0, num_rows), values: [row_bytes]; the caller has checked both. Throws as PosixFile::write.
  void add(std::int64_t row, std::span<const std::byte> values);

  /// Writes what is still in the buffer.
  void flush();

 private:
  PosixFile* file_;
  std::uint64_t offset_;
  std::int64_t num_rows_;
  std::size_t row_bytes_;
  std::size_t capacity_;            ///< rows
  std::vector<std::byte> buffer_;   ///< [rows_.size() x row_bytes_], in order of arrival
  std::vector<std::int64_t> rows_;  ///< place in the table of each buffered row
  std::vector<std::size_t> order_;  ///< scratch of flush
};

}  // namespace kith
