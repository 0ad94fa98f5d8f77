// Preparing with little memory, and going on after a run that was stopped: always to the same bits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <stdexcept>

#include "datasets/prepare.h"
#include "datasets/work_folder.h"
#include "graph/dataset_file.h"
#include "tests/datasets/source_support.h"

namespace kith {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::TempFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr NodeId kNodes = 800;

/// Edges of 800 nodes in 20 groups, with repeats, reversed repeats and self-loops.
std::vector<Edge> sample_edges(std::size_t count) {
  std::mt19937 bits(17);
  const auto any = [&] { return static_cast<NodeId>(bits() % kNodes); };
  std::vector<Edge> edges;
  while (edges.size() < count) {
    const NodeId u = any();
    const std::uint32_t kind = bits() % 10;
    edges.push_back({u, kind == 0 ? u : kind < 8 ? u / 40 * 40 + any() % 40 : any()});
    if (kind == 5) edges.push_back({edges.back().target, u});
  }
  return edges;
}

void expect_same(const std::string& path, const std::string& other) {
  const Dataset a = read_dataset(path, {.verify_checksums = true});
  const Dataset b = read_dataset(other, {.verify_checksums = true});
  ASSERT_TRUE(std::ranges::equal(a.graph.view().offsets, b.graph.view().offsets));
  ASSERT_TRUE(std::ranges::equal(a.graph.view().neighbors, b.graph.view().neighbors));
  ASSERT_EQ(a.edge_id, b.edge_id);
  ASSERT_EQ(a.original_id, b.original_id);
  ASSERT_EQ(a.labels.of_node, b.labels.of_node);
  ASSERT_EQ(a.labels.indicator, b.labels.indicator);
  ASSERT_EQ(a.splits.train, b.splits.train);
  ASSERT_EQ(a.splits.test, b.splits.test);
  ASSERT_EQ(a.levels.size(), b.levels.size());
  for (std::size_t l = 0; l < a.levels.size(); ++l) {
    ASSERT_TRUE(std::ranges::equal(a.levels[l].offsets(), b.levels[l].offsets()));
  }
  ASSERT_EQ(a.provenance.directed, b.provenance.directed);
  ASSERT_EQ(a.provenance.method, b.provenance.method);
  const FeatureView x = a.features.view(), y = b.features.view();
  ASSERT_EQ(x.num_rows, y.num_rows);
  for (std::int64_t v = 0; v < x.num_rows; ++v) {
    ASSERT_TRUE(std::equal(x.row(v), x.row(v) + x.row_bytes(), y.row(v)));
  }
}

class PrepareStages : public ::testing::Test {
 protected:
  PrepareStages() {
    std::string text;
    for (const Edge edge : sample_edges(12000)) {
      text += std::to_string(edge.source * 5 + 2) + " " + std::to_string(edge.target * 5 + 2) + "\n";
    }
    test::write_bytes(folder.file("in.txt"), text);
    test::write_gzip(folder.file("in.txt.gz"), text);
  }

  PrepareOptions options(const std::string& output, const std::string& source = "in.txt") const {
    PrepareOptions options;
    options.source = folder.file(source);
    options.output = folder.file(output);
    options.partition = {.method = PartitionMethod::lpa, .num_communities = 20};
    return options;
  }

  /// The least that the nodes allow.
  static constexpr std::int64_t kLittle = 80 * kNodes + (64 << 10) + 10'000;

  void write_npz_source() const {
    const std::vector<Edge> edges = sample_edges(9000);
    std::vector<std::int32_t> ids;
    for (const Edge edge : edges) ids.push_back(edge.source);
    for (const Edge edge : edges) ids.push_back(edge.target);
    std::vector<float> features;
    std::vector<std::int16_t> labels;
    std::vector<char> mask;
    for (NodeId v = 0; v < kNodes; ++v) {
      for (int d = 0; d < 5; ++d) features.push_back(static_cast<float>(v) + static_cast<float>(d) / 8);
      labels.push_back(static_cast<std::int16_t>(v / 40));
      mask.push_back(v % 3 == 0);
    }
    const std::string shape = "(2, " + std::to_string(edges.size()) + ")";
    test::write_npz(folder.file("in.npz"), {{"edge_index", test::npy_bytes("<i4", shape, test::raw(ids))},
                                            {"x", test::npy_bytes("<f4", "(800, 5)", test::raw(features))},
                                            {"y", test::npy_bytes("<i2", "(800,)", test::raw(labels))},
                                            {"train_mask", test::npy_bytes("|b1", "(800,)", test::raw(mask))}});
  }

