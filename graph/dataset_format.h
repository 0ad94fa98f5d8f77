// Private to graph/: what the reader and the writer of dataset files share.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "graph/feature_store.h"
#include "graph/hdf5.h"

namespace kith::format {

// Arrays cross between memory and file as they are.
static_assert(std::endian::native == std::endian::little, "dataset files are little-endian");

inline constexpr const char* kOffsets = "/graph/offsets";
inline constexpr const char* kNeighbors = "/graph/neighbors";
inline constexpr const char* kEdgeId = "/graph/edge_id";
inline constexpr const char* kOriginalId = "/nodes/original_id";
inline constexpr const char* kLabel = "/nodes/label";
inline constexpr const char* kFeatures = "/features";
inline constexpr const char* kTrain = "/split/train";
inline constexpr const char* kValid = "/split/valid";
inline constexpr const char* kTest = "/split/test";
inline constexpr const char* kFeatureTypeAttribute = "dtype";  ///< of kFeatures: "f32", "f16" or "bf16"

std::string level_name(std::size_t level);                 ///< "/communities/level0", ...
std::string checksum_attribute(std::string_view dataset);  ///< "checksum:/graph/offsets", ...

/// The element types that occur in a file.
enum class Element : std::uint8_t { i64, i32, u8, u16, f32, f16 };
inline constexpr std::array kElements{Element::i64, Element::i32, Element::u8,
                                      Element::u16, Element::f32, Element::f16};

std::size_t size_of(Element element);
std::string_view name_of(Element element);

/// The type as HDF5 describes it. Throws EnvironmentError if the library fails.
hdf5::Type hdf5_type(Element element);

/// bf16 is stored as u16, since HDF5 has no name for it.
Element element_of(FeatureType type);

/// XXH3-64 of the bytes, as 16 hex digits.
std::string checksum(std::span<const std::byte> bytes);

/// The same for bytes that come piece by piece.
class Checksum {
 public:
  Checksum();
  ~Checksum();
  Checksum(const Checksum&) = delete;
  Checksum& operator=(const Checksum&) = delete;
  void add(std::span<const std::byte> bytes);
  std::string text() const;

 private:
  void* state_;
};

}  // namespace kith::format
