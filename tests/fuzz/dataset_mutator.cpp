#include "tests/fuzz/dataset_mutator.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <random>
#include <span>
#include <vector>

#include "graph/dataset_format.h"
#include "graph/hdf5.h"
#include "tests/support/temp_folder.h"

namespace kith::fuzz {
namespace {

using hdf5::DataSet;
using hdf5::Properties;
using hdf5::Space;
using hdf5::Type;

const std::vector<std::string> kArrays{"/graph/offsets",      "/graph/neighbors", "/graph/edge_id",
                                       "/nodes/original_id",  "/nodes/label",     "/communities/level0",
                                       "/communities/level1", "/split/train",     "/split/valid",
                                       "/split/test",         "/features"};
const std::vector<std::string> kAttributes{"format_version", "generator", "source",      "method",
                                           "seed",           "directed",  "num_classes", "created"};

/// One array as it stands in the file.
struct Content {
  Type type;
  std::vector<hsize_t> dims;
  std::vector<std::byte> bytes;
};

std::size_t num_values(const std::vector<hsize_t>& dims) {
  std::size_t count = 1;
  for (const hsize_t dim : dims) count *= dim;
  return count;
}

/// A file open for damage, and the random numbers that decide.
class Patient {
 public:
  Patient(const std::string& path, std::mt19937_64& random)
      : random_(random), folder_(std::filesystem::path(path).parent_path()) {
    file_ = hdf5::File(H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT));
  }

  hid_t file() const { return file_.get(); }
  std::filesystem::path folder() const { return folder_; }
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  bool coin() { return below(2) == 0; }
  template <typename Choices>
  const auto& any_of(const Choices& choices) {
    return choices[below(std::size(choices))];
  }
  const std::string& any_array() { return any_of(kArrays); }
  bool has(const std::string& name) const { return H5Oexists_by_name(file(), name.c_str(), H5P_DEFAULT) > 0; }

  Content content(const std::string& name) const {
    const DataSet dataset(has(name) ? H5Dopen2(file(), name.c_str(), H5P_DEFAULT) : H5I_INVALID_HID);
    Content content;
    if (!dataset) return content;
    const Space space(H5Dget_space(dataset.get()));
    content.type = Type(H5Dget_type(dataset.get()));
    std::array<hsize_t, H5S_MAX_RANK> dims{};
    const int rank = H5Sget_simple_extent_dims(space.get(), dims.data(), nullptr);
    content.dims.assign(dims.begin(), dims.begin() + std::max(rank, 0));
    content.bytes.resize(num_values(content.dims) * H5Tget_size(content.type.get()));
    if (!content.bytes.empty()) {
      H5Dread(dataset.get(), content.type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, content.bytes.data());
    }
    return content;
  }

  /// Puts an array in the place of whatever has the name. bytes are repeated to fill it.
  void put(const std::string& name, hid_t type, const std::vector<hsize_t>& dims,
           std::span<const std::byte> bytes, hid_t properties = H5P_DEFAULT) {
    remove(name);
    const Space space(dims.empty() ? H5Screate(H5S_SCALAR)
                                   : H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr));
    const DataSet dataset(
        H5Dcreate2(file(), name.c_str(), type, space.get(), H5P_DEFAULT, properties, H5P_DEFAULT));
    std::vector<std::byte> filled(num_values(dims) * H5Tget_size(type) + 16);
    for (std::size_t i = 0; i < filled.size() && !bytes.empty(); ++i) filled[i] = bytes[i % bytes.size()];
    const bool holds_pointers = H5Tdetect_class(type, H5T_VLEN) > 0 || H5Tis_variable_str(type) > 0;
    // What is written to a virtual array goes to the file that it is made of.
    const bool is_virtual = properties != H5P_DEFAULT && H5Pget_layout(properties) == H5D_VIRTUAL;
    if (dataset && !holds_pointers && !is_virtual && num_values(dims) > 0) {
      H5Dwrite(dataset.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, filled.data());
    }
  }

  void remove(const std::string& name) { H5Ldelete(file(), name.c_str(), H5P_DEFAULT); }

