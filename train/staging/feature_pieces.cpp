#include "train/staging/feature_pieces.h"

#include <algorithm>

#include "graph/errors.h"

namespace kith {
namespace {

constexpr std::size_t kReadBytes = 64 << 10;

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

}  // namespace kith
