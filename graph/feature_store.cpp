#include "graph/feature_store.h"

#include <sys/mman.h>
#include <tbb/blocked_range.h>
#include <tbb/parallel_reduce.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "graph/errors.h"
#include "graph/posix_file.h"

namespace kith {
namespace {

constexpr std::int64_t kNoRow = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kPieceBytes = std::size_t{4} << 20;  // of a table that is read from its file

struct Mapping {
  void* address;
  std::size_t num_bytes;
};

void unmap(void* owner) {
  const std::unique_ptr<Mapping> mapping(static_cast<Mapping*>(owner));
  ::munmap(mapping->address, mapping->num_bytes);
}

/// Bytes of a table, or nothing if its shape is negative or does not fit 64 bits.
std::optional<std::size_t> table_bytes(std::int64_t num_rows, std::int32_t dim, FeatureType type) {
  std::size_t bytes = 0;
  if (num_rows < 0 || dim < 0) return std::nullopt;
  if (__builtin_mul_overflow(static_cast<std::size_t>(num_rows), static_cast<std::size_t>(dim), &bytes) ||
      __builtin_mul_overflow(bytes, size_of(type), &bytes)) {
    return std::nullopt;
  }
  return bytes;
}

/// NaN and infinity are the values whose exponent bits are all set.
template <typename Bits>
bool has_non_finite(const std::byte* row, std::int32_t dim, Bits exponent) {
  for (std::int32_t i = 0; i < dim; ++i) {
    Bits bits;
    std::memcpy(&bits, row + static_cast<std::size_t>(i) * sizeof(Bits), sizeof(Bits));
    if ((bits & exponent) == exponent) return true;
  }
  return false;
}

/// Throws IoError unless the table lies inside the file. Returns its bytes.
std::size_t check_in_file(const char* path, const PosixFile& file, std::uint64_t file_offset,
                          const FeatureView& shape) {
  const std::uint64_t file_bytes = file.size();
  const std::optional<std::size_t> bytes = table_bytes(shape.num_rows, shape.dim, shape.type);
  KITH_CHECK(bytes && file_offset <= file_bytes && *bytes <= file_bytes - file_offset, IoError, path,
             ": the features (", shape.num_rows, " x ", shape.dim, " x ", name_of(shape.type), " at byte ",
             file_offset, ") reach past the end of the file (", file_bytes, " bytes)");
  KITH_CHECK(file_offset % size_of(shape.type) == 0, IoError, path, ": the features start at byte ",
             file_offset, ", which is not a multiple of ", size_of(shape.type));
  return *bytes;
}

bool is_non_finite_row(const FeatureView& features, std::int64_t row) {
  switch (features.type) {
    case FeatureType::f32:
      return has_non_finite<std::uint32_t>(features.row(row), features.dim, 0x7F800000U);
    case FeatureType::f16:
      return has_non_finite<std::uint16_t>(features.row(row), features.dim, 0x7C00U);
    case FeatureType::bf16:
      return has_non_finite<std::uint16_t>(features.row(row), features.dim, 0x7F80U);
  }
  return false;
}

}  // namespace

std::size_t size_of(FeatureType type) { return type == FeatureType::f32 ? 4 : 2; }

std::string_view name_of(FeatureType type) {
  switch (type) {
    case FeatureType::f32:
      return "f32";
    case FeatureType::f16:
      return "f16";
    case FeatureType::bf16:
      return "bf16";
  }
  return "?";
}

FeatureType parse_feature_type(std::string_view name) {
  for (const FeatureType type : {FeatureType::f32, FeatureType::f16, FeatureType::bf16}) {
    if (name == name_of(type)) return type;
  }
  throw InvalidArgument(concat("feature type: expected f32, f16 or bf16, got ", name));
}

FeatureStore::FeatureStore(std::vector<std::byte> bytes, std::int64_t num_rows, std::int32_t dim,
                           FeatureType type) {
  const std::optional<std::size_t> expected = table_bytes(num_rows, dim, type);
  KITH_CHECK(expected.has_value(), InvalidArgument, "FeatureStore: a table of ", num_rows, " x ", dim,
             " values is not possible");
  KITH_CHECK(bytes.size() == *expected, InvalidArgument, "FeatureStore: expected ", *expected, " bytes (",
             num_rows, " x ", dim, " x ", name_of(type), "), got ", bytes.size());
  auto owned = std::make_unique<std::vector<std::byte>>(std::move(bytes));
  view_ = {owned->data(), num_rows, dim, type};
  owner_ = {owned.release(), [](void* owner) { delete static_cast<std::vector<std::byte>*>(owner); }};
}

FeatureStore FeatureStore::map_file(const char* path, std::uint64_t file_offset, std::int64_t num_rows,
                                    std::int32_t dim, FeatureType type) {
  const PosixFile file = PosixFile::open(path);
  const FeatureView shape{.data = nullptr, .num_rows = num_rows, .dim = dim, .type = type};
  const std::size_t bytes = check_in_file(path, file, file_offset, shape);
  if (bytes == 0) return borrow(nullptr, num_rows, dim, type, {nullptr, [](void*) {}});

  const std::uint64_t page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t lead = file_offset % page;
  auto mapping = std::make_unique<Mapping>(Mapping{nullptr, bytes + lead});
  mapping->address = ::mmap(nullptr, mapping->num_bytes, PROT_READ, MAP_SHARED, file.descriptor(),
                            static_cast<off_t>(file_offset - lead));
  if (mapping->address == MAP_FAILED) throw_file_error(path, "map the features", errno);
  const auto* data = static_cast<const std::byte*>(mapping->address) + lead;
  FeatureStore store = borrow(data, num_rows, dim, type, {mapping.release(), unmap});
  store.file_ = {.path = path, .offset = file_offset};
  return store;
}

FeatureStore FeatureStore::in_file(const char* path, std::uint64_t file_offset, std::int64_t num_rows,
                                   std::int32_t dim, FeatureType type) {
  FeatureStore store;
  store.view_ = {.data = nullptr, .num_rows = num_rows, .dim = dim, .type = type};
  check_in_file(path, PosixFile::open(path), file_offset, store.view_);
  store.file_ = {.path = path, .offset = file_offset};
  return store;
}

FeatureStore FeatureStore::mapped() const {
  if (num_bytes() == 0) return FeatureStore({}, view_.num_rows, view_.dim, view_.type);  // may have no file
  assert(file_);
  return map_file(file_->path.c_str(), file_->offset, view_.num_rows, view_.dim, view_.type);
}

FeatureStore FeatureStore::loaded() const {
  std::vector<std::byte> bytes(num_bytes());
  if (bytes.empty()) return FeatureStore({}, view_.num_rows, view_.dim, view_.type);
  assert(file_);
  PosixFile::open(file_->path).read(file_->offset, bytes);
  return FeatureStore(std::move(bytes), view_.num_rows, view_.dim, view_.type);
}

FeatureStore FeatureStore::borrow(const std::byte* data, std::int64_t num_rows, std::int32_t dim,
                                  FeatureType type, std::unique_ptr<void, void (*)(void*)> owner) {
  KITH_CHECK(table_bytes(num_rows, dim, type).has_value(), InvalidArgument, "FeatureStore: a table of ",
             num_rows, " x ", dim, " values is not possible");
  FeatureStore store;
  store.view_ = {data, num_rows, dim, type};
  store.owner_ = std::move(owner);
  return store;
}

std::optional<std::int64_t> first_non_finite_row(FeatureView features) {
  const std::int64_t first = tbb::parallel_reduce(
      tbb::blocked_range<std::int64_t>(0, features.num_rows, 1024), kNoRow,
      [&](const tbb::blocked_range<std::int64_t>& range, std::int64_t found) {
        for (std::int64_t row = range.begin(); row < range.end() && row < found; ++row) {
          if (is_non_finite_row(features, row)) return row;
        }
        return found;
      },
      [](std::int64_t a, std::int64_t b) { return std::min(a, b); });
  return first == kNoRow ? std::nullopt : std::optional(first);
}

std::optional<std::int64_t> first_non_finite_row(const FeatureStore& features) {
  if (features.is_in_memory()) return first_non_finite_row(features.view());
  FeatureView piece = features.view();
  const auto rows_at_once =
      static_cast<std::int64_t>(std::max<std::size_t>(kPieceBytes / piece.row_bytes(), 1));
  std::vector<std::byte> bytes(static_cast<std::size_t>(rows_at_once) * piece.row_bytes());
  const PosixFile file = PosixFile::open(features.file()->path);
  for (std::int64_t first = 0; first < features.num_rows(); first += rows_at_once) {
    piece.num_rows = std::min(rows_at_once, features.num_rows() - first);
    const std::span<std::byte> read =
        std::span(bytes).first(static_cast<std::size_t>(piece.num_rows) * piece.row_bytes());
    file.read(features.file()->offset + static_cast<std::uint64_t>(first) * piece.row_bytes(), read);
    piece.data = read.data();
    if (const std::optional<std::int64_t> bad = first_non_finite_row(piece)) return first + *bad;
  }
  return std::nullopt;
}

}  // namespace kith