  /// Stops with an error as soon as the run says `line`; what it has finished by then stays.
  void stop_at(PrepareOptions run, const std::string& line) const {
    run.keep_stages = KeepStages::always;
    run.progress = [&](const std::string& said) {
      if (said.find(line) != std::string::npos) throw std::runtime_error("stopped");
    };
    error_of<std::runtime_error>([&] { prepare(run); });
  }

  /// Another content of the same size and age, which no reader takes.
  void poison_source() const {
    const auto time = fs::last_write_time(folder.file("in.txt"));
    test::write_bytes(folder.file("in.txt"), std::string(fs::file_size(folder.file("in.txt")), 'x'));
    fs::last_write_time(folder.file("in.txt"), time);
  }

  std::vector<std::string> left_beside(const std::string& output) const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder.path())) {
      const std::string name = entry.path().filename().string();
      if (name != output && name.find(output) != std::string::npos) names.push_back(name);
    }
    return names;
  }

  TempFolder folder;
};

TEST_F(PrepareStages, LittleMemoryGivesTheSameFile) {
  write_npz_source();
  std::string mtx = "%%MatrixMarket matrix coordinate pattern general\n800 800 9000\n";
  const std::vector<Edge> edges = sample_edges(9000);
  for (std::size_t e = 0; e < 9000; ++e) {
    mtx += std::to_string(edges[e].source + 1) + " " + std::to_string(edges[e].target + 1) + "\n";
  }
  test::write_bytes(folder.file("in.mtx"), mtx);
  std::string groups;
  for (NodeId v = 0; v < kNodes; ++v) groups += std::to_string(v % 25) + "\n";
  test::write_bytes(folder.file("groups"), groups);
  for (const char* source : {"in.txt", "in.txt.gz", "in.mtx", "in.npz"}) {
    for (const int variant : {0, 1, 2, 3}) {
      SCOPED_TRACE(testing::Message() << source << ", variant " << variant);
      PrepareOptions run = options("memory", source);
      run.build = {.symmetrize = variant == 1 || variant == 2,
                   .drop_self_loops = variant == 2,
                   .keep_edge_ids = variant >= 2};
      if (variant == 1) run.communities_from = folder.file("groups");
      const PrepareReport expected = prepare(run);
      EXPECT_FALSE(expected.are_edges_in_files);
      run.output = folder.file("files");
      run.memory_bytes = kLittle;
      const PrepareReport report = prepare(run);
      EXPECT_TRUE(report.are_edges_in_files);
      EXPECT_GT(report.temporary_bytes, 4 * report.num_edges);
      EXPECT_EQ(report.num_edges, expected.num_edges);
      EXPECT_EQ(report.counts.duplicates_dropped, expected.counts.duplicates_dropped);
      EXPECT_EQ(report.levels[0].modularity, expected.levels[0].modularity);
      expect_same(folder.file("memory"), folder.file("files"));
      EXPECT_THAT(left_beside("files"), IsEmpty());
    }
  }
}

TEST_F(PrepareStages, AKithFileAndAMetisFileInLittleMemoryToo) {
  PrepareOptions run = options("first.kith.h5");
  run.build = {.symmetrize = true, .drop_self_loops = true};
  prepare(run);
  const Dataset dataset = read_dataset(folder.file("first.kith.h5"));
  const CsrView graph = dataset.graph.view();
  std::string metis = std::to_string(graph.num_nodes()) + " " + std::to_string(graph.num_edges() / 2) + "\n";
  for (NodeId v = 0; v < graph.num_nodes(); ++v) {
    for (const NodeId u : graph.row(v)) metis += std::to_string(u + 1) + " ";
    metis += "\n";
  }
  test::write_bytes(folder.file("in.graph"), metis);
  for (const char* source : {"first.kith.h5", "in.graph"}) {
    prepare(options("memory", source));
    PrepareOptions little = options("files", source);
    little.memory_bytes = kLittle;
    EXPECT_TRUE(prepare(little).are_edges_in_files) << source;
    expect_same(folder.file("memory"), folder.file("files"));
  }
}

