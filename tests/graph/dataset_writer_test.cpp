#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <numeric>
#include <random>

#include "graph/append_file.h"
#include "graph/dataset_file.h"
#include "graph/errors.h"
#include "tests/support/errors.h"
#include "tests/support/graphs.h"
#include "tests/support/temp_folder.h"

namespace kith {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using testing::UnorderedElementsAre;

std::vector<std::string> files_in(const test::TempFolder& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

/// Everything but the features.
void write_parts(DatasetWriter& writer, const Dataset& dataset) {
  writer.write_graph(dataset.graph.view());
  writer.write_nodes(dataset.original_id, dataset.labels);
  writer.write_levels(dataset.levels);
  writer.write_splits(dataset.splits);
}

/// Files of this process may not grow past a limit while this lives; a write then fails as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t num_bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{num_bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

TEST(DatasetWriter, TakesFeatureRowsInAnyOrderAndLeavesZerosElsewhere) {
  const test::TempFolder folder;
  const std::string path = folder.file("data");
  const Dataset dataset = test::tiny_dataset();
  DatasetWriter writer(path);
  writer.create_features(8, 3, FeatureType::f32);
  const FeatureView rows = dataset.features.view();
  const std::vector<std::byte> wrong(rows.row_bytes(), std::byte{7});
  writer.write_feature_row(5, wrong);
  for (const std::int64_t row : {6, 2, 3, 5, 4, 0, 1})
    writer.write_feature_row(row, {rows.row(row), rows.row_bytes()});
  write_parts(writer, dataset);
  writer.commit(dataset.provenance);

  const Dataset back = read_dataset(path, {.verify_checksums = true});
  EXPECT_EQ(std::memcmp(back.features.view().data, rows.data, 7 * rows.row_bytes()), 0);
  const std::vector<std::byte> zeros(rows.row_bytes());
  EXPECT_EQ(std::memcmp(back.features.view().row(7), zeros.data(), zeros.size()), 0);
}

TEST(DatasetWriter, WritesTablesLargerThanItsBuffer) {
  constexpr std::int32_t kDim = 4096;
  constexpr NodeId kNumNodes = 5000;  // 80 MB of f32, the buffer holds 64 MiB
  const test::TempFolder folder;
  const std::string path = folder.file("data");
  Dataset dataset;
  dataset.graph = test::make_graph(kNumNodes, {});
  dataset.levels.emplace_back(kNumNodes);
  dataset.original_id.resize(kNumNodes);
  std::vector<std::int64_t> order(kNumNodes);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937(5));
  {
    DatasetWriter writer(path);
    write_parts(writer, dataset);
    writer.create_features(kNumNodes, kDim, FeatureType::f32);
    std::vector<float> values(kDim);
    for (const std::int64_t row : order) {
      std::fill(values.begin(), values.end(), static_cast<float>(row));
      writer.write_feature_row(row, std::as_bytes(std::span(values)));
    }
    writer.commit({});
  }
  const Dataset back = read_dataset(path, {.verify_checksums = true});
  for (std::int64_t row = 0; row < kNumNodes; ++row) {
    float ends[2];
    std::memcpy(&ends[0], back.features.view().row(row), sizeof(float));
    std::memcpy(&ends[1], back.features.view().row(row + 1) - sizeof(float), sizeof(float));
    ASSERT_EQ(ends[0], static_cast<float>(row));
    ASSERT_EQ(ends[1], static_cast<float>(row));
  }
}

TEST(DatasetWriter, LeavesNothingBehindWithoutCommit) {
  const test::TempFolder folder;
  {
    DatasetWriter writer(folder.file("data.kith.h5"));
    write_parts(writer, test::tiny_dataset());
    EXPECT_THAT(files_in(folder), UnorderedElementsAre(concat(".data.kith.h5.tmp-", ::getpid())));
  }
  EXPECT_THAT(files_in(folder), IsEmpty());
}

TEST(DatasetWriter, ReplacesAnOlderFileOnlyAtCommit) {
  const test::TempFolder folder;
  const std::string path = folder.file("data");
  test::write_bytes(path, "old");
  const Dataset dataset = test::tiny_dataset();
  DatasetWriter writer(path);
  write_parts(writer, dataset);
  EXPECT_EQ(test::read_bytes(path), "old");
  writer.commit(dataset.provenance);
  EXPECT_EQ(read_dataset(path).num_nodes(), 8);
  EXPECT_THAT(files_in(folder), UnorderedElementsAre("data"));
}

TEST(DatasetWriter, WritesOverTheLeftoverOfAnEarlierProcess) {
  const test::TempFolder folder;
  test::write_bytes(folder.file(concat(".data.tmp-", ::getpid())), "left over");
  write_dataset(folder.file("data"), test::tiny_dataset());
  EXPECT_THAT(files_in(folder), UnorderedElementsAre("data"));
}

TEST(DatasetWriter, KeepsTheFileOfASecondWriterToTheSamePath) {
  const test::TempFolder folder;
  const Dataset dataset = test::tiny_dataset();
  DatasetWriter second_lives_on(folder.file("data"));
  {
    DatasetWriter first(folder.file("other"));
    write_parts(first, dataset);
  }
  auto first = std::make_unique<DatasetWriter>(folder.file("same"));
  DatasetWriter second(folder.file("same"));
  write_parts(*first, dataset);
  write_parts(second, dataset);
  EXPECT_THAT(test::error_of<IoError>([&] { first->commit({}); }), HasSubstr("replaced by another writer"));
  first.reset();
  second.commit(dataset.provenance);
  EXPECT_EQ(read_dataset(folder.file("same")).num_nodes(), 8);
}

TEST(DatasetWriter, RefusesPlacesThatCannotBeWritten) {
  const test::TempFolder folder;
  const auto refusal = [](const std::string& path) {
    const std::string text = test::error_of<IoError>([&] { DatasetWriter writer(path); });
    EXPECT_THAT(text, StartsWith(path + ": "));
    EXPECT_EQ(text.find('\n'), std::string::npos);
    return text;
  };
  EXPECT_THAT(refusal(folder.file("absent/data")), HasSubstr("No such file or directory"));
  EXPECT_THAT(refusal(folder.path().string()), HasSubstr("got a folder"));
  EXPECT_THAT(refusal(folder.path().string() + "/"), HasSubstr("got a folder"));
  EXPECT_THAT(refusal(""), HasSubstr("got a folder"));
  test::write_bytes(folder.file("file"), "");
  EXPECT_THAT(refusal(folder.file("file/data")), HasSubstr("Not a directory"));
  EXPECT_THAT(refusal(folder.file(std::string(300, 'x'))), HasSubstr("File name too long"));
}

TEST(DatasetWriter, RefusesAFolderWithoutPermission) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  const test::TempFolder folder;
  ASSERT_EQ(::chmod(folder.path().c_str(), 0500), 0);
  EXPECT_THAT(test::error_of<IoError>([&] { DatasetWriter writer(folder.file("data")); }),
              HasSubstr("Permission denied"));
  ASSERT_EQ(::chmod(folder.path().c_str(), 0700), 0);
}

