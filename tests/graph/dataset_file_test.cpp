#include "graph/dataset_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <cstring>
#include <random>
#include <thread>

#include "graph/errors.h"
#include "tests/support/errors.h"
#include "tests/support/graphs.h"
#include "tests/support/temp_folder.h"

namespace kith {
namespace {

using testing::ContainerEq;
using testing::ElementsAre;
using testing::ElementsAreArray;

void expect_same(const Dataset& actual, const Dataset& expected) {
  EXPECT_THAT(actual.graph.view().offsets, ElementsAreArray(expected.graph.view().offsets));
  EXPECT_THAT(actual.graph.view().neighbors, ElementsAreArray(expected.graph.view().neighbors));
  EXPECT_EQ(actual.edge_id, expected.edge_id);
  EXPECT_EQ(actual.original_id, expected.original_id);
  EXPECT_EQ(actual.labels.of_node, expected.labels.of_node);
  EXPECT_EQ(actual.labels.indicator, expected.labels.indicator);
  EXPECT_EQ(actual.labels.num_classes, expected.labels.num_classes);
  EXPECT_EQ(actual.splits.train, expected.splits.train);
  EXPECT_EQ(actual.splits.valid, expected.splits.valid);
  EXPECT_EQ(actual.splits.test, expected.splits.test);
  ASSERT_EQ(actual.levels.size(), expected.levels.size());
  for (std::size_t level = 0; level < expected.levels.size(); ++level) {
    EXPECT_THAT(actual.levels[level].offsets(), ElementsAreArray(expected.levels[level].offsets()));
  }
  const FeatureView a = actual.features.view();
  const FeatureView e = expected.features.view();
  ASSERT_EQ(a.num_rows, e.num_rows);
  ASSERT_EQ(a.dim, e.dim);
  EXPECT_EQ(a.type, e.type);
  const auto num_bytes = static_cast<std::size_t>(e.num_rows) * e.row_bytes();
  EXPECT_TRUE(num_bytes == 0 || std::memcmp(a.data, e.data, num_bytes) == 0);
  EXPECT_EQ(actual.provenance.source, expected.provenance.source);
  EXPECT_EQ(actual.provenance.method, expected.provenance.method);
  EXPECT_EQ(actual.provenance.seed, expected.provenance.seed);
  EXPECT_EQ(actual.provenance.directed, expected.provenance.directed);
}

/// Writes, and reads back in every way there is.
void expect_round_trip(const Dataset& dataset) {
  const test::TempFolder folder;
  const std::string path = folder.file("data.kith.h5");
  write_dataset(path, dataset);
  for (const bool map_features : {true, false}) {
    for (const bool verify : {true, false}) {
      expect_same(
          read_dataset(path,
                       {.map_features = map_features, .verify_checksums = verify, .check_features = verify}),
          dataset);
    }
  }
}

FeatureStore half_features(FeatureType type, std::uint16_t first) {
  std::vector<std::uint16_t> values(8 * 5);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint16_t>(first + i);
  std::vector<std::byte> bytes(values.size() * 2);
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return FeatureStore(std::move(bytes), 8, 5, type);
}

TEST(DatasetFile, ComesBackAsItWasWritten) { expect_round_trip(test::tiny_dataset()); }

TEST(DatasetFile, KeepsEachFeatureType) {
  Dataset dataset = test::tiny_dataset();
  dataset.features = half_features(FeatureType::f16, 0x3C00);
  expect_round_trip(dataset);
  dataset.features = half_features(FeatureType::bf16, 0x3F80);
  expect_round_trip(dataset);
}

TEST(DatasetFile, KeepsEdgeIdsAndMultiLabels) {
  Dataset dataset = test::tiny_dataset();
  for (std::int64_t e = 0; e < dataset.graph.num_edges(); ++e) dataset.edge_id.push_back((e * 7) % 16);
  dataset.labels.of_node.clear();
  for (int i = 0; i < 24; ++i) dataset.labels.indicator.push_back(static_cast<std::uint8_t>(i % 3 == 0));
  expect_round_trip(dataset);
}

TEST(DatasetFile, MayLackFeaturesLabelsAndSplits) {
  Dataset dataset = test::tiny_dataset();
  dataset.features = FeatureStore();
  dataset.labels = Labels();
  dataset.splits = Splits();
  expect_round_trip(dataset);
}

TEST(DatasetFile, MayHoldNoNodesOrNoEdges) {
  Dataset dataset;
  dataset.levels.emplace_back(0);
  expect_round_trip(dataset);
  dataset.graph = test::make_graph(3, {});
  dataset.levels.assign(1, Communities(3));
  dataset.original_id = {1, 2, 3};
  expect_round_trip(dataset);
}

TEST(DatasetFile, KeepsUnusualProvenance) {
  Dataset dataset = test::tiny_dataset();
  dataset.provenance = {.source = "",
                        .method = "géométrique",
                        .seed = ~std::uint64_t{0},
                        .directed = true,
                        .created = "2020-01-02T03:04:05Z"};
  expect_round_trip(dataset);
  const test::TempFolder folder;
  write_dataset(folder.file("a"), dataset);
  EXPECT_EQ(read_dataset(folder.file("a")).provenance.created, "2020-01-02T03:04:05Z");
  dataset.provenance.created.clear();
  write_dataset(folder.file("b"), dataset);
  EXPECT_THAT(read_dataset(folder.file("b")).provenance.created,
              testing::MatchesRegex("[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+Z"));
}

TEST(DatasetFile, KeepsRandomGraphsOfManyLevels) {
  std::mt19937_64 random(11);
  for (const NodeId num_nodes : {33, 1000, 5000}) {
    Dataset dataset;
    dataset.graph = test::random_graph(num_nodes, num_nodes * 5, random());
    std::vector<float> values(static_cast<std::size_t>(num_nodes) * 7);
    for (float& value : values) value = static_cast<float>(random() % 1000) / 8;
    dataset.features = test::make_features(values, num_nodes, 7);
    dataset.labels.num_classes = 4;
    for (NodeId v = 0; v < num_nodes; ++v) {
      dataset.original_id.push_back(static_cast<std::int64_t>(random()));
      dataset.labels.of_node.push_back(static_cast<std::int32_t>(random() % 5) - 1);
      if (random() % 3 == 0) dataset.splits.train.push_back(v);
    }
    for (std::int64_t step = 2; step < num_nodes; step *= 2) {
      std::vector<EdgeOffset> offsets;
      for (std::int64_t begin = 0; begin < num_nodes; begin += step) offsets.push_back(begin);
      offsets.push_back(num_nodes);
      dataset.levels.emplace_back(std::move(offsets), num_nodes, "test");
    }
    expect_round_trip(dataset);
  }
}

TEST(DatasetFile, AlignsFeaturesToPagesAndHasNoSlackAtTheEnd) {
  const test::TempFolder folder;
  const std::string path = folder.file("data.kith.h5");
  write_dataset(path, test::tiny_dataset());
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  ASSERT_GE(file, 0);
  const hid_t features = H5Dopen2(file, "/features", H5P_DEFAULT);
  const haddr_t offset = H5Dget_offset(features);
  EXPECT_EQ(offset % 4096, 0U);
  // Features come last: a file that lost even one byte is then shorter than HDF5 says.
  EXPECT_EQ(offset + 8 * 3 * sizeof(float), std::filesystem::file_size(path));
  H5Dclose(features);
  H5Fclose(file);
}

TEST(DatasetFile, IsReadAlikeByManyThreads) {
  const test::TempFolder folder;
  const std::string path = folder.file("data.kith.h5");
  write_dataset(path, test::tiny_dataset());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      write_dataset(folder.file(std::to_string(t)), test::tiny_dataset());
      for (int i = 0; i < 5; ++i) expect_same(read_dataset(path), test::tiny_dataset());
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace kith
