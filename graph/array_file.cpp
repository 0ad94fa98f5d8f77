#include "graph/array_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "graph/errors.h"

namespace kith {
namespace {

constexpr std::uint64_t kPageBytes = 4096;

/// All of HDF5's metadata lies in this head of the file, each object on its own page: about 60 objects.
constexpr std::uint64_t kMetadataBytes = std::uint64_t{256} << 10;

/// Up to this many links or attributes stay in the header of their group, whose checksum guards them.
constexpr unsigned kMaxCompact = 1024;

std::string temporary_name(const std::string& path) {
  const std::filesystem::path target(path);
  const std::string name = concat(".", target.filename().string(), ".tmp-", ::getpid());
  return (target.parent_path() / name).string();
}

/// An empty HDF5 file over `path`, its arrays page by page, its metadata in the version that carries checksums.
hdf5::File create_hdf5(const std::string& path) {
  const hdf5::Properties access(H5Pcreate(H5P_FILE_ACCESS));
  const hdf5::Properties creation(H5Pcreate(H5P_FILE_CREATE));
  const bool is_set = access && creation &&
                      H5Pset_libver_bounds(access.get(), H5F_LIBVER_V18, H5F_LIBVER_V18) >= 0 &&
                      H5Pset_alignment(access.get(), 1, kPageBytes) >= 0 &&
                      H5Pset_meta_block_size(access.get(), kMetadataBytes) >= 0 &&
                      H5Pset_small_data_block_size(access.get(), 0) >= 0 &&
                      H5Pset_attr_phase_change(creation.get(), kMaxCompact, 0) >= 0;
  return is_set ? hdf5::File(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()))
                : hdf5::File();
}

hdf5::Properties early_contiguous() {
  hdf5::Properties properties(H5Pcreate(H5P_DATASET_CREATE));
  const bool is_set = properties && H5Pset_layout(properties.get(), H5D_CONTIGUOUS) >= 0 &&
                      H5Pset_alloc_time(properties.get(), H5D_ALLOC_TIME_EARLY) >= 0 &&
                      H5Pset_fill_time(properties.get(), H5D_FILL_TIME_NEVER) >= 0;
  return is_set ? std::move(properties) : hdf5::Properties();
}

hdf5::Properties with_parents() {
  hdf5::Properties properties(H5Pcreate(H5P_LINK_CREATE));
  const bool is_set = properties && H5Pset_create_intermediate_group(properties.get(), 1) >= 0;
  return is_set ? std::move(properties) : hdf5::Properties();
}

}  // namespace

ArrayFile::ArrayFile(const std::string& path)
    : path_(path), temporary_path_(temporary_name(path)), file_(PosixFile::create(temporary_path_, path)) {
  try {
    // HDF5 writes its metadata when the file is closed; with its room reserved that cannot fail on a full disk.
    // Creating empties the file, so the room is tried before, while a failure is still harmless, and taken
    // after.
    file_.reserve(0, kMetadataBytes);
    const hdf5::Session session;
    hdf5_file_ = create_hdf5(temporary_path_);
    check(static_cast<bool>(hdf5_file_), "create the HDF5 file");
    file_.reserve(0, kMetadataBytes);
  } catch (...) {
    ::unlink(temporary_path_.c_str());
    const hdf5::Session session;
    hdf5_file_.close();
    throw;
  }
}

ArrayFile::~ArrayFile() {
  if (!is_published_ && file_.is_at(temporary_path_)) ::unlink(temporary_path_.c_str());
  if (!hdf5_file_) return;
  const hdf5::Session session;
  hdf5_file_.close();
}

/// HDF5 does not say why it failed. The last error of the system may, or whether there is room now.
void ArrayFile::fail(const std::string& what) {
  const int error = errno;
  if (error == ENOSPC || error == EDQUOT) throw_file_error(path_, what, error);
  file_.reserve(file_.size(), kPageBytes);
  throw IoError(concat(path_, ": cannot ", what, " (HDF5 refuses)"));
}