TEST(DatasetWriter, SaysWhenTheDiskIsFullAtEveryStageAndCleansUp) {
  const test::TempFolder folder;
  const Dataset dataset = test::tiny_dataset();
  write_dataset(folder.file("whole"), dataset);
  const auto num_bytes = std::filesystem::file_size(folder.file("whole"));
  std::filesystem::remove(folder.file("whole"));
  for (std::uintmax_t limit = 0; limit < num_bytes; limit += limit < 260000 ? 65537 : 1021) {
    std::string text;
    {
      const FileSizeLimit full(limit);
      text = test::error_of<EnvironmentError>([&] { write_dataset(folder.file("data"), dataset); });
    }
    EXPECT_THAT(text, StartsWith(folder.file("data") + ": not enough disk space")) << "limit " << limit;
    EXPECT_THAT(files_in(folder), IsEmpty()) << "limit " << limit;
  }
  const FileSizeLimit enough(num_bytes);
  EXPECT_NO_THROW(write_dataset(folder.file("data"), dataset));
}

TEST(DatasetWriter, SaysThatTheDiskIsFullBeforeTheFirstFeatureRow) {
  const test::TempFolder folder;
  DatasetWriter writer(folder.file("data"));
  const FileSizeLimit full(1 << 20);
  EXPECT_THAT(test::error_of<EnvironmentError>([&] { writer.create_features(1 << 20, 64, FeatureType::f32); }),
              HasSubstr("not enough disk space to write 268435456 bytes"));
}

