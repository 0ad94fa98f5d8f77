#include "train/staging/feature_pieces.h"

#include <algorithm>
#include <cstring>

#include "graph/errors.h"

namespace kith {
namespace {

constexpr std::size_t kReadBytes = 64 << 10;
constexpr std::uint64_t kGapBytes = 16 << 10;  // unwanted bytes that cost less than another read

/// Rows that one read brings: ids[first] to ids[last], and what lies between.
struct NearRows {
  std::uint64_t begin = 0, end = 0;  ///< in the file
  std::size_t first = 0, last = 0;
};

}  // namespace

FeaturePieces::FeaturePieces(const FeatureStore& features, std::size_t max_bytes) : shape_(features.view()) {
  KITH_CHECK(features.file().has_value(), InvalidArgument,
             "features are to be read in pieces, but have no file");
  file_offset_ = features.file()->offset;
  max_rows_ = static_cast<std::int64_t>(std::max<std::size_t>(max_bytes / shape_.row_bytes(), 1));
  reader_ =
      open_file_reader(features.file()->path, {.max_read_bytes = std::max(kReadBytes, shape_.row_bytes())});
}

FeatureView FeaturePieces::view_of_buffer(std::size_t num_rows) {
  buffer_.resize(std::max(buffer_.size(), num_rows * shape_.row_bytes()));
  FeatureView view = shape_;
  view.data = buffer_.data();
  view.num_rows = static_cast<std::int64_t>(num_rows);
  return view;
}

FeatureView FeaturePieces::read(std::int64_t first, std::int64_t count) {
  const FeatureView view = view_of_buffer(static_cast<std::size_t>(count));
  const FileRead read{.offset = file_offset_ + static_cast<std::uint64_t>(first) * shape_.row_bytes(),
                      .into = {buffer_.data(), static_cast<std::size_t>(count) * shape_.row_bytes()}};
  reader_->read(std::span(&read, 1));
  return view;
}

FeatureView FeaturePieces::gather(std::span<const NodeId> ids) {
  const FeatureView view = view_of_buffer(ids.size());
  const std::size_t row_bytes = shape_.row_bytes();
  std::vector<NearRows> reads;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::uint64_t offset = file_offset_ + static_cast<std::uint64_t>(ids[i]) * row_bytes;
    const bool is_near = !reads.empty() && offset - reads.back().end <= kGapBytes &&
                         offset + row_bytes - reads.back().begin <= reader_->max_read_bytes();
    if (!is_near) reads.push_back({.begin = offset, .first = i});
    reads.back().end = offset + row_bytes;
    reads.back().last = i;
  }
  for (std::size_t next = 0; next < reads.size() || reader_->num_under_way() > 0;) {
    for (; next < reads.size() && reader_->can_start(); ++next) {
      reader_->start(reads[next].begin, reads[next].end - reads[next].begin, next);
    }
    const FinishedRead done = reader_->wait();
    const NearRows& rows = reads[done.tag];
    for (std::size_t i = rows.first; i <= rows.last; ++i) {
      const std::size_t within = static_cast<std::size_t>(ids[i] - ids[rows.first]) * row_bytes;
      std::memcpy(buffer_.data() + i * row_bytes, done.bytes.data() + within, row_bytes);
    }
    reader_->give_back(done);
  }
  return view;
}

}  // namespace kith
