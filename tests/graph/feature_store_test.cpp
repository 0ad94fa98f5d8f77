#include "graph/feature_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <vector>

#include "graph/errors.h"
#include "tests/support/errors.h"
#include "tests/support/graphs.h"
#include "tests/support/temp_folder.h"

namespace kith {
namespace {

using testing::HasSubstr;

std::vector<std::byte> bytes_of(const std::vector<std::uint16_t>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(std::uint16_t));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

float value_at(FeatureView view, std::int64_t row, std::int32_t column) {
  float value = 0;
  std::memcpy(&value, view.row(row) + static_cast<std::size_t>(column) * sizeof(float), sizeof(float));
  return value;
}

TEST(FeatureType, HasANameAndASizeForEachType) {
  for (const FeatureType type : {FeatureType::f32, FeatureType::f16, FeatureType::bf16}) {
    EXPECT_EQ(parse_feature_type(name_of(type)), type);
    EXPECT_EQ(size_of(type), type == FeatureType::f32 ? 4U : 2U);
  }
  EXPECT_THAT(test::error_of<InvalidArgument>([] { parse_feature_type("f64"); }), HasSubstr("got f64"));
}

TEST(FeatureStore, GivesRowsInOrder) {
  const FeatureStore store = test::make_features(std::vector<float>{1, 2, 3, 4, 5, 6}, 3, 2);
  EXPECT_EQ(store.num_rows(), 3);
  EXPECT_EQ(store.dim(), 2);
  EXPECT_EQ(store.view().row_bytes(), 8U);
  EXPECT_EQ(value_at(store.view(), 2, 0), 5.0F);
}

TEST(FeatureStore, KeepsItsViewWhenMoved) {
  FeatureStore store = test::make_features(std::vector<float>{1, 2}, 2, 1);
  const std::byte* data = store.view().data;
  const FeatureStore moved = std::move(store);
  EXPECT_EQ(moved.view().data, data);
  EXPECT_EQ(value_at(moved.view(), 1, 0), 2.0F);
}

TEST(FeatureStore, RefusesBytesThatDoNotFitTheShape) {
  const auto refusal = [](std::int64_t rows, std::int32_t dim, FeatureType type) {
    return test::error_of<InvalidArgument>([&] { FeatureStore(std::vector<std::byte>(8), rows, dim, type); });
  };
  EXPECT_NO_THROW(FeatureStore(std::vector<std::byte>(8), 2, 2, FeatureType::f16));
  EXPECT_THAT(refusal(2, 2, FeatureType::f32), HasSubstr("expected 16 bytes (2 x 2 x f32), got 8"));
  EXPECT_THAT(refusal(-2, -1, FeatureType::f32), HasSubstr("not possible"));
  EXPECT_THAT(refusal(std::numeric_limits<std::int64_t>::max(), 1 << 30, FeatureType::f32),
              HasSubstr("not possible"));
}

TEST(FeatureStore, ReadsBorrowedMemoryInPlaceAndReleasesItOnce) {
  static int num_releases;
  num_releases = 0;
  std::vector<float> values{7, 8};
  {
    FeatureStore store = FeatureStore::borrow(reinterpret_cast<const std::byte*>(values.data()), 2, 1,
                                              FeatureType::f32, {&values, [](void*) { ++num_releases; }});
    values[1] = 9;
    EXPECT_EQ(value_at(store.view(), 1, 0), 9.0F);
    const FeatureStore moved = std::move(store);
    EXPECT_EQ(num_releases, 0);
  }
  EXPECT_EQ(num_releases, 1);
}

TEST(FeatureStore, MapsValuesAtAnyAlignedPlaceOfAFile) {
  const test::TempFolder folder;
  const std::string path = folder.file("values");
  std::vector<float> values(3000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  test::write_bytes(path, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
  for (const std::uint64_t first : {0, 1, 1023, 1024, 1025, 2998}) {
    const FeatureStore store = FeatureStore::map_file(path.c_str(), first * 4, 1, 2, FeatureType::f32);
    EXPECT_EQ(value_at(store.view(), 0, 0), static_cast<float>(first));
    EXPECT_EQ(value_at(store.view(), 0, 1), static_cast<float>(first + 1));
  }
}

TEST(FeatureStore, RefusesToMapWhatIsNotInTheFile) {
  const test::TempFolder folder;
  const std::string path = folder.file("values");
  test::write_bytes(path, std::string(40, 'x'));
  const auto refusal = [&](std::uint64_t offset, std::int64_t rows) {
    return test::error_of<IoError>(
        [&] { FeatureStore::map_file(path.c_str(), offset, rows, 1, FeatureType::f32); });
  };
  EXPECT_NO_THROW(FeatureStore::map_file(path.c_str(), 0, 10, 1, FeatureType::f32));
  EXPECT_NO_THROW(FeatureStore::map_file(path.c_str(), 40, 0, 1, FeatureType::f32));
  EXPECT_THAT(refusal(0, 11), HasSubstr(path + ": the features"));
  EXPECT_THAT(refusal(44, 0), HasSubstr("past the end"));
  EXPECT_THAT(refusal(4, std::numeric_limits<std::int64_t>::max()), HasSubstr("past the end"));
  EXPECT_THAT(refusal(0, -1), HasSubstr("past the end"));
  EXPECT_THAT(refusal(2, 1), HasSubstr("not a multiple of 4"));
  EXPECT_THAT(test::error_of<IoError>(
                  [&] { FeatureStore::map_file(folder.file("absent").c_str(), 0, 1, 1, FeatureType::f32); }),
              HasSubstr("No such file"));
}

TEST(FirstNonFiniteRow, FindsTheFirstNanOrInfinityOfEachType) {
  EXPECT_EQ(first_non_finite_row(FeatureView{}), std::nullopt);
  for (const float bad : {std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
    std::vector<float> values(20000, std::numeric_limits<float>::max());
    EXPECT_EQ(first_non_finite_row(test::make_features(values, 10000, 2).view()), std::nullopt);
    values[17001] = bad;
    values[13001] = bad;
    EXPECT_EQ(first_non_finite_row(test::make_features(values, 10000, 2).view()), 6500);
  }
  const FeatureStore half(bytes_of({0x3C00, 0x7BFF, 0xFC00, 0x7E00}), 4, 1, FeatureType::f16);
  EXPECT_EQ(first_non_finite_row(half.view()), 2);
  const FeatureStore brain(bytes_of({0x3C00, 0x7BFF, 0x7F7F, 0xFF80}), 4, 1, FeatureType::bf16);
  EXPECT_EQ(first_non_finite_row(brain.view()), 3);
}

TEST(FeatureStore, MayLeaveItsTableInTheFile) {
  const test::TempFolder folder;
  const std::string path = folder.file("values");
  std::vector<float> values(3 * 200'000);  // more than one piece
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  values[3 * 150'000 + 1] = std::numeric_limits<float>::infinity();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(values.data()),
             static_cast<std::streamsize>(values.size() * sizeof(float)));
  const FeatureStore store = FeatureStore::in_file(path.c_str(), 12, 199'999, 3, FeatureType::f32);
  EXPECT_FALSE(store.is_in_memory());
  EXPECT_EQ(store.view().data, nullptr);
  EXPECT_EQ(store.num_bytes(), 199'999U * 12);
  EXPECT_EQ(first_non_finite_row(store), 149'999);
  const FeatureStore mapped = store.mapped(), loaded = store.loaded();
  for (const FeatureStore* const each : {&mapped, &loaded}) {
    const FeatureStore& read = *each;
    EXPECT_TRUE(read.is_in_memory());
    EXPECT_EQ(value_at(read.view(), 5, 2), 20);
    EXPECT_EQ(first_non_finite_row(read), 149'999);
  }
  EXPECT_THROW(FeatureStore::in_file(path.c_str(), 12, 200'000, 3, FeatureType::f32), IoError);
}

TEST(FeatureStore, OfNoFeaturesIsMappedAndLoadedAsNone) {
  const FeatureStore none;
  const FeatureStore mapped = none.mapped(), loaded = none.loaded();
  for (const FeatureStore* const same : {&mapped, &loaded}) {
    EXPECT_EQ(same->dim(), 0);
    EXPECT_EQ(same->num_bytes(), 0U);
    EXPECT_EQ(first_non_finite_row(*same), std::nullopt);
  }
}

}  // namespace
}  // namespace kith