  void set_attribute(const std::string& name, hid_t type, const void* value, hsize_t count = 1) {
    H5Adelete(file(), name.c_str());
    const Space space(count == 1 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &count, nullptr));
    const hdf5::Attribute attribute(
        H5Acreate2(file(), name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT));
    if (attribute) H5Awrite(attribute.get(), type, value);
  }
  void set_text(const std::string& name, const std::string& text) {
    const Type type(H5Tcopy(H5T_C_S1));
    H5Tset_size(type.get(), text.size() + 1);
    set_attribute(name, type.get(), text.c_str());
  }

  void set_checksums() {
    for (const std::string& name : kArrays) {
      if (has(name)) set_text(format::checksum_attribute(name), format::checksum(content(name).bytes));
    }
  }

 private:
  std::mt19937_64& random_;
  std::filesystem::path folder_;
  hdf5::File file_;
};

/// Values that lie at the edges of something.
std::int64_t edge_value(Patient& patient, std::size_t count) {
  const auto size = static_cast<std::int64_t>(count);
  const std::array<std::int64_t, 12> values{-1,
                                            0,
                                            1,
                                            7,
                                            8,
                                            9,
                                            size,
                                            size + 1,
                                            std::numeric_limits<std::int32_t>::max(),
                                            std::numeric_limits<std::int32_t>::min(),
                                            std::numeric_limits<std::int64_t>::max(),
                                            std::numeric_limits<std::int64_t>::min()};
  return patient.any_of(values);
}

Damage change_values(Patient& patient) {
  const std::string name = patient.any_array();
  Content array = patient.content(name);
  const std::size_t size = array.bytes.empty() ? 0 : H5Tget_size(array.type.get());
  const std::size_t count = size == 0 ? 0 : array.bytes.size() / size;
  const auto at = [&](std::size_t i) { return array.bytes.begin() + static_cast<std::ptrdiff_t>(i * size); };
  for (std::uint64_t times = 1 + patient.below(3); count > 0 && times > 0; --times) {
    const std::size_t i = patient.below(count);
    if (patient.coin()) {
      const std::int64_t value = patient.coin() ? edge_value(patient, count) : patient.below(20);
      std::memcpy(&*at(i), &value, std::min(size, sizeof(value)));
    } else {
      std::swap_ranges(at(i), at(i + 1), at(patient.below(count)));
    }
  }
  if (patient.below(8) == 0) std::reverse(array.bytes.begin(), array.bytes.end());
  if (count > 0) patient.put(name, array.type.get(), array.dims, array.bytes);
  return {"values of " + name};
}

Damage set_not_finite(Patient& patient) {
  Content features = patient.content("/features");
  constexpr std::array<std::uint32_t, 3> kBits{0x7F800000U, 0xFF800000U, 0x7FC00001U};
  const std::uint32_t bits = patient.any_of(kBits);
  if (features.bytes.size() < 4) return {"nothing"};
  std::memcpy(&features.bytes[patient.below(features.bytes.size() / 4) * 4], &bits, 4);
  patient.put("/features", features.type.get(), features.dims, features.bytes);
  return {"a feature that is not finite"};
}

Damage change_shape(Patient& patient) {
  const std::string name = patient.any_array();
  Content array = patient.content(name);
  if (array.dims.empty()) return {"nothing"};
  hsize_t& dim = array.dims[patient.below(array.dims.size())];
  const std::array<hsize_t, 6> sizes{0, dim - (dim > 0 ? 1 : 0), dim + 1, 2 * dim, patient.below(40), 70000};
  dim = patient.any_of(sizes);
  if (patient.below(4) == 0) array.dims.insert(array.dims.begin() + patient.below(2), 1);
  if (patient.below(8) == 0) array.dims.pop_back();
  patient.put(name, array.type.get(), array.dims, array.bytes);
  return {"shape of " + name};
}

Damage swap_arrays(Patient& patient) {
  const std::string a = patient.any_array();
  const std::string b = patient.any_array();
  H5Lmove(patient.file(), a.c_str(), patient.file(), "/elsewhere", H5P_DEFAULT, H5P_DEFAULT);
  H5Lmove(patient.file(), b.c_str(), patient.file(), a.c_str(), H5P_DEFAULT, H5P_DEFAULT);
  H5Lmove(patient.file(), "/elsewhere", patient.file(), b.c_str(), H5P_DEFAULT, H5P_DEFAULT);
  return {"swapped " + a + " and " + b};
}