std::uint64_t ArrayFile::create(const std::string& name, format::Element element,
                                const std::vector<std::uint64_t>& dims) {
  const hdf5::Session session;
  std::uint64_t num_bytes = format::size_of(element);
  for (const std::uint64_t dim : dims) num_bytes *= dim;
  // Room first: were HDF5 to count on space that is not there, it could not even close the file.
  haddr_t end = 0;
  check(H5Fget_eoa(hdf5_file_.get(), &end) >= 0, "write " + name);
  file_.reserve((end + kPageBytes - 1) / kPageBytes * kPageBytes, num_bytes);

  const std::vector<hsize_t> extents(dims.begin(), dims.end());
  const hdf5::Space space(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr));
  const hdf5::Properties links = with_parents();
  const hdf5::Properties creation = early_contiguous();
  check(space && links && creation, "describe " + name);
  const hdf5::DataSet dataset(H5Dcreate2(hdf5_file_.get(), name.c_str(), format::hdf5_type(element).get(),
                                         space.get(), links.get(), creation.get(), H5P_DEFAULT));
  check(static_cast<bool>(dataset), "create " + name);
  if (num_bytes == 0) return 0;
  const haddr_t offset = H5Dget_offset(dataset.get());
  check(offset != HADDR_UNDEF && offset % kPageBytes == 0, "place " + name);
  file_.reserve(offset, num_bytes);
  return offset;
}

void ArrayFile::write(const std::string& name, format::Element element, const std::vector<std::uint64_t>& dims,
                      std::span<const std::byte> bytes) {
  file_.write(create(name, element, dims), bytes);
  set_checksum(name, format::checksum(bytes));
}

void ArrayFile::set_attribute(const char* object, const std::string& name, const hdf5::Type& type,
                              const void* value) {
  const hdf5::Object target(H5Oopen(hdf5_file_.get(), object, H5P_DEFAULT));
  const hdf5::Space space(H5Screate(H5S_SCALAR));
  check(target && space && type, "describe the attribute " + name);
  const hdf5::Attribute attribute(
      H5Acreate2(target.get(), name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT));
  check(attribute && H5Awrite(attribute.get(), type.get(), value) >= 0, "write the attribute " + name);
}

void ArrayFile::set_attribute(const char* object, const std::string& name, std::int32_t value) {
  const hdf5::Session session;
  set_attribute(object, name, hdf5::Type(H5Tcopy(H5T_STD_I32LE)), &value);
}

void ArrayFile::set_attribute(const char* object, const std::string& name, std::uint64_t value) {
  const hdf5::Session session;
  set_attribute(object, name, hdf5::Type(H5Tcopy(H5T_STD_U64LE)), &value);
}

void ArrayFile::set_attribute(const char* object, const std::string& name, const std::string& value) {
  const hdf5::Session session;
  const hdf5::Type type(H5Tcopy(H5T_C_S1));
  check(type && H5Tset_size(type.get(), value.size() + 1) >= 0 && H5Tset_cset(type.get(), H5T_CSET_UTF8) >= 0,
        "describe the attribute " + name);
  set_attribute(object, name, type, value.c_str());
}

void ArrayFile::publish() {
  for (const auto& [name, checksum] : checksums_)
    set_attribute("/", format::checksum_attribute(name), checksum);
  {
    const hdf5::Session session;
    check(hdf5_file_.close(), "write the metadata");
  }
  file_.sync();
  KITH_CHECK(file_.is_at(temporary_path_), IoError, path_,
             ": the temporary file was replaced by another writer");
  if (::rename(temporary_path_.c_str(), path_.c_str()) != 0) {
    throw_file_error(path_, "rename the finished file", errno);
  }
  is_published_ = true;
  sync_folder_of(path_);
}

ArrayStream::ArrayStream(ArrayFile& file, std::string name, format::Element element,
                         const std::vector<std::uint64_t>& dims)
    : file_(file), name_(std::move(name)), num_bytes_(format::size_of(element)) {
  for (const std::uint64_t size : dims) num_bytes_ *= size;
  offset_ = file.create(name_, element, dims);
}

void ArrayStream::add(std::span<const std::byte> bytes) {
  KITH_CHECK(bytes.size() <= num_bytes_ - done_, IoError, file_.path(), ": ", name_, " has ", num_bytes_,
             " bytes, but more came");
  file_.file().write(offset_ + done_, bytes);
  checksum_.add(bytes);
  done_ += bytes.size();
}

void ArrayStream::finish() {
  KITH_CHECK(done_ == num_bytes_, IoError, file_.path(), ": ", name_, " has ", num_bytes_, " bytes, but only ",
             done_, " came");
  file_.set_checksum(name_, checksum_.text());
}

}  // namespace kith
