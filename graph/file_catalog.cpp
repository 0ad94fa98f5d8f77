#include "graph/file_catalog.h"

#include <array>
#include <fstream>
#include <string_view>
#include <utility>

#include "graph/errors.h"
#include "graph/printable.h"

namespace kith {
namespace {

/// Longer than any attribute we write; a damaged size must not make us allocate.
constexpr std::size_t kMaxText = 65536;

constexpr std::size_t kMaxRank = H5S_MAX_RANK;

/// The format from before HDF5 1.8 has no checksums, and the library reads past its memory where such a file is
/// damaged.
void check_superblock(const std::string& path) {
  constexpr std::string_view kSignature("\x89HDF\r\n\x1a\n", 8);
  std::array<char, kSignature.size() + 1> start{};
  std::ifstream(path, std::ios::binary).read(start.data(), start.size());
  KITH_CHECK(std::string_view(start.data(), kSignature.size()) == kSignature, IoError, path,
             ": not an HDF5 file");
  const int version = static_cast<unsigned char>(start.back());
  KITH_CHECK(version >= 2, IoError, path, ": is in the HDF5 format from before 1.8 (superblock version ",
             version, "); expected version 2 or later, as h5py writes it with libver='v108'");
}

}  // namespace

FileCatalog::FileCatalog(std::string path, std::uint64_t file_bytes)
    : path_(std::move(path)), file_bytes_(file_bytes) {
  check_superblock(path_);
  file_ = hdf5::File(H5Fopen(path_.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  KITH_CHECK(file_, IoError, path_, ": the HDF5 file is truncated or damaged");
}

bool FileCatalog::has(const char* array) const {
  // HDF5 asks that every part of the way is tested before the next.
  const std::string_view name(array);
  for (std::size_t end = name.find('/', 1);; end = name.find('/', end + 1)) {
    const htri_t found = H5Lexists(file_.get(), std::string(name.substr(0, end)).c_str(), H5P_DEFAULT);
    KITH_CHECK(found >= 0, IoError, path_, ": ", name, ": the HDF5 structure is damaged");
    if (found == 0) return false;
    check_hard_link(name.substr(0, end));
    if (end == std::string_view::npos) return true;
  }
}

// HDF5 would follow a link into any other file that the link names.
void FileCatalog::check_hard_link(std::string_view name) const {
  H5L_info_t info;
  KITH_CHECK(H5Lget_info(file_.get(), std::string(name).c_str(), &info, H5P_DEFAULT) >= 0, IoError, path_, ": ",
             name, ": the HDF5 structure is damaged");
  KITH_CHECK(info.type == H5L_TYPE_HARD, IoError, path_, ": ", name,
             " is a link to another place; expected the array itself");
}

// Layout before shape: asking for the shape of a virtual array opens the files that it is made of.
hdf5::DataSet FileCatalog::open(const char* name) const {
  KITH_CHECK(has(name), IoError, path_, ": ", name, " is missing");
  hdf5::DataSet dataset(H5Dopen2(file_.get(), name, H5P_DEFAULT));
  KITH_CHECK(dataset, IoError, path_, ": ", name, " is damaged or not an array");
  const hdf5::Properties properties(H5Dget_create_plist(dataset.get()));
  KITH_CHECK(properties && H5Pget_layout(properties.get()) == H5D_CONTIGUOUS, IoError, path_, ": ", name,
             " must be stored contiguously");
  KITH_CHECK(H5Pget_external_count(properties.get()) == 0, IoError, path_, ": ", name,
             " is stored in another file; expected its bytes in this one");
  return dataset;
}

int FileCatalog::rank(const char* array) const {
  const hdf5::DataSet dataset = open(array);
  const hdf5::Space space(H5Dget_space(dataset.get()));
  const int rank = space && H5Sget_simple_extent_type(space.get()) == H5S_SIMPLE
                       ? H5Sget_simple_extent_ndims(space.get())
                       : -1;
  KITH_CHECK(rank >= 0 && static_cast<std::size_t>(rank) <= kMaxRank, IoError, path_, ": ", array,
             " has no shape");
  return rank;
}

format::Element FileCatalog::element_of(const hdf5::DataSet& dataset, const char* name,
                                        std::initializer_list<format::Element> allowed) const {
  const hdf5::Type type(H5Dget_type(dataset.get()));
  KITH_CHECK(type, IoError, path_, ": ", name, ": the element type is damaged");
  std::string expected;
  for (const format::Element element : allowed) {
    if (H5Tequal(type.get(), format::hdf5_type(element).get()) > 0) return element;
    expected += expected.empty() ? "" : " or ";
    expected += format::name_of(element);
  }
  throw IoError(concat(path_, ": ", name, ": expected values of type ", expected));
}

void FileCatalog::place(const hdf5::DataSet& dataset, Extent& extent) const {
  extent.num_bytes = format::size_of(extent.element);
  for (const std::uint64_t dim : extent.dims) {
    const bool is_too_big = __builtin_mul_overflow(extent.num_bytes, dim, &extent.num_bytes);
    KITH_CHECK(!is_too_big, IoError, path_, ": ", extent.name, ": its shape is larger than any file");
  }
  if (extent.num_bytes == 0) return;
  const haddr_t offset = H5Dget_offset(dataset.get());
  KITH_CHECK(offset != HADDR_UNDEF, IoError, path_, ": ", extent.name, " has no place in the file");
  KITH_CHECK(offset <= file_bytes_ && extent.num_bytes <= file_bytes_ - offset, IoError, path_, ": ",
             extent.name, ": ", extent.num_bytes, " bytes at ", offset, " reach past the end of the file (",
             file_bytes_, " bytes)");
  extent.offset = offset;
}

Extent FileCatalog::array(const char* name, int rank, std::initializer_list<format::Element> allowed) const {
  const int actual_rank = this->rank(name);
  KITH_CHECK(actual_rank == rank, IoError, path_, ": ", name, ": expected ", rank, " dimension(s), got ",
             actual_rank);
  const hdf5::DataSet dataset = open(name);
  Extent extent;
  extent.name = name;
  extent.element = element_of(dataset, name, allowed);
  const hdf5::Space space(H5Dget_space(dataset.get()));
  std::array<hsize_t, kMaxRank> dims{};
  KITH_CHECK(space && H5Sget_simple_extent_dims(space.get(), dims.data(), nullptr) == rank, IoError, path_,
             ": ", name, ": the shape is damaged");
  extent.dims.assign(dims.begin(), dims.begin() + rank);
  place(dataset, extent);
  const std::string attribute = format::checksum_attribute(name);
  if (has_attribute(attribute.c_str())) extent.checksum = text(attribute.c_str());
  return extent;
}

bool FileCatalog::has_attribute(const char* name) const {
  const htri_t found = H5Aexists(file_.get(), name);
  KITH_CHECK(found >= 0, IoError, path_, ": the attributes are damaged");
  return found > 0;
}

std::int64_t FileCatalog::integer(const char* attribute) const {
  KITH_CHECK(has_attribute(attribute), IoError, path_, ": the attribute ", attribute, " is missing");
  const hdf5::Attribute handle(H5Aopen(file_.get(), attribute, H5P_DEFAULT));
  const hdf5::Type type(handle ? H5Aget_type(handle.get()) : H5I_INVALID_HID);
  const hdf5::Space space(handle ? H5Aget_space(handle.get()) : H5I_INVALID_HID);
  KITH_CHECK(type && space && H5Tget_class(type.get()) == H5T_INTEGER &&
                 H5Sget_simple_extent_npoints(space.get()) == 1,
             IoError, path_, ": the attribute ", attribute, " must be one integer");
  std::int64_t value = 0;
  // A seed uses all 64 bits, and HDF5 would clamp it to the signed range.
  const hid_t memory_type = H5Tget_sign(type.get()) == H5T_SGN_NONE ? H5T_NATIVE_UINT64 : H5T_NATIVE_INT64;
  KITH_CHECK(H5Aread(handle.get(), memory_type, &value) >= 0, IoError, path_, ": the attribute ", attribute,
             " is damaged");
  return value;
}

std::string FileCatalog::text_of(hid_t object, const char* attribute) const {
  const hdf5::Attribute handle(H5Aopen(object, attribute, H5P_DEFAULT));
  const hdf5::Type type(handle ? H5Aget_type(handle.get()) : H5I_INVALID_HID);
  const hdf5::Space space(handle ? H5Aget_space(handle.get()) : H5I_INVALID_HID);
  KITH_CHECK(
      type && space && H5Tget_class(type.get()) == H5T_STRING && H5Sget_simple_extent_npoints(space.get()) == 1,
      IoError, path_, ": the attribute ", attribute, " must be one text");
  // HDF5 keeps those where no checksum covers them, and reads for ever in a damaged one.
  KITH_CHECK(
      H5Tis_variable_str(type.get()) == 0, IoError, path_, ": the attribute ", attribute,
      " must be text of a fixed length, got one of variable length (h5py: numpy.bytes_ in place of str)");
  const std::size_t size = H5Tget_size(type.get());
  KITH_CHECK(size <= kMaxText, IoError, path_, ": the attribute ", attribute, " is too long");
  std::string text(size, '\0');
  KITH_CHECK(H5Aread(handle.get(), type.get(), text.data()) >= 0, IoError, path_, ": the attribute ", attribute,
             " is damaged");
  text.resize(std::string_view(text).substr(0, text.find('\0')).size());
  return printable(std::move(text));
}

std::string FileCatalog::text(const char* attribute) const {
  KITH_CHECK(has_attribute(attribute), IoError, path_, ": the attribute ", attribute, " is missing");
  return text_of(file_.get(), attribute);
}

std::string FileCatalog::feature_type_name() const {
  const hdf5::DataSet features = open(format::kFeatures);
  const htri_t found = H5Aexists(features.get(), format::kFeatureTypeAttribute);
  KITH_CHECK(found >= 0, IoError, path_, ": the attributes of ", format::kFeatures, " are damaged");
  return found == 0 ? "" : text_of(features.get(), format::kFeatureTypeAttribute);
}

}  // namespace kith
