#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "graph/dataset_file.h"
#include "tests/datasets/source_support.h"

namespace kith::test {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

// Edges 0-1 and 1-2 in both directions, a loop at 2.
Dataset path_of_three(bool is_directed) {
  Dataset dataset;
  dataset.graph = CsrGraph({0, 1, 3, 5}, {1, 0, 2, 1, 2}, "test");
  std::vector<std::byte> bytes(3 * sizeof(float));
  const float values[] = {0.5F, 1, -2};
  std::memcpy(bytes.data(), values, sizeof(values));
  dataset.features = FeatureStore(std::move(bytes), 3, 1, FeatureType::f32);
  dataset.labels = {.of_node = {1, -1, 0}, .indicator = {}, .num_classes = 2};
  dataset.splits.train = {0, 2};
  dataset.levels.emplace_back(3);
  dataset.original_id = {30, 10, 20};
  dataset.provenance.directed = is_directed;
  return dataset;
}

TEST(KithSource, StreamsEachEdgeOfAnUndirectedGraphOnce) {
  const TempFolder folder;
  const std::string path = folder.file("tiny.kith.h5");
  write_dataset(path, path_of_three(false));
  const auto source = open_source(path, SourceFormat::automatic);
  EXPECT_TRUE(source->is_undirected());
  EXPECT_THAT(edges_of(*source), ElementsAre(Pair(0, 1), Pair(1, 2), Pair(2, 2)));
  EXPECT_THAT(rows_of(*source), ElementsAre(ElementsAre(0.5F), ElementsAre(1), ElementsAre(-2)));
  EXPECT_THAT(source->node_data().original_id, ElementsAre(30, 10, 20));
  EXPECT_THAT(source->node_data().labels.of_node, ElementsAre(1, -1, 0));
  EXPECT_THAT(source->node_data().splits.train, ElementsAre(0, 2));
}

TEST(KithSource, StreamsEveryEdgeOfADirectedGraph) {
  const TempFolder folder;
  const std::string path = folder.file("tiny.kith.h5");
  write_dataset(path, path_of_three(true));
  const auto source = open_source(path, SourceFormat::kith);
  EXPECT_FALSE(source->is_undirected());
  EXPECT_THAT(edges_of(*source), ElementsAre(Pair(1, 0), Pair(0, 1), Pair(2, 1), Pair(1, 2), Pair(2, 2)));
}

}  // namespace
}  // namespace kith::test
