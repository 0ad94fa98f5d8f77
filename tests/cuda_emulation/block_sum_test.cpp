#include "tests/cuda_emulation/block_sum.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cuda_emulation/device_array.h"

namespace kith::emulation {
namespace {

using BlockSum = EmulationTest;

TEST_F(BlockSum, OfACuFileIsRight) {
  std::vector<float> in(150);
  for (std::size_t i = 0; i < in.size(); ++i) {
    in[i] = static_cast<float>(i);
  }
  const DeviceArray<float> device_in(in);
  const DeviceArray<float> out(3);
  cuda::block_sum(device_in.data(), 150, out.data(), nullptr);
  EXPECT_THAT(out.values(), testing::ElementsAre(63 * 64 / 2, 64 * 64 + 63 * 64 / 2, 22 * 128 + 21 * 22 / 2));
}

}  // namespace
}  // namespace kith::emulation
