#include "datasets/prepare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "graph/dataset_file.h"
#include "tests/datasets/source_support.h"

namespace kith {
namespace {

using test::error_of;
using test::TempFolder;

constexpr NodeId kNodes = 60;
constexpr std::int32_t kDim = 3;

// 60 nodes in 6 groups of 10, numbered so that a group is not contiguous: group of v = v % 6. Directed as
// stored, with repeats and self-loops; label = group, -1 for every tenth node; feature (v, d) = v + d / 4.
struct Sample {
  std::vector<std::int32_t> sources, targets;
  std::vector<float> features;
  std::vector<std::int16_t> labels;
  std::vector<char> train, valid, test;

  Sample() {
    std::mt19937 bits(11);
    for (int i = 0; i < 600; ++i) {
      const auto u = static_cast<std::int32_t>(bits() % kNodes);
      const auto step = static_cast<std::int32_t>(bits() % 10);
      const std::int32_t v =
          bits() % 5 == 0 ? static_cast<std::int32_t>(bits() % kNodes) : (u + 6 * step) % kNodes;
      sources.push_back(u);
      targets.push_back(v);
    }
    for (NodeId v = 0; v < kNodes; ++v) {
      for (std::int32_t d = 0; d < kDim; ++d) {
        features.push_back(static_cast<float>(v) + static_cast<float>(d) / 4);
      }
      labels.push_back(static_cast<std::int16_t>(v % 10 == 9 ? -1 : v % 6));
      train.push_back(v % 3 == 0);
      valid.push_back(v % 3 == 1);
      test.push_back(v % 7 == 2);
    }
  }

  void write(const std::string& path) const {
    std::vector<std::int32_t> edges = sources;
    edges.insert(edges.end(), targets.begin(), targets.end());
    test::write_npz(path, {{"edge_index", test::npy_bytes("<i4", "(2, " + std::to_string(sources.size()) + ")",
                                                          test::raw(edges))},
                           {"x", test::npy_bytes("<f4", "(60, 3)", test::raw(features))},
                           {"y", test::npy_bytes("<i2", "(60,)", test::raw(labels))},
                           {"train_mask", test::npy_bytes("|b1", "(60,)", test::raw(train))},
                           {"val_mask", test::npy_bytes("|b1", "(60,)", test::raw(valid))},
                           {"test_mask", test::npy_bytes("|b1", "(60,)", test::raw(test))}});
  }
};

class Prepare : public ::testing::Test {
 protected:
  Prepare() { sample.write(folder.file("in.npz")); }

  PrepareOptions options() const {
    PrepareOptions options;
    options.source = folder.file("in.npz");
    options.output = folder.file("out.kith.h5");
    options.partition.num_communities = 6;
    return options;
  }

  std::set<std::string> names() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }

