// What a user of the CUDA backend meets when memory, a call or the device is missing; on the emulated device.
#include <cuda_runtime.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "graph/errors.h"
#include "kernels/backend.h"
#include "tests/kernels/on_device.h"
#include "tests/support/cuda/emulation.h"

namespace kith {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CudaErrors : public ::testing::Test {
 protected:
  ~CudaErrors() override { emulation::reset(); }

  template <typename ErrorType, typename Call>
  static std::string error_of(const Call& call) {
    try {
      call();
    } catch (const ErrorType& error) {
      return error.what();
    }
    return "nothing was thrown";
  }
};

TEST_F(CudaErrors, OutOfMemorySaysHowMuchAndLeavesTheProcessUsable) {
  const auto backend = make_backend("cuda");
  const Tensor kept = backend->zeros(1 << 18, 1, Scalar::f64);  // 2 MiB
  emulation::set_memory_limit(emulation::in_use().device_bytes + (1 << 20));
  EXPECT_THAT(error_of<EnvironmentError>([&] { backend->empty(1 << 20, 1, Scalar::f64); }),
              AllOf(HasSubstr("--device cuda: out of memory: 8 MiB asked for, 1 of "), HasSubstr(" MiB free, "),
                    HasSubstr("2 MiB in use by Kith"), HasSubstr("--batch-size")));
  Tensor small = backend->empty(4, 4, Scalar::f64);
  backend->fill(small, 3);
  std::vector<double> values(16);
  backend->download(small, values);
  EXPECT_EQ(values, std::vector<double>(16, 3));
}

TEST_F(CudaErrors, AFailedCallIsNamedWithItsPlaceAndWhatToDo) {
  const auto backend = make_backend("cuda");
  const Tensor from = backend->zeros(3, 3, Scalar::f32);
  Tensor to = backend->zeros(3, 3, Scalar::f32);
  emulation::fail_call(1, cudaErrorInvalidValue);
  EXPECT_THAT(error_of<DeviceError>([&] { backend->copy(from, to); }),
              AllOf(HasSubstr("--device cuda: cudaMemcpyAsync failed at kernels/cuda/cuda_backend.cpp:"),
                    HasSubstr(cudaGetErrorString(cudaErrorInvalidValue)), HasSubstr("--device cpu")));
  EXPECT_NO_THROW(backend->copy(from, to));
}

TEST_F(CudaErrors, WithoutADeviceTheCpuIsTheBestThereIs) {
  emulation::set_device_present(false);
  EXPECT_THAT(available_devices(), ElementsAre("cpu"));
  EXPECT_EQ(make_backend("auto")->name(), "cpu");
  EXPECT_THAT(error_of<DeviceError>([] { make_backend("cuda"); }),
              HasSubstr("--device cuda: no CUDA device ("));
}

TEST_F(CudaErrors, ATableThatDoesNotFitStaysInHostMemoryAndIsRead) {
  const auto backend = make_backend("cuda");
  constexpr std::int64_t kRows = 1000, kDim = 16;
  std::vector<float> values(kRows * kDim);
  std::iota(values.begin(), values.end(), 0.0F);
  const std::vector<NodeId> ids{999, 0, 500};
  // Room for the table alone would not be room for training too.
  emulation::set_memory_limit(emulation::in_use().device_bytes + values.size() * sizeof(float) + 5000);
  const std::size_t pinned = emulation::in_use().pinned_allocations;
  const DeviceArrays table = backend->table_to_device(std::as_bytes(std::span<const float>(values)));
  EXPECT_EQ(emulation::in_use().pinned_allocations, pinned + 1);
  const DeviceArrays rows = backend->to_device(std::span<const NodeId>(ids));
  backend->wait_for(table);
  backend->wait_for(rows);
  Tensor out = backend->empty(3, kDim, Scalar::f32);
  backend->gather({.data = table.get<std::byte>(0).data(), .num_rows = kRows, .dim = kDim}, rows.get<NodeId>(0),
                  out);
  std::vector<double> got(3 * kDim);
  backend->download(out, got);
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i], values[static_cast<std::size_t>(ids[i / kDim]) * kDim + i % kDim]);
  }
}

}  // namespace
}  // namespace kith