Type odd_type(Patient& patient) {
  const std::array<hid_t, 9> known{H5T_IEEE_F64LE, H5T_IEEE_F32LE, H5T_STD_I64LE, H5T_STD_I16LE, H5T_STD_U8LE,
                                   H5T_STD_I32BE,  H5T_STD_I64BE,  H5T_STD_B32LE, H5T_IEEE_F32BE};
  switch (patient.below(6)) {
    case 0: {
      Type pair(H5Tcreate(H5T_COMPOUND, 8));
      H5Tinsert(pair.get(), "a", 0, H5T_STD_I32LE);
      H5Tinsert(pair.get(), "b", 4, H5T_STD_I32LE);
      return pair;
    }
    case 1:
      return Type(H5Tvlen_create(H5T_STD_I32LE));
    case 2: {
      const hsize_t dim = 1 + patient.below(3);
      return Type(H5Tarray_create2(H5T_STD_I32LE, 1, &dim));
    }
    case 3:
      return Type(H5Tenum_create(H5T_STD_I32LE));
    case 4: {
      Type text(H5Tcopy(H5T_C_S1));
      H5Tset_size(text.get(), patient.coin() ? 4 : H5T_VARIABLE);
      return text;
    }
    default:
      return Type(H5Tcopy(patient.any_of(known)));
  }
}

Damage change_type(Patient& patient) {
  const std::string name = patient.any_array();
  const Content array = patient.content(name);
  const Type type = odd_type(patient);
  patient.put(name, type.get(), array.dims, array.bytes);
  return {"type of " + name};
}