  Sample sample;
  TempFolder folder;
};

std::vector<std::int64_t> originals(const Dataset& dataset, const std::vector<NodeId>& nodes) {
  std::vector<std::int64_t> ids;
  for (const NodeId v : nodes) ids.push_back(dataset.original_id[static_cast<std::size_t>(v)]);
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::vector<std::int64_t> marked(const std::vector<char>& mask) {
  std::vector<std::int64_t> ids;
  for (std::size_t v = 0; v < mask.size(); ++v) {
    if (mask[v]) ids.push_back(static_cast<std::int64_t>(v));
  }
  return ids;
}

float feature(const Dataset& dataset, NodeId v, std::int32_t d) {
  float value = 0;
  std::memcpy(&value, dataset.features.view().row(v) + static_cast<std::size_t>(d) * sizeof(float),
              sizeof value);
  return value;
}

TEST_F(Prepare, MapsEverythingBackToTheSourceThroughTheOriginalIds) {
  const PrepareReport report = prepare(options());
  const Dataset dataset = read_dataset(folder.file("out.kith.h5"), {.verify_checksums = true});
  EXPECT_EQ(names(), (std::set<std::string>{"in.npz", "out.kith.h5"}));
  std::set<std::pair<std::int64_t, std::int64_t>> expected, got;
  for (std::size_t i = 0; i < sample.sources.size(); ++i) {
    expected.emplace(sample.sources[i], sample.targets[i]);
    expected.emplace(sample.targets[i], sample.sources[i]);  // an npz stands for both directions
  }
  std::set<std::int64_t> ids(dataset.original_id.begin(), dataset.original_id.end());
  ASSERT_EQ(ids.size(), static_cast<std::size_t>(kNodes));
  EXPECT_EQ(*ids.begin(), 0);
  EXPECT_EQ(*ids.rbegin(), kNodes - 1);
  for (NodeId v = 0; v < kNodes; ++v) {
    const std::int64_t old = dataset.original_id[static_cast<std::size_t>(v)];
    for (const NodeId u : dataset.graph.view().row(v)) {
      got.emplace(dataset.original_id[static_cast<std::size_t>(u)], old);
    }
    ASSERT_EQ(dataset.labels.of_node[static_cast<std::size_t>(v)],
              sample.labels[static_cast<std::size_t>(old)]);
    for (std::int32_t d = 0; d < kDim; ++d) {
      ASSERT_EQ(feature(dataset, v, d), sample.features[static_cast<std::size_t>(old * kDim + d)]);
    }
  }
  EXPECT_EQ(got, expected);
  EXPECT_EQ(dataset.graph.num_edges(), static_cast<EdgeOffset>(expected.size()));
  EXPECT_EQ(originals(dataset, dataset.splits.train), marked(sample.train));
  EXPECT_EQ(originals(dataset, dataset.splits.valid), marked(sample.valid));
  EXPECT_EQ(originals(dataset, dataset.splits.test), marked(sample.test));
  EXPECT_FALSE(dataset.provenance.directed);
  EXPECT_EQ(dataset.provenance.source, "in.npz");
  EXPECT_EQ(report.num_edges, dataset.graph.num_edges());
  EXPECT_EQ(report.levels.size(), dataset.levels.size());
  EXPECT_GT(report.metis_bytes, 0);
  EXPECT_EQ(report.counts.source_edges - report.counts.duplicates_dropped + report.counts.edges_added,
            report.num_edges);
}

TEST_F(Prepare, PutsTheGivenCommunitiesIntoContiguousRanges) {
  std::string text;
  for (NodeId v = 0; v < kNodes; ++v) text += std::to_string(10 * (v % 6)) + "\n";
  test::write_bytes(folder.file("groups.txt"), text);
  PrepareOptions given = options();
  given.communities_from = folder.file("groups.txt");
  EXPECT_EQ(prepare(given).method, "file");
  const Dataset dataset = read_dataset(given.output);
  const Communities& finest = dataset.communities(0);
  ASSERT_EQ(finest.num_communities(), 6);
  for (std::int32_t c = 0; c < 6; ++c) {
    ASSERT_EQ(finest.end(c) - finest.begin(c), 10);
    for (NodeId v = finest.begin(c); v < finest.end(c); ++v) {
      EXPECT_EQ(dataset.original_id[static_cast<std::size_t>(v)] % 6,
                dataset.original_id[static_cast<std::size_t>(finest.begin(c))] % 6);
    }
  }
}

TEST_F(Prepare, CarriesEdgePositionsAlong) {
  PrepareOptions with_ids = options();
  with_ids.build.keep_edge_ids = true;
  prepare(with_ids);
  const Dataset dataset = read_dataset(with_ids.output);
  ASSERT_EQ(dataset.edge_id.size(), static_cast<std::size_t>(dataset.graph.num_edges()));
  for (NodeId v = 0; v < kNodes; ++v) {
    for (EdgeOffset e = dataset.graph.view().offsets[v]; e < dataset.graph.view().offsets[v + 1]; ++e) {
      const auto place = static_cast<std::size_t>(dataset.edge_id[static_cast<std::size_t>(e)]);
      const std::int64_t u = dataset.original_id[static_cast<std::size_t>(
          dataset.graph.view().neighbors[static_cast<std::size_t>(e)])];
      const std::set<std::int64_t> ends = {u, dataset.original_id[static_cast<std::size_t>(v)]};
      ASSERT_EQ(ends, (std::set<std::int64_t>{sample.sources[place], sample.targets[place]}));
    }
  }
}

TEST_F(Prepare, CastsAndNormalizesFeaturesOnRequest) {
  PrepareOptions normalized = options();
  normalized.normalize_rows = true;
  prepare(normalized);
  const Dataset dataset = read_dataset(normalized.output);
  for (NodeId v = 0; v < kNodes; ++v) {
    double sum = 0;
    for (std::int32_t d = 0; d < kDim; ++d) sum += std::fabs(feature(dataset, v, d));
    ASSERT_NEAR(sum, 1, 1e-6);
  }
  PrepareOptions half = options();
  half.feature_type = FeatureType::bf16;
  EXPECT_EQ(prepare(half).feature_type, FeatureType::bf16);
  EXPECT_EQ(read_dataset(half.output).features.view().type, FeatureType::bf16);
}

TEST_F(Prepare, RefusesFeaturesThatAreNotFiniteAndLeavesNothingBehind) {
  sample.features[17 * kDim + 1] = std::nanf("");
  sample.write(folder.file("in.npz"));
  const std::string text = error_of<Error>([&] { prepare(options()); });
  EXPECT_THAT(text, ::testing::HasSubstr("17"));
  EXPECT_EQ(names(), std::set<std::string>{"in.npz"});
  sample.features[17 * kDim + 1] = 1e6F;
  sample.write(folder.file("in.npz"));
  PrepareOptions half = options();
  half.feature_type = FeatureType::f16;
  EXPECT_THAT(error_of<InvalidArgument>([&] { prepare(half); }), ::testing::HasSubstr("too large for f16"));
  EXPECT_EQ(names(), std::set<std::string>{"in.npz"});
}

TEST_F(Prepare, KeepsTheFileThatStoodThereWhenItFails) {
  test::write_bytes(folder.file("out.kith.h5"), "precious");
  PrepareOptions bad = options();
  bad.partition.num_communities = 61;
  EXPECT_THROW(prepare(bad), InvalidArgument);
  EXPECT_EQ(test::read_bytes(folder.file("out.kith.h5")), "precious");
  EXPECT_EQ(names(), (std::set<std::string>{"in.npz", "out.kith.h5"}));
  prepare(options());
  EXPECT_NE(test::read_bytes(folder.file("out.kith.h5")), "precious");
}

TEST_F(Prepare, IsTheSameWithAndWithoutThePartitionCache) {
  prepare(options());
  const Dataset fresh = read_dataset(folder.file("out.kith.h5"));
  for (int i = 0; i < 2; ++i) {
    PrepareOptions cached = options();
    cached.partition.cache_dir = folder.file("cache");
    prepare(cached);
    const Dataset dataset = read_dataset(folder.file("out.kith.h5"));
    EXPECT_EQ(dataset.original_id, fresh.original_id);
  }
  EXPECT_FALSE(std::filesystem::is_empty(folder.file("cache")));
}

TEST_F(Prepare, ReportsAsJson) {
  const nlohmann::ordered_json json = to_json(prepare(options()));
  EXPECT_EQ(json["nodes"], kNodes);
  EXPECT_EQ(json["method"], "metis");
  EXPECT_EQ(json["feature_type"], "f32");
  EXPECT_EQ(json["splits"]["train"], 20);
  for (const char* stage : {"import", "clean", "partition", "renumber", "write"}) {
    EXPECT_GE(json["seconds"][stage].get<double>(), 0) << stage;
  }
}

TEST(ReadCommunities, NamesTheLineThatIsWrong) {
  const TempFolder folder;
  const std::string path = folder.file("part");
  test::write_bytes(path, "3\n0\r\n3\n");
  EXPECT_EQ(read_communities(path, 3), (std::vector<std::int32_t>{3, 0, 3}));
  EXPECT_THAT(error_of<IoError>([&] { read_communities(path, 4); }), ::testing::HasSubstr("expected 4 lines"));
  for (const char* text : {"1\n-2\n", "1\nx\n", "1\n\n", "1\n99999999999\n", "1\n1 2\n"}) {
    test::write_bytes(path, text);
    EXPECT_THAT(error_of<IoError>([&] { read_communities(path, 2); }), ::testing::HasSubstr("line 2")) << text;
  }
  EXPECT_THROW(read_communities(folder.file("none"), 1), IoError);
  EXPECT_THROW(read_communities(folder.path().string(), 1), IoError);
}

}  // namespace
}  // namespace kith