TEST_F(PrepareStages, RefusesMetisThatDoesNotFitAndGoesOnWithAnotherMethod) {
  PrepareOptions run = options("out");
  run.memory_bytes = kLittle;
  run.partition.method = PartitionMethod::metis;
  EXPECT_THAT(error_of<EnvironmentError>([&] { prepare(run); }), HasSubstr("--method lpa"));
  run.partition.method = PartitionMethod::lpa;
  EXPECT_THAT(prepare(run).resumed, ElementsAre("clean"));
  prepare(options("memory"));
  expect_same(folder.file("out"), folder.file("memory"));
}

TEST_F(PrepareStages, GoesOnAfterTheLastFinishedStage) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> stops = {
      {"finding communities", {"clean"}},
      {"renumbering", {"clean", "communities"}},
      {"writing", {"clean", "communities", "renumber"}}};
  for (const std::int64_t memory : {std::int64_t{0}, kLittle}) {
    for (const bool ids : {false, true}) {
      PrepareOptions run = options("out");
      run.memory_bytes = memory;
      run.build.keep_edge_ids = ids;
      PrepareOptions undisturbed = run;
      undisturbed.output = folder.file("undisturbed");
      const PrepareReport expected = prepare(undisturbed);
      const std::string source = test::read_bytes(run.source);
      for (const auto& [line, finished] : stops) {
        const auto time = fs::last_write_time(run.source);
        stop_at(run, line);
        EXPECT_THAT(left_beside("out"), ElementsAre("out.prepare"));
        poison_source();  // so that whoever reads it again fails
        const PrepareReport report = prepare(run);
        EXPECT_EQ(report.resumed, finished) << "stopped at " << line;
        expect_same(run.output, undisturbed.output);
        EXPECT_EQ(report.counts.edges_added, expected.counts.edges_added);
        EXPECT_EQ(report.counts.duplicates_dropped, expected.counts.duplicates_dropped);
        EXPECT_EQ(report.levels.back().intra_edge_fraction, expected.levels.back().intra_edge_fraction);
        EXPECT_THAT(left_beside("out"), IsEmpty());
        fs::remove(run.output);
        test::write_bytes(run.source, source);
        fs::last_write_time(run.source, time);
      }
    }
  }
}

TEST_F(PrepareStages, StagesOfAMachineWithMemoryServeOneWithout) {
  prepare(options("undisturbed"));
  PrepareOptions run = options("out");
  stop_at(run, "renumbering");
  run.memory_bytes = kLittle;
  EXPECT_THAT(prepare(run).resumed, ElementsAre("clean", "communities"));
  expect_same(run.output, folder.file("undisturbed"));
  stop_at(run, "renumbering");
  run.memory_bytes = 0;
  const PrepareReport report = prepare(run);
  EXPECT_FALSE(report.are_edges_in_files);
  EXPECT_THAT(report.resumed, ElementsAre("clean", "communities"));
  expect_same(run.output, folder.file("undisturbed"));
}

TEST_F(PrepareStages, ReadsFeaturesAgainWhenItGoesOn) {
  write_npz_source();
  prepare(options("undisturbed", "in.npz"));
  const PrepareOptions run = options("out", "in.npz");
  stop_at(run, "writing");
  EXPECT_EQ(prepare(run).resumed.size(), 3U);
  expect_same(run.output, folder.file("undisturbed"));
}

