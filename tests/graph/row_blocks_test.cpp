#include "graph/row_blocks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "graph/append_file.h"
#include "graph/errors.h"
#include "tests/support/errors.h"
#include "tests/support/graphs.h"
#include "tests/support/temp_folder.h"

namespace kith {
namespace {

// Rows of 0 to 40 neighbours, one of 300, the last ones empty.
CsrGraph uneven_graph() {
  std::mt19937 bits(5);
  std::vector<std::pair<NodeId, NodeId>> edges;  // source, target
  for (NodeId v = 0; v < 390; ++v) {
    const std::uint32_t degree = v == 200 ? 300 : bits() % 40 * (bits() % 2);
    for (std::uint32_t i = 0; i < degree; ++i) edges.emplace_back(static_cast<NodeId>(i + bits() % 2 * 50), v);
  }
  return test::make_graph(400, std::move(edges));
}

TEST(RowBlocks, HandsOutEveryRowOnceWhateverTheMemory) {
  const test::TempFolder folder;
  const CsrGraph graph = uneven_graph();
  const CsrView view = graph.view();
  write_values(folder.file("rows"), view.neighbors);
  int num_blocks = 0;
  for (const std::size_t memory : {4, 64, 4000, 1 << 22}) {
    Scratch scratch{.folder = {}, .memory_bytes = memory};
    const RowBlocks rows(folder.file("rows"), view.offsets, scratch);
    for (int pass = 0; pass < 2; ++pass) {
      NodeId next = 0;
      num_blocks = 0;
      rows.for_each([&](const RowBlock& block) {
        ++num_blocks;
        ASSERT_EQ(block.begin, next);
        ASSERT_GT(block.end, block.begin);
        const bool is_one_row = block.end == block.begin + 1;
        ASSERT_TRUE(is_one_row || block.neighbors.size_bytes() <= std::max<std::size_t>(4, memory / 4));
        for (NodeId v = block.begin; v < block.end; ++v) {
          ASSERT_TRUE(std::ranges::equal(block.row(v), view.row(v))) << "row " << v;
        }
        next = block.end;
      });
      ASSERT_EQ(next, 400);
    }
    EXPECT_EQ(rows.load(), std::vector(view.neighbors.begin(), view.neighbors.end()));
    EXPECT_EQ(rows.num_edges(), view.num_edges());
    EXPECT_EQ(rows.scratch(), &scratch);
  }
  EXPECT_EQ(num_blocks, 1);  // in the largest memory
}

TEST(RowBlocks, TakesAGraphInMemoryAsOneBlock) {
  const CsrGraph graph = uneven_graph();
  const RowBlocks rows = graph.view();
  int num_blocks = 0;
  rows.for_each([&](const RowBlock& block) {
    ++num_blocks;
    EXPECT_EQ(block.neighbors.data(), graph.view().neighbors.data());
    EXPECT_EQ(block.end, 400);
  });
  EXPECT_EQ(num_blocks, 1);
  EXPECT_EQ(rows.scratch(), nullptr);
  RowBlocks(CsrGraph().view()).for_each([](const RowBlock&) { FAIL(); });
}

TEST(RowBlocks, RefusesAFileOfAnotherSize) {
  const test::TempFolder folder;
  test::write_bytes(folder.file("rows"), "1234567");
  Scratch scratch{.folder = {}, .memory_bytes = 100};
  const std::vector<EdgeOffset> offsets{0, 2};
  EXPECT_THAT(test::error_of<IoError>([&] { RowBlocks(folder.file("rows"), offsets, scratch); }),
              ::testing::HasSubstr("expected 8 bytes"));
}

}  // namespace
}  // namespace kith
