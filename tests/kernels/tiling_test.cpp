#include "kernels/cuda/tiling.h"

#include <gtest/gtest.h>

#include <bit>
#include <vector>

namespace kith::cuda {
namespace {

constexpr std::size_t kL2 = std::size_t{50} << 20;

TEST(Tiling, TakesTheWidestVectorThatRowsAndAddressesAllow) {
  alignas(16) float data[8];
  const auto widest = [&](int most, std::int64_t columns, int offset, std::size_t bytes = 4) {
    return widest_vector(most, columns,
                         {{reinterpret_cast<std::byte*>(data) + offset * bytes, bytes}, {data, 4}});
  };
  EXPECT_EQ(widest(4, 100, 0), 4);
  EXPECT_EQ(widest(4, 602, 0), 2);
  EXPECT_EQ(widest(4, 47, 0), 1);
  EXPECT_EQ(widest(4, 100, 1), 1);
  EXPECT_EQ(widest(4, 100, 2), 2);
  EXPECT_EQ(widest(1, 100, 0), 1);
  EXPECT_EQ(widest(8, 128, 0, 2), 8);
  EXPECT_EQ(widest(8, 100, 0, 2), 4);
  EXPECT_EQ(widest(8, 128, 2, 2), 2);
}

TEST(Tiling, CoversEveryColumnOnce) {
  for (const std::size_t bytes : {2U, 4U, 8U}) {
    for (int vector = 1; vector * bytes <= 16; vector *= 2) {
      for (const int vectors : {vectors_per_lane(bytes, vector), 2}) {
        for (std::int64_t columns = vector; columns < 3000; columns += vector * (1 + columns % 7)) {
          const ColumnTiling tiling = tile_columns({.columns = columns, .value_bytes = bytes},
                                                   {.vector = vector, .vectors = vectors}, kL2);
          // The tiles cover the row, none is empty, and the lanes of a group cover a tile.
          ASSERT_GE(std::int64_t{tiling.num_tiles} * tiling.tile_columns, columns);
          ASSERT_LT(std::int64_t{tiling.num_tiles - 1} * tiling.tile_columns, columns);
          ASSERT_GE(tiling.lanes * vectors * vector, std::min<std::int64_t>(tiling.tile_columns, columns));
          ASSERT_LE(tiling.lanes, kMaxLanes);
          ASSERT_EQ(kBlockThreads % tiling.lanes, 0);
          ASSERT_EQ(tiling.tile_columns % vector, 0);
          ASSERT_GE(tiling.rows_per_block(), 8);
        }
      }
    }
  }
}

TEST(Tiling, CutsOnlyRowsThatAreWiderThanAGroup) {
  const auto num_tiles = [](std::int64_t columns, int vectors) {
    return tile_columns({.columns = columns}, {.vector = 4, .vectors = vectors}, kL2).num_tiles;
  };
  EXPECT_EQ(num_tiles(128, 1), 1);
  EXPECT_EQ(num_tiles(132, 1), 2);
  EXPECT_EQ(num_tiles(256, 2), 1);
  EXPECT_EQ(num_tiles(1024, 2), 4);
  EXPECT_EQ(num_tiles(0, 1), 0);
}

TEST(Tiling, KeepsRowsInTheCacheWhereTheyAreReadAgainAndFit) {
  const auto is_reused = [](std::int64_t rows, std::int64_t reads) {
    return tile_columns({.columns = 256, .num_rows = rows, .num_reads = reads}, {}, kL2).is_reused;
  };
  EXPECT_TRUE(is_reused(25'000, 50'000));
  EXPECT_FALSE(is_reused(26'000, 200'000)) << "more than half of the cache";
  EXPECT_FALSE(is_reused(25'000, 49'000)) << "hardly a row is read twice";
}

TEST(Tiling, AHubHasNoMorePartsThanAnyTilingHasGroups) {
  for (std::int64_t columns = 1; columns < 400; ++columns) {
    const int parts = hub_parts(columns);
    ASSERT_TRUE(std::has_single_bit(static_cast<unsigned>(parts)));
    for (const std::size_t bytes : {2U, 4U, 8U}) {
      for (int vector = 1; vector * bytes <= 16; vector *= 2) {
        if (columns % vector != 0) continue;
        for (const int vectors : {vectors_per_lane(bytes, vector), 2}) {
          const ColumnTiling tiling = tile_columns({.columns = columns, .value_bytes = bytes},
                                                   {.vector = vector, .vectors = vectors}, kL2);
          ASSERT_LE(parts, tiling.rows_per_block()) << columns << " columns, " << bytes << " bytes, " << vector;
        }
      }
    }
  }
  EXPECT_EQ(hub_parts(1), 256);
  EXPECT_EQ(hub_parts(8), 64);
  EXPECT_EQ(hub_parts(602), 8);
}

TEST(Tiling, GivesNarrowRowsFewLanes) {
  const auto lanes = [](std::int64_t columns, int vector, int vectors) {
    return tile_columns({.columns = columns}, {.vector = vector, .vectors = vectors}, kL2).lanes;
  };
  EXPECT_EQ(lanes(1, 1, 2), 1);
  EXPECT_EQ(lanes(4, 4, 1), 1);
  EXPECT_EQ(lanes(16, 4, 1), 4);
  EXPECT_EQ(lanes(16, 4, 2), 2);
  EXPECT_EQ(lanes(47, 1, 2), 32);
  EXPECT_EQ(lanes(100, 4, 1), 32);
  EXPECT_EQ(lanes(100, 4, 2), 16);
}

}  // namespace
}  // namespace kith::cuda