TEST_F(PrepareStages, StartsAnewWithAnotherSourceOrOtherOptions) {
  std::string said;
  const auto resumed = [&](const std::function<void(PrepareOptions&)>& change) {
    PrepareOptions run = options("out");
    stop_at(run, "renumbering");
    run.keep_stages = KeepStages::always;
    change(run);
    said.clear();
    run.progress = [&](const std::string& line) { said += line + "\n"; };
    return prepare(run).resumed;
  };
  EXPECT_THAT(resumed([](PrepareOptions&) {}), ElementsAre("clean", "communities"));
  EXPECT_THAT(resumed([](PrepareOptions& run) { run.partition.seed = 4; }), ElementsAre("clean"));
  EXPECT_THAT(said, HasSubstr("stage communities is made anew: it was made with another --seed"));
  EXPECT_THAT(resumed([](PrepareOptions& run) { run.build.symmetrize = true; }), IsEmpty());
  EXPECT_THAT(said, HasSubstr("another --symmetrize"));
  const auto touch = [](const PrepareOptions& run) {
    fs::last_write_time(run.source, fs::last_write_time(run.source) + std::chrono::seconds(1));
  };
  // Read again, and found to be the same: what was made of it still holds.
  EXPECT_THAT(resumed(touch), ElementsAre("communities"));
  EXPECT_THAT(said, HasSubstr("another source"));
  EXPECT_THAT(resumed([](PrepareOptions& run) { run.keep_stages = KeepStages::never; }), IsEmpty());
}

TEST_F(PrepareStages, MakesAStageAnewWhoseFilesAreDamaged) {
  prepare(options("undisturbed"));
  const PrepareOptions run = options("out");
  stop_at(run, "writing");
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder.file("out.prepare"))) {
    if (entry.file_size() > 0) names.push_back(entry.path().string());
  }
  EXPECT_GE(names.size(), 9U);
  for (const std::string& name : names) {
    stop_at(run, "writing");
    std::string bytes = test::read_bytes(name);
    bytes[bytes.size() / 2] ^= 1;
    test::write_bytes(name, bytes);
    EXPECT_LT(prepare(run).resumed.size(), 3U) << name;
    expect_same(run.output, folder.file("undisturbed"));
  }
}

TEST_F(PrepareStages, KeepsNothingOfASmallGraphUnlessAsked) {
  for (const bool is_kept : {false, true}) {
    PrepareOptions run = options("out");
    run.keep_stages = is_kept ? KeepStages::always : KeepStages::automatic;
    run.progress = [](const std::string& line) {
      if (line.find("writing") != std::string::npos) throw std::runtime_error("stopped");
    };
    error_of<std::runtime_error>([&] { prepare(run); });
    EXPECT_EQ(fs::exists(folder.file("out.prepare")), is_kept);
  }
}

TEST_F(PrepareStages, SecondRunOfTheSameOutputIsRefused) {
  const WorkFolder first(folder.file("out"), {});
  EXPECT_THAT(error_of<InvalidArgument>([&] { prepare(options("out")); }), HasSubstr("another kith prepare"));
}

TEST_F(PrepareStages, RefusesMemoryThatDoesNotHoldTheNodes) {
  PrepareOptions run = options("out");
  run.memory_bytes = 50'000;
  EXPECT_THAT(error_of<InvalidArgument>([&] { prepare(run); }), HasSubstr("--memory: 800 nodes"));
  EXPECT_THAT(left_beside("out"), IsEmpty());
}

TEST_F(PrepareStages, OtherNodeDataOrAnotherSplitAreCleanedAnew) {
  const auto with_labels = [&](std::int16_t label) {
    const std::vector<std::int16_t> labels(5 * kNodes + 2, label);
    const std::string shape = "(" + std::to_string(labels.size()) + ",)";
    test::write_npz(folder.file("nodes.npz"), {{"y", test::npy_bytes("<i2", shape, test::raw(labels))}});
  };
  PrepareOptions run = options("out.kith.h5");
  run.node_data = folder.file("nodes.npz");
  run.random_split = SplitShares{.train = 0.5, .valid = 0.2};
  with_labels(1);
  stop_at(run, "finding communities");
  EXPECT_THAT(prepare(run).resumed, ElementsAre("clean"));
  stop_at(run, "finding communities");
  with_labels(2);
  PrepareReport report = prepare(run);
  EXPECT_THAT(report.resumed, IsEmpty());
  EXPECT_EQ(report.num_classes, 3);
  stop_at(run, "finding communities");
  run.random_split->train = 0.75;
  report = prepare(run);
  EXPECT_THAT(report.resumed, IsEmpty());
  EXPECT_EQ(report.num_train, std::lround(0.75 * (5 * kNodes + 2)));
}

}  // namespace
}  // namespace kith
