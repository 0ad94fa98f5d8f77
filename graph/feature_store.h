// Node features, row-major [num_nodes x dim], in memory or mapped from a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/types.h"

namespace kith {

/// How a feature value is stored. Arithmetic is always in the model's own type.
enum class FeatureType : std::uint8_t { f32, f16, bf16 };

/// Bytes of one value.
std::size_t size_of(FeatureType type);

/// "f32", "f16", "bf16".
std::string_view name_of(FeatureType type);

/// Throws InvalidArgument for any other name.
FeatureType parse_feature_type(std::string_view name);

/// The bytes of a feature table, not owned. Kernels read it through this.
struct FeatureView {
  /// [num_rows x dim] values of `type`, row-major, no padding. Null if the table is left in its file.
  const std::byte* data = nullptr;
  std::int64_t num_rows = 0;
  std::int32_t dim = 0;
  FeatureType type = FeatureType::f32;

  std::size_t row_bytes() const { return static_cast<std::size_t>(dim) * size_of(type); }
  const std::byte* row(std::int64_t v) const { return data + static_cast<std::size_t>(v) * row_bytes(); }
  /// Rows [first, first + count).
  FeatureView rows(std::int64_t first, std::int64_t count) const {
    return {.data = row(first), .num_rows = count, .dim = dim, .type = type};
  }
};

/// Where a feature table lies in a file.
struct FeatureFile {
  std::string path;
  std::uint64_t offset = 0;  ///< of row 0, bytes
};

/// Owns feature bytes. Move-only; the view stays valid as long as the store lives.
class FeatureStore {
 public:
  FeatureStore() = default;

  /// Takes over row-major bytes. Throws InvalidArgument unless their count is num_rows * dim * size.
  FeatureStore(std::vector<std::byte> bytes, std::int64_t num_rows, std::int32_t dim, FeatureType type);

  /// Maps num_rows * dim values at `file_offset` of the file, read-only. Throws IoError.
  static FeatureStore map_file(const char* path, std::uint64_t file_offset, std::int64_t num_rows,
                               std::int32_t dim, FeatureType type);

  /// Leaves the table in its file: view() has its shape and no data. Throws IoError if the file is too short.
  static FeatureStore in_file(const char* path, std::uint64_t file_offset, std::int64_t num_rows,
                              std::int32_t dim, FeatureType type);

  /// The table of a store made by in_file or map_file, mapped or loaded. Throws IoError.
  FeatureStore mapped() const;
  FeatureStore loaded() const;

  /// Keeps `owner` alive and reads `data` in place: for arrays that another library owns.
  static FeatureStore borrow(const std::byte* data, std::int64_t num_rows, std::int32_t dim, FeatureType type,
                             std::unique_ptr<void, void (*)(void*)> owner);

  FeatureStore(FeatureStore&&) = default;
  FeatureStore& operator=(FeatureStore&&) = default;
  FeatureStore(const FeatureStore&) = delete;
  FeatureStore& operator=(const FeatureStore&) = delete;

  FeatureView view() const { return view_; }
  /// Whether view() has data (a table of no bytes always is).
  bool is_in_memory() const { return view_.data != nullptr || num_bytes() == 0; }
  std::size_t num_bytes() const { return static_cast<std::size_t>(view_.num_rows) * view_.row_bytes(); }
  /// The file that the table is mapped from or lies in: for readers that go past the mapping.
  const std::optional<FeatureFile>& file() const { return file_; }
  std::int64_t num_rows() const { return view_.num_rows; }
  std::int32_t dim() const { return view_.dim; }

 private:
  FeatureView view_;
  std::optional<FeatureFile> file_;
  std::unique_ptr<void, void (*)(void*)> owner_{nullptr, [](void*) {}};
};

/// The first row that holds a NaN or an infinite value, if there is one. Parallel; reads the whole table.
std::optional<std::int64_t> first_non_finite_row(FeatureView features);

/// The same for a table that may lie in its file, which is then read piece by piece. Throws IoError.
std::optional<std::int64_t> first_non_finite_row(const FeatureStore& features);

}  // namespace kith
