// A damaged dataset file gives one line that names the file; it never crashes and is never believed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <optional>
#include <random>

#include "graph/dataset_file.h"
#include "graph/errors.h"
#include "tests/support/errors.h"
#include "tests/support/graphs.h"
#include "tests/support/temp_folder.h"

// HDF5 1.10 loses memory when a checksum of its metadata fails; leaks of our own are still found.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5"; }

namespace kith {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// A dataset with every array that a file may hold.
Dataset full_dataset() {
  Dataset dataset = test::tiny_dataset();
  for (std::int64_t e = 0; e < dataset.graph.num_edges(); ++e) dataset.edge_id.push_back(e);
  return dataset;
}

class DamagedFile : public testing::Test {
 protected:
  DamagedFile() : path_(folder_.file("data.kith.h5")) { write_dataset(path_, full_dataset()); }

  /// What reading says; checks that it is one line about this file.
  std::string refusal(const ReadOptions& options = {}) const {
    const std::string text = test::error_of<IoError>([&] { read_dataset(path_, options); });
    EXPECT_THAT(text, AllOf(StartsWith(path_ + ": "), Not(HasSubstr("\n"))));
    return text;
  }

  /// True if reading succeeds; an error must be an IoError in one line about this file.
  bool is_accepted(const ReadOptions& options) const {
    try {
      read_dataset(path_, options);
      return true;
    } catch (const IoError& error) {
      EXPECT_THAT(error.what(), AllOf(StartsWith(path_ + ": "), Not(HasSubstr("\n"))));
      return false;
    }
  }

  void change(const std::function<void(hid_t)>& use) const {
    const hid_t file = H5Fopen(path_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    ASSERT_GE(file, 0);
    use(file);
    ASSERT_GE(H5Fclose(file), 0);
  }

  /// Puts another array in the place of `name`.
  template <typename T>
  void replace(const char* name, hid_t type, const std::vector<hsize_t>& dims, const std::vector<T>& values,
               hid_t properties = H5P_DEFAULT) const {
    change([&](hid_t file) {
      H5Ldelete(file, name, H5P_DEFAULT);
      const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
      const hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
      ASSERT_GE(dataset, 0);
      const bool is_written =
          values.empty() || H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0;
      ASSERT_TRUE(is_written);
      H5Dclose(dataset);
      H5Sclose(space);
    });
  }

  void replace_ids(const char* name, const std::vector<std::int32_t>& values) const {
    replace(name, H5T_STD_I32LE, {values.size()}, values);
  }
  void replace_offsets(const char* name, const std::vector<std::int64_t>& values) const {
    replace(name, H5T_STD_I64LE, {values.size()}, values);
  }

  void set_integer(const char* name, std::int64_t value) const {
    change([&](hid_t file) {
      const hid_t attribute = H5Aopen(file, name, H5P_DEFAULT);
      ASSERT_GE(H5Awrite(attribute, H5T_NATIVE_INT64, &value), 0);
      H5Aclose(attribute);
    });
  }

  /// Where the bytes of an array lie.
  std::uint64_t place_of(const char* name) const {
    haddr_t offset = 0;
    change([&](hid_t file) {
      const hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
      offset = H5Dget_offset(dataset);
      H5Dclose(dataset);
    });
    return offset;
  }

  test::TempFolder folder_;
  std::string path_;
};

constexpr const char* kArrays[] = {"/graph/offsets",     "/graph/neighbors", "/graph/edge_id",
                                   "/nodes/original_id", "/nodes/label",     "/communities/level0",
                                   "/split/train",       "/split/valid",     "/communities/level1",
                                   "/split/test",        "/features"};

TEST_F(DamagedFile, IsReportedWhenMissingOrNoFile) {
  std::filesystem::remove(path_);
  EXPECT_THAT(refusal(), HasSubstr("No such file or directory"));
  std::filesystem::create_directory(path_);
  EXPECT_THAT(refusal(), HasSubstr("not a regular file"));
}

TEST_F(DamagedFile, IsReportedWhenNotHdf5) {
  for (const std::string& content : {std::string(), std::string("\x89HDF"), std::string(10000, 'x')}) {
    test::write_bytes(path_, content);
    EXPECT_THAT(refusal(), HasSubstr("not an HDF5 file"));
  }
}

TEST_F(DamagedFile, IsReportedWhenItsFormatHasNoChecksums) {
  H5Fclose(
      H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));  // HDF5 still writes the oldest one
  EXPECT_THAT(refusal(), AllOf(HasSubstr("before 1.8 (superblock version 0)"), HasSubstr("libver='v108'")));
}

TEST_F(DamagedFile, IsReportedWhenHdf5OfAnotherKind) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  ASSERT_GE(H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18), 0);
  ASSERT_GE(H5Fclose(H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access)), 0);
  ASSERT_GE(H5Pclose(access), 0);
  EXPECT_THAT(refusal(), HasSubstr("not a Kith dataset file"));
}