Damage remove_something(Patient& patient) {
  const std::string name = patient.any_array();
  switch (patient.below(4)) {
    case 0:
      H5Adelete(patient.file(), format::checksum_attribute(name).c_str());
      return {"no checksum of " + name};
    case 1:
      H5Adelete(patient.file(), patient.any_of(kAttributes).c_str());
      return {"an attribute is missing"};
    case 2:
      patient.remove(name);
      hdf5::Object(H5Gcreate2(patient.file(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
      return {"a group in the place of " + name};
    default:
      patient.remove(name);
      return {name + " is missing"};
  }
}

Damage change_attribute(Patient& patient) {
  const std::string name = patient.any_of(kAttributes);
  const std::int64_t value = edge_value(patient, 8);
  switch (patient.below(6)) {
    case 0:
      patient.set_attribute(name, H5T_NATIVE_INT64, &value);
      break;
    case 1: {
      const std::array<std::int64_t, 3> several{value, value, value};
      patient.set_attribute(name, H5T_NATIVE_INT64, several.data(), 3);
      break;
    }
    case 2:
      patient.set_text(name, std::string(patient.below(3) * 30000, 'x') + "\n\x1b[2J\xff");
      break;
    case 3: {
      const double real = 0.5;
      patient.set_attribute(name, H5T_NATIVE_DOUBLE, &real);
      break;
    }
    case 4: {
      Type any_length(H5Tcopy(H5T_C_S1));
      H5Tset_size(any_length.get(), H5T_VARIABLE);
      const std::string text(patient.below(100000), 'y');
      const char* pointer = text.c_str();
      patient.set_attribute(name, any_length.get(), &pointer);
      break;
    }
    default: {
      const hid_t type = patient.coin() ? H5T_NATIVE_INT64 : H5T_NATIVE_UINT64;
      const std::int64_t small = static_cast<std::int64_t>(patient.below(6));
      patient.set_attribute(name, type, &small);
    }
  }
  return {"attribute " + name};
}

Damage swap_checksums(Patient& patient) {
  const std::string a = patient.any_array();
  const std::string b = patient.any_array();
  patient.set_text(format::checksum_attribute(a), format::checksum(patient.content(b).bytes));
  patient.set_text(format::checksum_attribute(b), format::checksum(patient.content(a).bytes));
  return {"swapped checksums of " + a + " and " + b};
}

Damage add_levels(Patient& patient) {
  for (std::size_t level = 2; level < 100; ++level) {
    H5Lcreate_hard(patient.file(), "/communities/level1", patient.file(), format::level_name(level).c_str(),
                   H5P_DEFAULT, H5P_DEFAULT);
  }
  return {.what = "a hundred levels", .must_be_refused = true};
}

/// An array whose bytes lie elsewhere than in one piece of this file.
Damage change_storage(Patient& patient) {
  const std::string name = patient.any_array();
  const Content array = patient.content(name);
  if (array.bytes.empty()) return {"nothing"};
  const Properties properties(H5Pcreate(H5P_DATASET_CREATE));
  const std::string other = (patient.folder() / "other").string();
  switch (patient.below(4)) {
    case 0:
      H5Pset_layout(properties.get(), H5D_COMPACT);
      break;
    case 1:
      H5Pset_chunk(properties.get(), static_cast<int>(array.dims.size()), array.dims.data());
      if (patient.coin()) H5Pset_shuffle(properties.get());
      if (patient.coin()) H5Pset_fletcher32(properties.get());
      break;
    case 2:
      test::write_bytes(other, std::string(array.bytes.size(), '\1'));
      H5Pset_external(properties.get(), other.c_str(), 0, array.bytes.size());
      break;
    default: {
      const Space space(H5Screate_simple(static_cast<int>(array.dims.size()), array.dims.data(), nullptr));
      H5Pset_virtual(properties.get(), space.get(), (patient.folder() / "valid.kith.h5").c_str(), name.c_str(),
                     space.get());
    }
  }
  patient.put(name, array.type.get(), array.dims, array.bytes, properties.get());
  return {.what = "storage of " + name, .must_be_refused = true};
}

/// A name that leads elsewhere, where an array of the right shape may stand.
Damage put_link(Patient& patient) {
  const std::string name = patient.any_array();
  const std::string valid = (patient.folder() / "valid.kith.h5").string();
  if (patient.below(3) == 0) {
    const std::size_t slash = name.rfind('/');
    const std::string group = slash == 0 ? name : name.substr(0, slash);
    patient.remove(group);
    H5Lcreate_external(valid.c_str(), group.c_str(), patient.file(), group.c_str(), H5P_DEFAULT, H5P_DEFAULT);
    return {.what = "external link " + group, .must_be_refused = true};
  }
  patient.remove(name);
  if (patient.coin()) {
    H5Lcreate_external(valid.c_str(), name.c_str(), patient.file(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT);
    return {.what = "external link " + name, .must_be_refused = true};
  }
  H5Lcreate_soft(patient.any_array().c_str(), patient.file(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT);
  return {.what = "soft link " + name, .must_be_refused = true};
}

/// Without HDF5's help: bytes that differ, that are missing, or that follow the end.
Damage change_bytes(std::mt19937_64& random, std::string& bytes) {
  const auto below = [&](std::uint64_t bound) { return random() % bound; };
  if (below(16) == 0) {
    bytes.resize(below(bytes.size()));
    return {"cut off"};
  }
  std::vector<std::size_t> used;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != 0) used.push_back(i);
  }
  for (std::uint64_t times = 1 + below(4); times > 0; --times) {
    const std::size_t place = used[below(used.size())];
    for (std::size_t i = place; i < std::min(bytes.size(), place + 1 + below(8)); ++i) {
      const std::array<char, 4> values{'\0', '\xff', static_cast<char>(bytes[i] ^ (1 << below(8))),
                                       static_cast<char>(below(256))};
      bytes[i] = values[below(values.size())];
    }
  }
  return {"bytes"};
}

using Change = Damage (*)(Patient&);
constexpr std::array<Change, 12> kChanges{change_values,    change_values,    change_shape,   swap_arrays,
                                          change_type,      remove_something, change_storage, put_link,
                                          change_attribute, swap_checksums,   add_levels,     set_not_finite};

}  // namespace

DatasetMutator::DatasetMutator(const std::string& valid) : valid_(valid) {
  {
    const hdf5::Session session;
    std::mt19937_64 unused;
    Patient(valid, unused).set_checksums();
  }
  bytes_ = test::read_bytes(valid);
}

Damage DatasetMutator::write_damaged(std::uint64_t seed, const std::string& path) const {
  std::mt19937_64 random(seed);
  std::filesystem::remove(path);
  std::string bytes = bytes_;
  if (random() % 2 == 0) {
    Damage damage = change_bytes(random, bytes);
    test::write_bytes(path, bytes);
    return damage;
  }
  test::write_bytes(path, bytes);
  const hdf5::Session session;
  Patient patient(path, random);
  Damage damage = patient.any_of(kChanges)(patient);
  if (patient.coin()) {
    patient.set_checksums();
    damage.has_new_checksums = true;
  }
  return damage;
}

}  // namespace kith::fuzz
