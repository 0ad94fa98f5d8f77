// Private to graph/: the writing twin of FileCatalog.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "graph/dataset_format.h"
#include "graph/hdf5.h"
#include "graph/posix_file.h"

namespace kith {

/// An HDF5 file of contiguous arrays, each on its own 4 KiB pages, built under a temporary name. HDF5 lays the
/// arrays out and writes its own small metadata; array bytes go straight to their place, after the room for
/// them was reserved, so that a full disk shows before HDF5 can stumble over it. Every method throws IoError,
/// or EnvironmentError if the disk is full, naming the final path.
class ArrayFile {
 public:
  explicit ArrayFile(const std::string& path);
  ~ArrayFile();
  ArrayFile(const ArrayFile&) = delete;
  ArrayFile& operator=(const ArrayFile&) = delete;

  const std::string& path() const { return path_; }
  PosixFile& file() { return file_; }

  /// Makes an array of zeros and returns where its bytes belong, a multiple of 4096 (0 if it has none).
  std::uint64_t create(const std::string& name, format::Element element,
                       const std::vector<std::uint64_t>& dims);

  /// Makes an array, fills it and notes its checksum.
  void write(const std::string& name, format::Element element, const std::vector<std::uint64_t>& dims,
             std::span<const std::byte> bytes);

  /// Notes the checksum of an array that the caller filled.
  void set_checksum(const std::string& name, std::string checksum) { checksums_[name] = std::move(checksum); }

  /// Attributes of `object`: "/" or an array.
  void set_attribute(const char* object, const std::string& name, std::int32_t value);
  void set_attribute(const char* object, const std::string& name, std::uint64_t value);
  void set_attribute(const char* object, const std::string& name, const std::string& value);

  /// Writes checksums and metadata, syncs, and gives the file its final name. Only the destructor may follow.
  void publish();

 private:
  [[noreturn]] void fail(const std::string& what);
  void check(bool succeeded, const std::string& what) {
    if (!succeeded) fail(what);
  }
  void set_attribute(const char* object, const std::string& name, const hdf5::Type& type, const void* value);

  std::string path_;
  std::string temporary_path_;
  PosixFile file_;
  hdf5::File hdf5_file_;
  std::map<std::string, std::string> checksums_;  ///< by array name
  bool is_published_ = false;
};

/// An array whose bytes come piece by piece, in order. The file must outlive it.
class ArrayStream {
 public:
  ArrayStream(ArrayFile& file, std::string name, format::Element element,
              const std::vector<std::uint64_t>& dims);

  void add(std::span<const std::byte> bytes);

  /// Notes the checksum. Throws IoError if fewer or more bytes came than the array has.
  void finish();

 private:
  ArrayFile& file_;
  std::string name_;
  std::uint64_t num_bytes_;
  std::uint64_t offset_;
  std::uint64_t done_ = 0;
  format::Checksum checksum_;
};

}  // namespace kith