TEST(DatasetWriter, RefusesPartsThatDoNotAgree) {
  const test::TempFolder folder;
  const Dataset dataset = test::tiny_dataset();
  const auto refusal = [&](auto&& use) {
    DatasetWriter writer(folder.file("data"));
    write_parts(writer, dataset);
    return test::error_of<InvalidArgument>([&] { use(writer); });
  };
  EXPECT_THAT(refusal([&](DatasetWriter& w) { w.write_graph(dataset.graph.view()); }), HasSubstr("already"));
  EXPECT_THAT(refusal([&](DatasetWriter& w) { w.create_features(9, 1, FeatureType::f32); }),
              HasSubstr("expected 8 nodes as in the parts before, got 9"));
  EXPECT_THAT(refusal([&](DatasetWriter& w) { w.create_features(8, 0, FeatureType::f32); }),
              HasSubstr("not possible"));
  EXPECT_THAT(refusal([&](DatasetWriter& w) { w.write_feature_row(0, {}); }), HasSubstr("no feature table"));
  EXPECT_THAT(refusal([&](DatasetWriter& w) {
                w.create_features(8, 1, FeatureType::f32);
                w.write_feature_row(8, std::vector<std::byte>(4));
              }),
              HasSubstr("in [0, 8), got 8"));
  EXPECT_THAT(refusal([&](DatasetWriter& w) {
                w.create_features(8, 1, FeatureType::f32);
                w.write_feature_row(0, std::vector<std::byte>(3));
              }),
              HasSubstr("4 bytes, got 3"));
  EXPECT_THAT(refusal([&](DatasetWriter& w) {
                w.commit({});
                w.commit({});
              }),
              HasSubstr("committed already"));
}

TEST(DatasetWriter, RefusesToCommitAnIncompleteFile) {
  const test::TempFolder folder;
  DatasetWriter writer(folder.file("data"));
  EXPECT_THAT(test::error_of<InvalidArgument>([&] { writer.commit({}); }),
              HasSubstr("must be written before commit"));
}

TEST(DatasetWriter, RefusesSplitsOutOfRangeWhateverTheOrderOfTheParts) {
  const test::TempFolder folder;
  Dataset dataset = test::tiny_dataset();
  dataset.splits.test = {2, 8};
  DatasetWriter writer(folder.file("data"));
  writer.write_splits(dataset.splits);
  writer.write_levels(dataset.levels);
  writer.write_nodes(dataset.original_id, dataset.labels);
  writer.write_graph(dataset.graph.view());
  EXPECT_THAT(test::error_of<InvalidArgument>([&] { writer.commit({}); }), HasSubstr("in [0, 8), got 8"));
}

TEST(DatasetWriter, WritesAGraphFromFilesAsOneFromMemory) {
  const test::TempFolder folder;
  const Dataset dataset = test::tiny_dataset();
  const CsrView view = dataset.graph.view();
  std::vector<EdgeOffset> ids(view.neighbors.size());
  for (std::size_t e = 0; e < ids.size(); ++e) ids[e] = static_cast<EdgeOffset>(100 - e);
  write_values(folder.file("rows"), view.neighbors);
  write_values(folder.file("ids"), std::span<const EdgeOffset>(ids));
  Scratch scratch{.folder = {}, .memory_bytes = 16};
  {
    DatasetWriter writer(folder.file("data"));
    writer.write_graph(RowBlocks(folder.file("rows"), view.offsets, scratch), folder.file("ids"));
    writer.write_nodes(dataset.original_id, dataset.labels);
    writer.write_levels(dataset.levels);
    writer.write_splits(dataset.splits);
    writer.commit(dataset.provenance);
  }
  const Dataset read = read_dataset(folder.file("data"), {.verify_checksums = true});
  EXPECT_TRUE(std::ranges::equal(read.graph.view().offsets, view.offsets));
  EXPECT_TRUE(std::ranges::equal(read.graph.view().neighbors, view.neighbors));
  EXPECT_EQ(read.edge_id, ids);
}

TEST(DatasetWriter, RefusesRowsAndIdsInFilesThatDoNotFit) {
  const test::TempFolder folder;
  const CsrGraph graph = test::make_graph(3, {{1, 0}, {2, 0}});
  Scratch scratch{.folder = {}, .memory_bytes = 1000};
  write_values(folder.file("rows"), std::span<const NodeId>(std::vector<NodeId>{2, 1}));
  write_values(folder.file("ids"), std::span<const EdgeOffset>(std::vector<EdgeOffset>{1}));
  const RowBlocks falling(folder.file("rows"), graph.view().offsets, scratch);
  EXPECT_THAT(test::error_of<IoError>([&] { DatasetWriter(folder.file("data")).write_graph(falling, ""); }),
              HasSubstr("neighbours of node 0"));
  EXPECT_THAT(test::error_of<IoError>(
                  [&] { DatasetWriter(folder.file("data")).write_graph(graph.view(), folder.file("ids")); }),
              HasSubstr("only 8 came"));
  EXPECT_FALSE(std::filesystem::exists(folder.file("data")));
}

}  // namespace
}  // namespace kith