TEST_F(DamagedFile, IsReportedWhereverItIsCutOff) {
  const std::string whole = test::read_bytes(path_);
  std::vector<std::size_t> lengths{whole.size() - 1, whole.size() - 96, whole.size() - 4096};
  for (std::size_t length = 0; length < whole.size(); length += length < 512 ? 8 : 4099)
    lengths.push_back(length);
  for (const std::size_t length : lengths) {
    test::write_bytes(path_, std::string_view(whole).substr(0, length));
    EXPECT_FALSE(is_accepted({})) << "cut to " << length << " of " << whole.size() << " bytes";
  }
}

TEST_F(DamagedFile, NamesBothVersionsWhenTheyDiffer) {
  set_integer("format_version", 7);
  EXPECT_THAT(refusal(), AllOf(HasSubstr("format version 7"), HasSubstr("version 1")));
}

TEST_F(DamagedFile, NamesTheArrayWhoseChecksumDiffers) {
  for (const char* name : kArrays) {
    write_dataset(path_, full_dataset());
    const std::uint64_t place = place_of(name);
    std::string bytes = test::read_bytes(path_);
    bytes[place + 1] = static_cast<char>(bytes[place + 1] ^ 0x10);
    test::write_bytes(path_, bytes);
    EXPECT_THAT(refusal({.verify_checksums = true}), HasSubstr(concat(name, " is damaged"))) << name;
  }
}

TEST_F(DamagedFile, IsNeverBelievedWhenAByteOfItsStructureIsFlipped) {
  const std::string whole = test::read_bytes(path_);
  const Dataset expected = full_dataset();
  std::mt19937 random(17);
  std::vector<std::size_t> places;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    // Every byte that is not padding once in a while, and the superblock in full.
    if (at < 48 || (whole[at] != 0 && random() % 4 == 0)) places.push_back(at);
  }
  for (const std::size_t at : places) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
    test::write_bytes(path_, bytes);
    if (!is_accepted({.map_features = false, .verify_checksums = true})) continue;
    // Accepted: then the flip was in a place that nobody reads.
    const Dataset actual = read_dataset(path_);
    EXPECT_EQ(actual.original_id, expected.original_id) << "flipped at " << at;
    EXPECT_EQ(actual.provenance.method, expected.provenance.method) << "flipped at " << at;
    EXPECT_EQ(actual.provenance.seed, expected.provenance.seed) << "flipped at " << at;
    EXPECT_EQ(actual.edge_id, expected.edge_id) << "flipped at " << at;
  }
}

TEST_F(DamagedFile, DoesNotCrashWithoutVerificationWhenBytesAreFlipped) {
  const std::string whole = test::read_bytes(path_);
  std::mt19937 random(23);
  for (int round = 0; round < 300; ++round) {
    std::string bytes = whole;
    for (int flips = 0; flips < 20; ++flips) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
      bytes[262144 + random() % (bytes.size() - 262144)] = static_cast<char>(random());
    }
    test::write_bytes(path_, bytes);
    is_accepted({});
  }
}

