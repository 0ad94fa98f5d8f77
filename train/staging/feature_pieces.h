// The feature table read from its file a piece at a time, for what reads all of it once: evaluation and
// prediction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "graph/feature_store.h"
#include "graph/types.h"
#include "train/staging/file_reader.h"

namespace kith {

/// Owns one buffer, which every call fills anew. One thread at a time.
class FeaturePieces {
 public:
  /// max_bytes: of max_rows(), but at least one row. Throws InvalidArgument unless the features have a file,
  /// IoError if it cannot be opened.
  explicit FeaturePieces(const FeatureStore& features, std::size_t max_bytes = kMaxBytes);

  std::int64_t max_rows() const { return max_rows_; }

  /// Rows [first, first + count); the view is valid until the next call. The buffer grows to what is asked for:
  /// more than max_rows() where memory for a multiple of it is held anyway. Throws IoError.
  FeatureView read(std::int64_t first, std::int64_t count);

 private:
  static constexpr std::size_t kMaxBytes = 8 << 20;

  FeatureView view_of_buffer(std::size_t num_rows);

  FeatureView shape_;
  std::uint64_t file_offset_;
  std::int64_t max_rows_;
  std::unique_ptr<FileReader> reader_;
  std::vector<std::byte> buffer_;
};

}  // namespace kith
