#include "datasets/generate.h"

#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "graph/dataset_file.h"
#include "graph/errors.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"

namespace kith {
namespace {

using test::error_of;
using test::TempFolder;

GenerateOptions small() {
  GenerateOptions options;
  options.num_nodes = 3000;
  options.num_edges = 60000;
  options.num_communities = 12;
  options.num_coarse = 3;
  options.feature_dim = 9;
  options.num_classes = 5;
  options.seed = 3;
  return options;
}

TEST(Generate, MakesExactlyTheEdgesAskedForWithoutLoopsOrRepeatsAndSymmetric) {
  const Dataset dataset = generate_graph(small());
  const CsrView graph = dataset.graph.view();
  EXPECT_EQ(graph.num_edges(), 60000);
  for (NodeId v = 0; v < graph.num_nodes(); ++v) {
    const auto row = graph.row(v);
    ASSERT_EQ(std::adjacent_find(row.begin(), row.end()), row.end()) << "repeat at " << v;
    for (const NodeId u : row) {
      ASSERT_NE(u, v);
      const auto back = graph.row(u);
      ASSERT_TRUE(std::binary_search(back.begin(), back.end(), v));
    }
  }
  check_dataset(dataset, "test");
}

TEST(Generate, KeepsTheShareOfEdgesInsideEachLevel) {
  GenerateOptions options = small();
  options.intra = 0.7;
  const Dataset dataset = generate_graph(options);
  ASSERT_EQ(dataset.levels.size(), 2U);
  EXPECT_EQ(dataset.levels[0].num_communities(), 12);
  EXPECT_EQ(dataset.levels[1].num_communities(), 3);
  check_nested(dataset.levels, "test");
  EdgeOffset inside_fine = 0, inside_coarse = 0;
  for (NodeId v = 0; v < dataset.num_nodes(); ++v) {
    for (const NodeId u : dataset.graph.view().row(v)) {
      inside_fine += dataset.levels[0].community_of(u) == dataset.levels[0].community_of(v);
      inside_coarse += dataset.levels[1].community_of(u) == dataset.levels[1].community_of(v);
    }
  }
  EXPECT_NEAR(static_cast<double>(inside_fine) / 60000, 0.70, 0.01);
  EXPECT_NEAR(static_cast<double>(inside_coarse) / 60000, 0.85, 0.01);
}

TEST(Generate, GivesAHeavyTailOfDegreesAndPutsHeavyNodesFirst) {
  GenerateOptions options = small();
  options.num_communities = options.num_coarse = 1;
  const CsrGraph graph = generate_graph(options).graph;
  NodeId largest = 0;
  EdgeOffset first_tenth = 0;
  for (NodeId v = 0; v < graph.num_nodes(); ++v) {
    largest = std::max(largest, graph.view().degree(v));
    if (v < graph.num_nodes() / 10) first_tenth += graph.view().degree(v);
  }
  EXPECT_GT(largest, 200);            // ten times the mean; a Poisson distribution would stay below 45
  EXPECT_GT(first_tenth, 60000 / 4);  // without the order it would be a tenth
}

TEST(Generate, IsTheSameForTheSameSeedOnAnyNumberOfThreads) {
  const TempFolder folder;
  for (const std::size_t threads : {1U, 3U}) {
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
    generate_dataset(folder.file(std::to_string(threads)), small(), {});
  }
  const Dataset one = read_dataset(folder.file("1"));
  const Dataset three = read_dataset(folder.file("3"));
  EXPECT_TRUE(std::ranges::equal(one.graph.view().offsets, three.graph.view().offsets));
  EXPECT_TRUE(std::ranges::equal(one.graph.view().neighbors, three.graph.view().neighbors));
  EXPECT_EQ(one.labels.of_node, three.labels.of_node);
  EXPECT_EQ(one.splits.train, three.splits.train);
  const std::size_t bytes = 3000 * one.features.view().row_bytes();
  EXPECT_TRUE(
      std::equal(one.features.view().data, one.features.view().data + bytes, three.features.view().data));
  GenerateOptions other = small();
  other.seed = 4;
  EXPECT_FALSE(std::ranges::equal(one.graph.view().neighbors, generate_graph(other).graph.view().neighbors));
}

TEST(Generate, SplitsAndLabelsAsAskedFor) {
  GenerateOptions options = small();
  options.train_share = 0.2;
  options.label_noise = 0;
  const Dataset dataset = generate_graph(options);
  EXPECT_EQ(dataset.splits.train.size(), 600U);
  EXPECT_EQ(dataset.splits.valid.size(), 1200U);
  EXPECT_EQ(dataset.splits.test.size(), 1200U);
  // Without noise a fine community has at most two labels: its own and that of the coarse one.
  for (std::int32_t c = 0; c < 12; ++c) {
    std::set<std::int32_t> labels;
    for (NodeId v = dataset.levels[0].begin(c); v < dataset.levels[0].end(c); ++v) {
      labels.insert(dataset.labels.of_node[v]);
    }
    EXPECT_LE(labels.size(), 2U) << "community " << c;
  }
}

TEST(Generate, FillsATinyGraphToTheLastPair) {
  GenerateOptions options;
  options.num_nodes = 8;
  options.num_edges = 56;  // every pair of 8 nodes, both directions
  options.num_communities = 1;
  EXPECT_EQ(generate_graph(options).graph.num_edges(), 56);
  options.num_edges = 58;
  EXPECT_NE(error_of<InvalidArgument>([&] { generate_graph(options); }).find("at most 28"), std::string::npos);
}

TEST(Generate, RefusesOptionsOutOfRangeAndLeavesNothingBehind) {
  const TempFolder folder;
  const auto refuses = [&](auto change) {
    GenerateOptions options = small();
    change(options);
    EXPECT_THROW(generate_dataset(folder.file("x"), options, {}), InvalidArgument);
  };
  refuses([](GenerateOptions& o) { o.num_nodes = 1; });
  refuses([](GenerateOptions& o) { o.num_edges = 7; });
  refuses([](GenerateOptions& o) { o.num_edges = -2; });
  refuses([](GenerateOptions& o) { o.num_edges = 3000LL * 3000; });
  refuses([](GenerateOptions& o) { o.num_communities = 3001; });
  refuses([](GenerateOptions& o) { o.num_coarse = 13; });
  refuses([](GenerateOptions& o) { o.intra = 1.5; });
  refuses([](GenerateOptions& o) { o.intra = std::nan(""); });
  refuses([](GenerateOptions& o) { o.degree_exponent = 1; });
  refuses([](GenerateOptions& o) { o.feature_dim = -1; });
  refuses([](GenerateOptions& o) { o.num_classes = 0; });
  refuses([](GenerateOptions& o) { o.feature_noise = -1; });
  refuses([](GenerateOptions& o) { o.label_noise = 2; });
  refuses([](GenerateOptions& o) { o.train_share = -0.1; });
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace kith