TEST_F(DamagedFile, IsReportedWhenAnArrayIsMissing) {
  for (const char* name : {"/graph/offsets", "/graph/neighbors", "/nodes/original_id", "/communities/level0",
                           "/split/train", "/split/valid", "/split/test", "/graph", "/nodes", "/split"}) {
    write_dataset(path_, full_dataset());
    change([&](hid_t file) { ASSERT_GE(H5Ldelete(file, name, H5P_DEFAULT), 0); });
    EXPECT_THAT(refusal(), AllOf(HasSubstr(name), HasSubstr("is missing"))) << name;
  }
}

TEST_F(DamagedFile, IsReportedWhenAnAttributeIsMissingOrOfAnotherKind) {
  for (const char* name : {"source", "method", "seed", "directed", "num_classes", "created"}) {
    write_dataset(path_, full_dataset());
    change([&](hid_t file) { ASSERT_GE(H5Adelete(file, name), 0); });
    EXPECT_THAT(refusal(), HasSubstr(concat("the attribute ", name, " is missing")));
    change([&](hid_t file) {
      const hid_t space = H5Screate(H5S_SCALAR);
      H5Aclose(H5Acreate2(file, name, H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT));
      H5Sclose(space);
    });
    EXPECT_THAT(refusal(), HasSubstr(concat("the attribute ", name, " must be one")));
  }
  write_dataset(path_, full_dataset());
  change([&](hid_t file) { H5Adelete(file, "checksum:/nodes/label"); });
  EXPECT_THAT(refusal({.verify_checksums = true}), HasSubstr("/nodes/label has no checksum"));
  EXPECT_TRUE(is_accepted({}));
}

TEST_F(DamagedFile, IsReportedWhenATextIsOfVariableLength) {
  change([&](hid_t file) {
    H5Adelete(file, "method");
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t attribute = H5Acreate2(file, "method", type, space, H5P_DEFAULT, H5P_DEFAULT);
    const char* text = "by hand";
    H5Awrite(attribute, type, &text);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
  });
  EXPECT_THAT(refusal(), HasSubstr("the attribute method must be text of a fixed length"));
}

