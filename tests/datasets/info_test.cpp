#include "datasets/info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "graph/dataset_file.h"
#include "graph/errors.h"
#include "tests/support/errors.h"
#include "tests/support/graphs.h"
#include "tests/support/temp_folder.h"

namespace kith {
namespace {

using test::TempFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Info, CountsWhatATinyDatasetHolds) {
  const TempFolder folder;
  write_dataset(folder.file("tiny"), test::tiny_dataset());
  const InfoReport report = inspect_dataset(folder.file("tiny"), true);
  EXPECT_TRUE(report.is_verified);
  EXPECT_EQ(report.num_nodes, 8);
  EXPECT_EQ(report.num_edges, 16);
  EXPECT_EQ(report.in_degree.smallest, 0);
  EXPECT_EQ(report.in_degree.median, 2);
  EXPECT_EQ(report.in_degree.largest, 3);
  EXPECT_DOUBLE_EQ(report.in_degree.mean, 2);
  EXPECT_EQ(report.in_degree.num_isolated, 1);
  EXPECT_THAT(report.label_counts, ElementsAre(3, 3, 1));
  EXPECT_EQ(report.num_unlabelled, 1);
  EXPECT_THAT(report.split_sizes, ElementsAre(3, 2, 2));
  ASSERT_EQ(report.levels.size(), 2U);
  // Of the 8 edges, 2-3 and 5-6 leave their community at level 0, and only 2-3 at level 1.
  EXPECT_DOUBLE_EQ(report.levels[0].intra_edge_fraction, 6.0 / 8);
  EXPECT_DOUBLE_EQ(report.levels[1].intra_edge_fraction, 7.0 / 8);
}

TEST(Info, CountsSeveralLabelsANode) {
  const TempFolder folder;
  Dataset dataset = test::tiny_dataset();
  dataset.labels = {
      .of_node = {}, .indicator = {1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 1}, .num_classes = 2};
  write_dataset(folder.file("multi"), dataset);
  const InfoReport report = inspect_dataset(folder.file("multi"), false);
  EXPECT_TRUE(report.is_multi_label);
  EXPECT_THAT(report.label_counts, ElementsAre(3, 4));
  EXPECT_EQ(report.num_unlabelled, 3);
}

TEST(Info, SaysTheSameToPeopleAndPrograms) {
  const TempFolder folder;
  write_dataset(folder.file("tiny"), test::tiny_dataset());
  const InfoReport report = inspect_dataset(folder.file("tiny"), false);
  const nlohmann::ordered_json json = to_json(report);
  EXPECT_EQ(json["nodes"], 8);
  EXPECT_EQ(json["splits"]["valid"], 2);
  EXPECT_EQ(json["levels"][1]["communities"], 2);
  EXPECT_EQ(json["verified"], false);
  const std::string text = to_text(report);
  EXPECT_THAT(text, HasSubstr("nodes        8\n"));
  EXPECT_THAT(text, HasSubstr("3 classes: 3 3 1; 1 nodes without\n"));
  EXPECT_THAT(text, HasSubstr("75.0 % of the edges inside"));
}

TEST(Info, FindsAFlippedFeatureByteAndNanOnlyWhenItVerifies) {
  const TempFolder folder;
  Dataset dataset = test::tiny_dataset();
  std::vector<float> values(24, 0.125F);
  dataset.features = test::make_features(values, 8, 3);
  write_dataset(folder.file("file"), dataset);
  std::string bytes = test::read_bytes(folder.file("file"));
  const std::string row(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  const std::size_t place = bytes.find(row);
  ASSERT_NE(place, std::string::npos);
  bytes[place + 5] = static_cast<char>(bytes[place + 5] ^ 1);
  test::write_bytes(folder.file("file"), bytes);
  EXPECT_NO_THROW(inspect_dataset(folder.file("file"), false));
  EXPECT_THROW(inspect_dataset(folder.file("file"), true), IoError);
  values[4] = std::numeric_limits<float>::quiet_NaN();
  dataset.features = test::make_features(values, 8, 3);
  write_dataset(folder.file("nan"), dataset);
  EXPECT_NO_THROW(inspect_dataset(folder.file("nan"), false));
  EXPECT_THROW(inspect_dataset(folder.file("nan"), true), IoError);
}

}  // namespace
}  // namespace kith
