#include "graph/dataset_format.h"

#include <xxhash.h>

#include <array>
#include <new>

#include "graph/errors.h"

namespace kith::format {
namespace {

std::string hex(std::uint64_t value) {
  std::string text(16, '0');
  for (std::size_t i = text.size(); i-- > 0; value >>= 4) text[i] = "0123456789abcdef"[value & 15];
  return text;
}

/// IEEE half: sign bit 15, exponent of 5 bits at 10 with bias 15, mantissa of 10 bits at 0.
hdf5::Type half_type() {
  hdf5::Type type(H5Tcopy(H5T_IEEE_F32LE));
  const bool is_made = type && H5Tset_fields(type.get(), 15, 10, 5, 0, 10) >= 0 &&
                       H5Tset_size(type.get(), 2) >= 0 && H5Tset_ebias(type.get(), 15) >= 0;
  return is_made ? std::move(type) : hdf5::Type();
}

hdf5::Type make_type(Element element) {
  switch (element) {
    case Element::i64:
      return hdf5::Type(H5Tcopy(H5T_STD_I64LE));
    case Element::i32:
      return hdf5::Type(H5Tcopy(H5T_STD_I32LE));
    case Element::u8:
      return hdf5::Type(H5Tcopy(H5T_STD_U8LE));
    case Element::u16:
      return hdf5::Type(H5Tcopy(H5T_STD_U16LE));
    case Element::f32:
      return hdf5::Type(H5Tcopy(H5T_IEEE_F32LE));
    case Element::f16:
      return half_type();
  }
  return {};
}

}  // namespace

std::string level_name(std::size_t level) { return "/communities/level" + std::to_string(level); }

std::string checksum_attribute(std::string_view dataset) { return "checksum:" + std::string(dataset); }

std::size_t size_of(Element element) {
  constexpr std::array<std::size_t, kElements.size()> kSizes{8, 4, 1, 2, 4, 2};
  return kSizes[static_cast<std::size_t>(element)];
}

std::string_view name_of(Element element) {
  constexpr std::array<std::string_view, kElements.size()> kNames{"i64", "i32", "u8", "u16", "f32", "f16"};
  return kNames[static_cast<std::size_t>(element)];
}

hdf5::Type hdf5_type(Element element) {
  hdf5::Type type = make_type(element);
  KITH_CHECK(type, EnvironmentError, "HDF5: the library cannot describe the type ", name_of(element));
  return type;
}

Element element_of(FeatureType type) {
  switch (type) {
    case FeatureType::f16:
      return Element::f16;
    case FeatureType::bf16:
      return Element::u16;
    case FeatureType::f32:
      break;
  }
  return Element::f32;
}

std::string checksum(std::span<const std::byte> bytes) { return hex(XXH3_64bits(bytes.data(), bytes.size())); }

Checksum::Checksum() : state_(XXH3_createState()) {
  if (state_ == nullptr) throw std::bad_alloc();
  XXH3_64bits_reset(static_cast<XXH3_state_t*>(state_));
}

Checksum::~Checksum() { XXH3_freeState(static_cast<XXH3_state_t*>(state_)); }

void Checksum::add(std::span<const std::byte> bytes) {
  XXH3_64bits_update(static_cast<XXH3_state_t*>(state_), bytes.data(), bytes.size());
}

std::string Checksum::text() const { return hex(XXH3_64bits_digest(static_cast<const XXH3_state_t*>(state_))); }

}  // namespace kith::format
