// When the work of a tier runs makes no difference; on the emulated device.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "graph/errors.h"
#include "kernels/backend.h"
#include "tests/kernels/fixed_rows.h"
#include "tests/kernels/row_transfers.h"
#include "tests/support/cuda/emulation.h"

namespace kith {
namespace {

using emulation::Schedule;

class RowTierSchedules : public testing::TestWithParam<Schedule> {
 protected:
  RowTierSchedules() { emulation::set_schedule(GetParam()); }
  ~RowTierSchedules() override { emulation::reset(); }

  /// Whether each result holds the float rows that its batch should have had. results: maybe fewer than
  /// batches.
  static void expect_rows(Backend& backend, const std::vector<Tensor>& results,
                          const std::vector<std::vector<std::byte>>& expected) {
    for (std::size_t i = 0; i < results.size(); ++i) {
      std::vector<double> got(static_cast<std::size_t>(results[i].size()));
      backend.download(results[i], got);
      for (std::size_t k = 0; k < got.size(); ++k) {
        float value = 0;
        std::memcpy(&value, expected[i].data() + k * sizeof(float), sizeof(float));
        if (value != value) continue;  // random bits may be a NaN
        ASSERT_EQ(got[k], value) << "batch " << i;
      }
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Emulated, RowTierSchedules,
                         testing::Values(Schedule::late, Schedule::early, Schedule::immediate));

/// Batches are read by operations of the backend while the tier goes on, and given back as soon as those are
/// launched, as training does.
TEST_P(RowTierSchedules, OperationsReadTheirBatchWhileLaterOnesAreStaged) {
  constexpr std::int32_t kDim = 5;
  const auto backend = make_backend("cuda");
  test::RandomTransfers transfers(*backend, kDim * sizeof(float), 2);
  std::vector<Tensor> results;
  std::vector<std::vector<std::byte>> expected(10);
  std::vector<DeviceArrays> waiting;
  for (auto& rows : expected) {
    waiting.push_back(transfers.next(rows));
    if (waiting.size() < 3) continue;  // the tier is two batches ahead
    const auto bytes = waiting.front().get<std::byte>(0);
    const auto count = static_cast<std::int64_t>(bytes.size() / (kDim * sizeof(float)));
    backend->wait_for(waiting.front());
    results.push_back(backend->empty(count, kDim, Scalar::f32));
    backend->read_rows({.data = bytes.data(), .num_rows = count, .dim = kDim}, 0, results.back());
    waiting.erase(waiting.begin());
  }
  expect_rows(*backend, results, expected);
}

/// The same for batches that are picked. Each takes the ids that it was picked by with it, and may be given
/// back before anybody waited for it.
TEST_P(RowTierSchedules, OperationsReadTheRowsThatWerePickedWhileLaterOnesAre) {
  constexpr std::int32_t kDim = 5;
  const auto backend = make_backend("cuda");
  test::FixedRows rows(*backend, kDim * sizeof(float), 2);
  std::vector<Tensor> results;
  std::vector<std::vector<std::byte>> expected;
  std::vector<test::FixedRows::Picked> waiting;
  Tensor num_hits = backend->zeros(1, 1, Scalar::f64);
  double expected_hits = 0;
  for (int i = 0; i < 10; ++i) {
    waiting.push_back(rows.next(10 + i));
    rows.next(20);  // nobody wants it
    if (waiting.size() < 3) continue;
    test::FixedRows::Picked& batch = waiting.front();
    const auto bytes = batch.arrays.get<std::byte>(0);
    const auto count = static_cast<std::int64_t>(bytes.size() / (kDim * sizeof(float)));
    backend->wait_for(batch.arrays);
    results.push_back(backend->empty(count, kDim, Scalar::f32));
    backend->gather({.data = bytes.data(), .num_rows = count, .dim = kDim}, batch.arrays.get<NodeId>(1),
                    results.back());
    expected.push_back(batch.rows);
    expected_hits += batch.num_hits;
    auto* const hits = const_cast<std::byte*>(batch.arrays.get<std::byte>(2).data());
    backend->add_bias(Tensor::view(hits, 1, 1, Scalar::f64), num_hits);
    waiting.erase(waiting.begin());
  }
  expect_rows(*backend, results, expected);
  std::vector<double> hits(1);
  backend->download(num_hits, hits);
  EXPECT_EQ(hits[0], expected_hits);
  EXPECT_GT(expected_hits, 0);
}

TEST_P(RowTierSchedules, GivesEverythingBackAfterAPickThatFailed) {
  const emulation::InUse before = emulation::in_use();
  int num_failed = 0;
  for (std::int64_t nth = 1; nth < 20; ++nth) {
    const auto backend = make_backend("cuda");
    test::FixedRows rows(*backend, 8, 3);
    const test::FixedRows::Picked kept = rows.next(9);
    std::vector<test::FixedRows::Picked> later;
    emulation::fail_call(nth, cudaErrorInvalidValue);
    try {
      later.push_back(rows.next(9));
    } catch (const DeviceError&) {
      ++num_failed;
    }
    emulation::fail_call(0, cudaSuccess);
    static_cast<void>(cudaGetLastError());
    EXPECT_EQ(rows.array_of<std::byte>(kept.arrays, 0), kept.rows) << "call " << nth;
  }
  EXPECT_GT(num_failed, 8);  // those of to_device() counted
  EXPECT_LT(num_failed, 19);
  const emulation::InUse after = emulation::in_use();
  EXPECT_EQ(after.device_bytes, before.device_bytes);
  EXPECT_EQ(after.pinned_allocations, before.pinned_allocations);
  EXPECT_EQ(after.streams, before.streams);
  EXPECT_EQ(after.events, before.events);
}

TEST_P(RowTierSchedules, GivesEverythingBackAfterATransferThatFailed) {
  const emulation::InUse before = emulation::in_use();
  int num_failed = 0;
  for (std::int64_t nth = 1; nth < 40; ++nth) {
    const auto backend = make_backend("cuda");
    test::RandomTransfers transfers(*backend, 8, 3);
    std::vector<std::byte> expected;
    const DeviceArrays kept = transfers.next(expected);
    std::vector<DeviceArrays> later;
    std::vector<std::byte> unused;
    emulation::fail_call(nth, cudaErrorInvalidValue);
    try {
      later.push_back(transfers.next(unused));
    } catch (const DeviceError&) {
      ++num_failed;
    }
    emulation::fail_call(0, cudaSuccess);
    static_cast<void>(cudaGetLastError());  // CUDA remembers it, and the next launch would report it again
    EXPECT_EQ(transfers.rows_of(kept), expected) << "call " << nth;
  }
  EXPECT_GT(num_failed, 10);
  EXPECT_LT(num_failed, 39);  // some calls came after the transfer, or there were fewer
  const emulation::InUse after = emulation::in_use();
  EXPECT_EQ(after.device_bytes, before.device_bytes);
  EXPECT_EQ(after.pinned_allocations, before.pinned_allocations);
  EXPECT_EQ(after.streams, before.streams);
  EXPECT_EQ(after.events, before.events);
}

}  // namespace
}  // namespace kith
