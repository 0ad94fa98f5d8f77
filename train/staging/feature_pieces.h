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
  /// max_bytes: of the buffer, but at least one row. By default 8 MiB, or a 64th of a large table: every piece
  /// costs an aggregation a look at every node. Throws InvalidArgument unless the features have a file, IoError
  /// if it cannot be opened.
  explicit FeaturePieces(const FeatureStore& features);
  FeaturePieces(const FeatureStore& features, std::size_t max_bytes);

  std::int64_t max_rows() const { return max_rows_; }

  /// Rows [first, first + count); the view is valid until the next call. Throws IoError.
  FeatureView read(std::int64_t first, std::int64_t count);

 private:
  FeatureView view_of_buffer(std::size_t num_rows);

  FeatureView shape_;
  std::uint64_t file_offset_;
  std::int64_t max_rows_;
  std::unique_ptr<FileReader> reader_;
  std::vector<std::byte> buffer_;
};

}  // namespace kith
