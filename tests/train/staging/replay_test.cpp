#include "train/staging/replay.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "tests/train/staging/staging_traces.h"

namespace kith {
namespace {

/// Pages of 4 rows of 8 bytes, all on the host; two rows of a page make it dense.
TierModel model() {
  return {.host = {.page_bandwidth = 2, .row_bandwidth = 1, .row_unit = 4, .latency = 0},
          .step_seconds = 1,
          .prefetch_depth = 0};
}

PolicyReplay make_replay(std::int64_t num_rows, IdSet stored, std::int64_t frames,
                         Isolation isolation = Isolation::cheaper) {
  const PageGeometry geometry(num_rows, 8, 32);
  return {BatchSplitter(geometry, model(), {}, isolation), std::move(stored),
          make_lru(geometry.num_pages(), frames)};
}

TEST(PolicyReplay, KeepsTheAccountsOfPagesAndRowsApart) {
  IdSet stored(12);
  stored[11] = true;
  PolicyReplay replay = make_replay(12, stored, 1);
  replay.reveal(std::vector<NodeId>{0, 1, 5, 11}, 0);
  const StageAccount first = replay.step();
  EXPECT_EQ(first.rows, 4);
  EXPECT_EQ(first.hits, 1);  // the stored row
  EXPECT_EQ(first.stored_hits, 1);
  EXPECT_EQ(first.isolated_rows, 1);  // row 5
  EXPECT_EQ(first.demand.host.pages, 32);
  EXPECT_EQ(first.demand.host.rows, 8);
  EXPECT_DOUBLE_EQ(first.fetch_seconds, 16 + 8);
  EXPECT_DOUBLE_EQ(first.stall_seconds, 24);
  EXPECT_TRUE(replay.holds(2));  // came with page 0
  EXPECT_FALSE(replay.holds(5));
  EXPECT_TRUE(replay.holds(11));
  replay.reveal(std::vector<NodeId>{2, 5}, 0);  // a page that is held serves isolated rows too
  const StageAccount second = replay.step();
  EXPECT_EQ(second.hits, 1);
  EXPECT_EQ(second.moved(), 8);
}

TEST(PolicyReplay, ShowsWhatIsolationSaves) {
  const auto batches = test::random_batches(400, 40, 60, 1);
  std::int64_t used = 0;
  const auto moved = [&](Isolation isolation) {
    PolicyReplay replay = make_replay(400, {}, 20, isolation);
    StageAccount sum;
    for (const auto& batch : batches) {
      replay.reveal(batch, 0);
      sum += replay.step();
    }
    used = (sum.rows - sum.hits) * 8;
    return static_cast<double>(sum.moved()) / static_cast<double>(used);
  };
  EXPECT_GT(moved(Isolation::none), 1.2 * moved(Isolation::cheaper));
}

/// Whatever a policy does, it cannot read less than the exact bound over rows, from the best content.
TEST(PolicyReplay, MovesNoLessThanTheBoundOverRows) {
  constexpr std::int64_t kRows = 120;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto batches = test::random_batches(kRows, 40, 50, seed);
    constexpr std::int64_t kFrames = 8, kStored = 10;
    const auto bound = make_lookahead(kRows, kFrames * 4 + kStored, true);
    for (const auto& batch : batches) bound->reveal(batch);
    std::int64_t fewest = 0;
    Changes changes;
    for (const auto& batch : batches) {
      bound->serve({.items = batch}, changes);
      fewest += 8 * static_cast<std::int64_t>(changes.missed.size());
    }
    IdSet stored(kRows);
    for (std::size_t i = 0; i < kStored; ++i) stored[i] = true;
    const PageGeometry geometry(kRows, 8, 32);
    for (int which = 0; which < 3; ++which) {
      auto replacement = which == 0   ? make_lru(geometry.num_pages(), kFrames)
                         : which == 1 ? make_sieve(geometry.num_pages(), kFrames)
                                      : make_lookahead(geometry.num_pages(), kFrames);
      PolicyReplay replay({geometry, model(), {}, Isolation::cheaper}, stored, std::move(replacement));
      StageAccount sum;
      for (const auto& batch : batches) replay.reveal(batch, 0);
      for (std::size_t i = 0; i < batches.size(); ++i) sum += replay.step();
      EXPECT_GE(sum.moved(), fewest);
    }
  }
}

TEST(PolicyReplay, AgreesWithACountOverSetsOfRows) {
  constexpr std::int64_t kRows = 80;
  const auto batches = test::random_batches(kRows, 50, 30, 9);
  IdSet stored(kRows);
  for (std::size_t i = 0; i < 15; ++i) stored[i] = true;
  PolicyReplay replay = make_replay(kRows, stored, 5);
  std::set<NodeId> held;
  for (NodeId row = 0; row < kRows; ++row) {
    if (replay.holds(row)) held.insert(row);
  }
  for (const auto& batch : batches) {
    std::int64_t hits = 0;
    for (const NodeId row : batch) hits += held.count(row) > 0 ? 1 : 0;
    replay.reveal(batch, 0);
    EXPECT_EQ(replay.step().hits, hits);
    held.clear();
    for (NodeId row = 0; row < kRows; ++row) {
      if (replay.holds(row)) held.insert(row);
    }
    EXPECT_LE(held.size(), 15U + 5 * 4);
  }
}

}  // namespace
}  // namespace kith
