#include "graph/feature_writer.h"

#include <algorithm>
#include <numeric>

namespace kith {

FeatureWriter::FeatureWriter(PosixFile& file, std::uint64_t offset, std::int64_t num_rows,
                             std::size_t row_bytes, std::size_t buffer_bytes)
    : file_(&file),
      offset_(offset),
      num_rows_(num_rows),
      row_bytes_(row_bytes),
      capacity_(std::max<std::size_t>(1, buffer_bytes / std::max<std::size_t>(1, row_bytes))) {
  capacity_ = std::min(capacity_, static_cast<std::size_t>(num_rows));
  buffer_.reserve(capacity_ * row_bytes_);
  rows_.reserve(capacity_);
}

void FeatureWriter::add(std::int64_t row, std::span<const std::byte> values) {
  if (rows_.size() == capacity_) flush();
  buffer_.insert(buffer_.end(), values.begin(), values.end());
  rows_.push_back(row);
}

void FeatureWriter::flush() {
  order_.resize(rows_.size());
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  // Stable: of two versions of a row the later one is written last.
  if (!std::is_sorted(rows_.begin(), rows_.end())) {
    std::stable_sort(order_.begin(), order_.end(),
                     [&](std::size_t a, std::size_t b) { return rows_[a] < rows_[b]; });
  }
  const auto follows = [&](std::size_t a, std::size_t b) { return b == a + 1 && rows_[b] == rows_[a] + 1; };
  for (std::size_t begin = 0, end = 0; begin < order_.size(); begin = end) {
    end = begin + 1;
    while (end < order_.size() && follows(order_[end - 1], order_[end])) ++end;
    const std::size_t first = order_[begin];
    file_->write(offset_ + static_cast<std::uint64_t>(rows_[first]) * row_bytes_,
                 std::span(buffer_).subspan(first * row_bytes_, (end - begin) * row_bytes_));
  }
  buffer_.clear();
  rows_.clear();
}

}  // namespace kith
