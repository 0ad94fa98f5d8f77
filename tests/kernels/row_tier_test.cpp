#include "kernels/row_tier.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "graph/errors.h"
#include "tests/kernels/fixed_rows.h"
#include "tests/kernels/row_transfers.h"
#include "tests/support/devices.h"

namespace kith {
namespace {

class RowTierOn : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Backend> backend_ = make_backend(GetParam());
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(RowTierOn);
INSTANTIATE_TEST_SUITE_P(Devices, RowTierOn, testing::ValuesIn(test::other_devices()),
                         [](const auto& info) { return info.param; });

TEST_P(RowTierOn, BringsTheRowsOfABatchTogetherWhateverTheirWidth) {
  for (const std::size_t row_bytes : {2, 4, 6, 8, 12, 16, 34, 64, 600, 1040}) {
    test::RandomTransfers transfers(*backend_, row_bytes, row_bytes);
    for (int i = 0; i < 6; ++i) {
      std::vector<std::byte> expected;
      const DeviceArrays rows = transfers.next(expected);
      EXPECT_EQ(transfers.rows_of(rows), expected) << row_bytes << " bytes a row, batch " << i;
    }
  }
}

TEST_P(RowTierOn, NumbersTheRowsOfABatch) {
  test::RandomTransfers transfers(*backend_, 8, 4);
  std::vector<std::byte> unused;
  const DeviceArrays rows = transfers.next(unused);
  std::vector<std::int32_t> numbers(rows.get<std::int32_t>(1).size());
  transfers.tier->download(rows, 1, std::as_writable_bytes(std::span(numbers)));
  ASSERT_EQ(numbers.size() * 8, unused.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) EXPECT_EQ(numbers[i], static_cast<std::int32_t>(i));
}

TEST_P(RowTierOn, PicksRowsFromSlotsOrElseFromTheTableWhateverTheirWidth) {
  for (const std::size_t row_bytes : {2, 4, 6, 8, 12, 16, 34, 64, 400, 600, 1040, 4112}) {
    test::FixedRows rows(*backend_, row_bytes, row_bytes);
    for (const std::int64_t count : {0, 1, 13, 150}) {
      const test::FixedRows::Picked picked = rows.next(count);
      SCOPED_TRACE(std::to_string(row_bytes) + " bytes a row, rows " + std::to_string(count));
      EXPECT_EQ(rows.array_of<std::byte>(picked.arrays, 0), picked.rows);
      EXPECT_EQ(rows.array_of<std::int32_t>(picked.arrays, 1), picked.numbers);
      EXPECT_EQ(rows.array_of<double>(picked.arrays, 2), std::vector<double>{picked.num_hits});
    }
  }
}

TEST_P(RowTierOn, LeavesABatchItsRowsWhenTheirSlotsAreOverwritten) {
  test::RandomTransfers transfers(*backend_, 20, 1);
  std::vector<DeviceArrays> batches;
  std::vector<std::vector<std::byte>> expected(12);
  for (auto& rows : expected) batches.push_back(transfers.next(rows));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(transfers.rows_of(batches[i]), expected[i]) << "batch " << i;
  }
}

TEST_P(RowTierOn, HoldsNothingWithoutSlots) {
  const auto tier = make_row_tier(*backend_, 0, 8);
  const Tensor::Buffer table = tier->pinned(16);
  std::fill_n(table.get(), 16, std::byte{7});
  RowTransfer transfer;
  transfer.num_rows = 1;
  transfer.table = table.get();
  transfer.read.add(1, 0);
  std::vector<std::byte> rows(8);
  tier->download(tier->transfer(transfer), 0, rows);
  EXPECT_EQ(rows, std::vector<std::byte>(8, std::byte{7}));
  EXPECT_TRUE(tier->transfer({}).get<std::byte>(0).empty());
}

TEST_P(RowTierOn, RefusesWhatItCannotHold) {
  EXPECT_THROW(make_row_tier(*backend_, 1, 3), InvalidArgument);
  EXPECT_THROW(make_row_tier(*backend_, 1, 0), InvalidArgument);
  EXPECT_THROW(make_row_tier(*backend_, -1, 4), InvalidArgument);
}

}  // namespace
}  // namespace kith