TEST_F(DamagedFile, IsReportedWhenAnArrayHasAnotherTypeOrRank) {
  replace("/graph/offsets", H5T_STD_I32LE, {9}, std::vector<std::int32_t>(9));
  EXPECT_THAT(refusal(), HasSubstr("/graph/offsets: expected values of type i64"));
  write_dataset(path_, full_dataset());
  replace("/nodes/label", H5T_STD_U8LE, {8}, std::vector<std::uint8_t>(8));
  EXPECT_THAT(refusal(), HasSubstr("/nodes/label: expected values of type i32"));
  write_dataset(path_, full_dataset());
  replace("/split/train", H5T_STD_I32LE, {1, 2}, std::vector<std::int32_t>{1, 2});
  EXPECT_THAT(refusal(), HasSubstr("/split/train: expected 1 dimension(s), got 2"));
  write_dataset(path_, full_dataset());
  replace("/features", H5T_IEEE_F64LE, {8, 1}, std::vector<double>(8));
  EXPECT_THAT(refusal(), HasSubstr("/features: expected values of type f32 or f16 or u16"));
  write_dataset(path_, full_dataset());
  replace("/features", H5T_STD_U16LE, {8, 1}, std::vector<std::uint16_t>(8));
  EXPECT_THAT(refusal(), HasSubstr("need the attribute dtype = bf16"));
  change([](hid_t file) {
    H5Ldelete(file, "/features", H5P_DEFAULT);
    H5Gclose(H5Gcreate2(file, "/features", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  });
  EXPECT_THAT(refusal(), HasSubstr("/features is damaged or not an array"));
}

TEST_F(DamagedFile, IsReportedWhenSizesDoNotAgree) {
  replace_ids("/nodes/label", {0, 0, 0});
  EXPECT_THAT(refusal(), HasSubstr("/nodes/label: expected 8 entries (one a node), got 3"));
  write_dataset(path_, full_dataset());
  replace_offsets("/nodes/original_id", {1, 2});
  EXPECT_THAT(refusal(), HasSubstr("/nodes/original_id: expected 8 entries"));
  write_dataset(path_, full_dataset());
  replace_offsets("/graph/edge_id", {1, 2});
  EXPECT_THAT(refusal(), HasSubstr("/graph/edge_id: expected 16 entries (one an edge)"));
  write_dataset(path_, full_dataset());
  replace("/features", H5T_IEEE_F32LE, {4, 2}, std::vector<float>(8));
  EXPECT_THAT(refusal(), HasSubstr("/features: expected 8 entries"));
  write_dataset(path_, full_dataset());
  replace("/nodes/label", H5T_STD_U8LE, {8, 2}, std::vector<std::uint8_t>(16));
  EXPECT_THAT(refusal(), HasSubstr("expected 3 columns (num_classes), got 2"));
  write_dataset(path_, full_dataset());
  replace_offsets("/graph/offsets", {});
  EXPECT_THAT(refusal(), HasSubstr("at least one entry"));
}

TEST_F(DamagedFile, IsReportedWhenValuesAreOutOfRange) {
  const auto expect_refusal = [&](const auto& damage, const char* expected) {
    write_dataset(path_, full_dataset());
    damage();
    EXPECT_THAT(refusal(), HasSubstr(expected));
  };
  std::vector<std::int32_t> neighbors(16, 1);
  neighbors[0] = 8;
  expect_refusal([&] { replace_ids("/graph/neighbors", neighbors); }, "neighbours of node");
  expect_refusal([&] { replace_offsets("/graph/offsets", {0, 2, 1, 7, 8, 9, 10, 11, 16}); }, "must not fall");
  expect_refusal([&] { replace_offsets("/graph/offsets", {0, 2, 4, 7, 10, 13, 15, 16, 17}); },
                 "must end at 16");
  expect_refusal([&] { replace_ids("/nodes/label", {0, 0, 0, 3, 0, 0, 0, 0}); }, "label of node 3");
  expect_refusal([&] { replace("/nodes/label", H5T_STD_U8LE, {8, 3}, std::vector<std::uint8_t>(24, 2)); },
                 "must be 0 or 1");
  expect_refusal([&] { set_integer("num_classes", 2); }, "label of node 6 must be in [-1, 2), got 2");
  expect_refusal([&] { set_integer("num_classes", -1); }, "num_classes must lie in 0..");
  expect_refusal([&] { set_integer("num_classes", 1 << 21); }, "num_classes must lie in 0..");
  expect_refusal([&] { replace_ids("/split/train", {0, 8}); }, "split train");
  expect_refusal([&] { replace_ids("/split/valid", {-1}); }, "split valid");
  expect_refusal([&] { replace_ids("/split/test", {3, 3}); }, "split test");
  expect_refusal([&] { replace_offsets("/communities/level1", {0, 4, 8}); }, "level 1 cuts through");
  expect_refusal([&] { replace_offsets("/communities/level1", {0, 9}); },
                 "/communities/level1: community offsets");
  expect_refusal([&] { replace_offsets("/communities/level0", {0, 3, 3, 8}); }, "must rise");
}

TEST_F(DamagedFile, IsReportedBeforeMemoryIsTakenForSizesThatItCannotHold) {
  constexpr hsize_t kHuge = hsize_t{1} << 40;
  replace("/graph/neighbors", H5T_STD_I32LE, {kHuge}, std::vector<std::int32_t>());
  EXPECT_THAT(refusal(), HasSubstr("/graph/neighbors"));
  write_dataset(path_, full_dataset());
  replace("/features", H5T_IEEE_F32LE, {kHuge, kHuge}, std::vector<float>());
  EXPECT_THAT(refusal(), HasSubstr("/features"));
  write_dataset(path_, full_dataset());
  replace_offsets("/graph/offsets", {});
  replace("/graph/offsets", H5T_STD_I64LE, {kHuge}, std::vector<std::int64_t>());
  EXPECT_THAT(refusal(), HasSubstr("/graph/offsets"));
}

TEST_F(DamagedFile, NeverMakesUsReadAnotherFile) {
  // A whole dataset elsewhere, which would be believed.
  const std::string other = folder_.file("other.kith.h5");
  write_dataset(other, full_dataset());
  for (const char* name : {"/features", "/graph/offsets", "/graph", "/split/test"}) {
    write_dataset(path_, full_dataset());
    change([&](hid_t file) {
      H5Ldelete(file, name, H5P_DEFAULT);
      ASSERT_GE(H5Lcreate_external(other.c_str(), name, file, name, H5P_DEFAULT, H5P_DEFAULT), 0);
    });
    EXPECT_THAT(refusal(), HasSubstr(concat(name, " is a link to another place")));
  }
  const hid_t elsewhere = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_external(elsewhere, other.c_str(), 0, 96);
  write_dataset(path_, full_dataset());
  replace("/features", H5T_IEEE_F32LE, {8, 3}, std::vector<float>(), elsewhere);
  EXPECT_THAT(refusal(), HasSubstr("/features is stored in another file"));
  H5Pclose(elsewhere);

  const hid_t pieced = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t dims[] = {8, 3};
  const hid_t space = H5Screate_simple(2, dims, nullptr);
  H5Pset_virtual(pieced, space, other.c_str(), "/features", space);
  write_dataset(path_, full_dataset());
  replace("/features", H5T_IEEE_F32LE, {8, 3}, std::vector<float>(), pieced);
  EXPECT_THAT(refusal(), HasSubstr("/features must be stored contiguously"));
  H5Sclose(space);
  H5Pclose(pieced);
}

TEST_F(DamagedFile, IsReportedWhenAnArrayThatMayBeMissingIsLost) {
  for (const char* name : {"/graph/edge_id", "/nodes/label", "/communities/level1", "/features"}) {
    write_dataset(path_, full_dataset());
    change([&](hid_t file) { ASSERT_GE(H5Ldelete(file, name, H5P_DEFAULT), 0); });
    EXPECT_THAT(refusal({.verify_checksums = true}),
                HasSubstr(concat(name, " has a checksum, but is missing")));
    EXPECT_TRUE(is_accepted({})) << name;
  }
}

TEST_F(DamagedFile, IsReportedWhenItNamesOneLevelManyTimes) {
  change([](hid_t file) {
    for (int level = 2; level < 40; ++level) {
      const std::string name = concat("/communities/level", level);
      ASSERT_GE(H5Lcreate_hard(file, "/communities/level1", file, name.c_str(), H5P_DEFAULT, H5P_DEFAULT), 0);
    }
  });
  EXPECT_THAT(refusal(), HasSubstr("at most 32 community levels"));
}

TEST_F(DamagedFile, ShowsItsTextsInOneLine) {
  change([](hid_t file) {
    H5Adelete(file, "source");
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, 8);
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t attribute = H5Acreate2(file, "source", type, space, H5P_DEFAULT, H5P_DEFAULT);
    const char text[8] = "a\n\x1b[2J";
    H5Awrite(attribute, type, text);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
  });
  EXPECT_EQ(read_dataset(path_).provenance.source, "a??[2J");
}

TEST_F(DamagedFile, IsReportedWhenFeaturesAreNotContiguous) {
  const hid_t chunked = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t chunk[] = {4, 3};
  H5Pset_chunk(chunked, 2, chunk);
  replace("/features", H5T_IEEE_F32LE, {8, 3}, std::vector<float>(24), chunked);
  H5Pclose(chunked);
  EXPECT_THAT(refusal(), HasSubstr("/features must be stored contiguously"));
}

TEST_F(DamagedFile, NamesTheNodeWhoseFeaturesAreNotFinite) {
  Dataset dataset = full_dataset();
  for (const float bad : {std::nanf(""), -HUGE_VALF}) {
    std::vector<float> values(24, 1.0F);
    values[3 * 5 + 2] = bad;
    dataset.features = test::make_features(values, 8, 3);
    write_dataset(path_, dataset);
    EXPECT_THAT(refusal({.check_features = true}),
                HasSubstr("the features of node 5 hold a NaN or infinite value"));
    EXPECT_TRUE(is_accepted({}));
  }
}

}  // namespace
}  // namespace kith
