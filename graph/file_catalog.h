// Private to graph/: what an HDF5 file says about its arrays and attributes, believed only as far as it was
// checked.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "graph/dataset_format.h"
#include "graph/hdf5.h"

namespace kith {

/// An array of the file: num_bytes of it, the product of dims and the element size, lie at `offset`, inside the
/// file.
struct Extent {
  std::string name;
  std::vector<std::uint64_t> dims;
  format::Element element = format::Element::i64;
  std::uint64_t offset = 0;
  std::uint64_t num_bytes = 0;
  std::string checksum;  ///< as the file states it; empty if it does not
};

/// An open HDF5 file; needs an hdf5::Session as long as it lives. Every method throws IoError, naming the file,
/// for whatever is missing, damaged or of another type, rank or layout.
class FileCatalog {
 public:
  /// file_bytes: the size of the file as the file system tells it.
  FileCatalog(std::string path, std::uint64_t file_bytes);

  bool has(const char* array) const;
  int rank(const char* array) const;
  Extent array(const char* name, int rank, std::initializer_list<format::Element> allowed) const;

  bool has_attribute(const char* name) const;
  std::int64_t integer(const char* attribute) const;
  std::string text(const char* attribute) const;
  std::string feature_type_name() const;  ///< attribute of the features; empty if there is none

 private:
  void check_hard_link(std::string_view name) const;
  hdf5::DataSet open(const char* name) const;
  format::Element element_of(const hdf5::DataSet& dataset, const char* name,
                             std::initializer_list<format::Element> allowed) const;
  std::string text_of(hid_t object, const char* attribute) const;
  void place(const hdf5::DataSet& dataset, Extent& extent) const;

  std::string path_;
  std::uint64_t file_bytes_;
  hdf5::File file_;
};

}  // namespace kith
