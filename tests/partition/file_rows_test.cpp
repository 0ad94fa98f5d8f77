// What the community finders do with a graph in a file is what they do with it in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/append_file.h"
#include "graph/errors.h"
#include "partition/hierarchy.h"
#include "partition/partition_cache.h"
#include "partition/quotient.h"
#include "tests/partition/partition_graphs.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"

namespace kith {
namespace {

class FileRows : public ::testing::Test {
 protected:
  FileRows() { write_values(folder.file("rows"), graph.view().neighbors); }

  RowBlocks rows(Scratch& scratch) const {
    return RowBlocks(folder.file("rows"), graph.view().offsets, scratch);
  }

  Scratch scratch_of(std::size_t memory) const {
    return {.folder = folder.path().string(), .memory_bytes = memory};
  }

  test::TempFolder folder;
  CsrGraph graph = test::planted_blocks(900, 30, 6, 2, 3);
};

TEST_F(FileRows, GiveTheSameLabels) {
  const std::vector<std::int32_t> expected = label_propagation(graph.view(), 40, 9);
  for (const std::size_t memory : {100, 3000, 1 << 20}) {
    Scratch scratch = scratch_of(memory);
    EXPECT_EQ(label_propagation(rows(scratch), 40, 9), expected) << memory << " bytes";
  }
}

TEST_F(FileRows, GiveTheSameQuotient) {
  std::vector<std::int32_t> community_of(900);
  for (NodeId v = 0; v < 900; ++v) community_of[v] = v % 30;
  const Quotient expected = contract(graph.view(), community_of, 30);
  for (const std::size_t memory : {100, 3000, 1 << 20}) {
    Scratch scratch = scratch_of(memory);
    const Quotient quotient = contract(rows(scratch), community_of, 30);
    EXPECT_EQ(quotient.offsets, expected.offsets);
    EXPECT_EQ(quotient.neighbors, expected.neighbors);
    EXPECT_EQ(quotient.edge_weights, expected.edge_weights);
    EXPECT_EQ(quotient.node_weights, expected.node_weights);
    EXPECT_EQ(scratch.written_bytes > 0, memory < (1 << 20));
  }
}

TEST_F(FileRows, GiveTheSameQualityAndKey) {
  const Communities communities({0, 10, 450, 455, 900}, 900, "test");
  const LevelQuality expected = measure_quality(graph.view(), communities);
  Scratch scratch = scratch_of(200);
  const LevelQuality quality = measure_quality(rows(scratch), communities);
  EXPECT_EQ(quality.intra_edge_fraction, expected.intra_edge_fraction);
  EXPECT_EQ(quality.modularity, expected.modularity);
  EXPECT_EQ(partition_key(rows(scratch), {}), partition_key(graph.view(), {}));
}

TEST_F(FileRows, GiveTheSameHierarchyByEveryMethod) {
  Scratch scratch = scratch_of(2000);
  const RowBlocks simple = rows(scratch);
  for (const PartitionMethod method : {PartitionMethod::metis, PartitionMethod::lpa}) {
    const PartitionOptions options{.method = method, .num_communities = 40, .seed = 2};
    const Hierarchy expected = find_hierarchy(graph.view(), options);
    const Hierarchy found = find_hierarchy({graph.view().offsets, simple}, std::nullopt, options);
    EXPECT_EQ(found.old_of_new, expected.old_of_new);
    ASSERT_EQ(found.levels.size(), expected.levels.size());
    for (std::size_t l = 0; l < found.levels.size(); ++l) {
      EXPECT_TRUE(std::ranges::equal(found.levels[l].offsets(), expected.levels[l].offsets()));
    }
  }
  std::vector<std::int32_t> given(900);
  for (NodeId v = 0; v < 900; ++v) given[v] = v % 7 * 100;
  EXPECT_EQ(hierarchy_from({graph.view().offsets, simple}, given, {}).old_of_new,
            hierarchy_from(graph.view(), given, {}).old_of_new);
}

TEST_F(FileRows, RefuseMetisWithoutTheMemoryForItAndTheGraph) {
  Scratch scratch = scratch_of(2000);
  const RowBlocks simple = rows(scratch);
  const std::int64_t metis = estimate_metis_bytes(900, graph.num_edges(), 40);
  const auto refusal = [&](std::int64_t available) {
    return test::error_of<EnvironmentError>([&] {
      find_hierarchy({graph.view().offsets, simple}, available, PartitionOptions{.num_communities = 40});
    });
  };
  EXPECT_THAT(refusal(metis + 4 * graph.num_edges() - 1), ::testing::HasSubstr("--method lpa"));
  PartitionOptions unchecked{.num_communities = 40};
  unchecked.checks_memory = false;
  EXPECT_NO_THROW(find_hierarchy({graph.view().offsets, simple}, 1, unchecked));
}

}  // namespace
}  // namespace kith
