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
      for (std::int64_t columns = vector; columns < 3000; columns += vector * (1 + columns % 7)) {
        for (const std::int64_t rows : {std::int64_t{10}, std::int64_t{100'000}, std::int64_t{10'000'000}}) {
          const ColumnTiling tiling = tile_columns({.columns = columns,
                                                    .value_bytes = bytes,
                                                    .vector = vector,
                                                    .num_rows = rows,
                                                    .num_reads = 4 * rows},
                                                   kL2);
          // The tiles cover the row, none is empty, and the lanes of a group cover a tile.
          ASSERT_GE(std::int64_t{tiling.num_tiles} * tiling.tile_columns, columns);
          ASSERT_LT(std::int64_t{tiling.num_tiles - 1} * tiling.tile_columns, columns);
          ASSERT_GE(tiling.lanes * vectors_per_lane(bytes, vector) * vector,
                    std::min<std::int64_t>(tiling.tile_columns, columns));
          ASSERT_LE(tiling.lanes, kMaxLanes);
          ASSERT_EQ(kBlockThreads % tiling.lanes, 0);
          ASSERT_EQ(tiling.tile_columns % vector, 0);
          ASSERT_GE(tiling.rows_per_block(), 8);
        }
      }
    }
  }
}

TEST(Tiling, NarrowsTheSliceOnlyWhereItThenStaysInTheCache) {
  const auto slice = [](std::int64_t rows, std::int64_t reads, std::int64_t columns = 256) {
    return slice_of({.columns = columns, .value_bytes = 4, .vector = 4, .num_rows = rows, .num_reads = reads},
                    kL2)
        .bytes;
  };
  EXPECT_EQ(slice(40'000, 160'000), 512);       // 20 MB of 25 MB
  EXPECT_EQ(slice(60'000, 240'000), 256);       // 31 MB would not fit
  EXPECT_EQ(slice(164'000, 537'000), 128);      // 42 MB would not fit, 21 MB does
  EXPECT_EQ(slice(300'000, 1'200'000), 512);    // not even 128 bytes of each
  EXPECT_EQ(slice(164'000, 200'000), 512);      // hardly a row is read twice
  EXPECT_EQ(slice(164'000, 537'000, 32), 512);  // the whole row is 128 bytes, and fits
}

TEST(Tiling, KeepsRowsInTheCacheWhereTheyAreReadAgainAndFit) {
  const auto is_reused = [](std::int64_t rows, std::int64_t reads) {
    return tile_columns({.columns = 256, .value_bytes = 4, .vector = 4, .num_rows = rows, .num_reads = reads},
                        kL2)
        .is_reused;
  };
  EXPECT_TRUE(is_reused(40'000, 160'000));
  EXPECT_TRUE(is_reused(164'000, 537'000));
  EXPECT_FALSE(is_reused(300'000, 1'200'000));
  EXPECT_FALSE(is_reused(40'000, 60'000));
}

TEST(Tiling, AHubHasNoMorePartsThanAnyTilingHasGroups) {
  for (std::int64_t columns = 1; columns < 400; ++columns) {
    const int parts = hub_parts(columns);
    ASSERT_TRUE(std::has_single_bit(static_cast<unsigned>(parts)));
    for (const std::size_t bytes : {2U, 4U, 8U}) {
      for (int vector = 1; vector * bytes <= 16; vector *= 2) {
        if (columns % vector != 0) continue;
        for (const std::size_t l2_bytes : {kL2, std::size_t{4000}}) {
          const ColumnTiling tiling = tile_columns(
              {.columns = columns, .value_bytes = bytes, .vector = vector, .num_rows = 10, .num_reads = 40},
              l2_bytes);
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
  const auto lanes = [](std::int64_t columns, int vector) {
    return tile_columns(
               {.columns = columns, .value_bytes = 4, .vector = vector, .num_rows = 10, .num_reads = 10}, kL2)
        .lanes;
  };
  EXPECT_EQ(lanes(1, 1), 1);
  EXPECT_EQ(lanes(4, 4), 1);
  EXPECT_EQ(lanes(16, 4), 4);
  EXPECT_EQ(lanes(47, 1), 32);
  EXPECT_EQ(lanes(100, 4), 32);
  EXPECT_EQ(tile_columns({.columns = 0, .num_rows = 10}, kL2).num_tiles, 0);
}

}  // namespace
}  // namespace kith::cuda
