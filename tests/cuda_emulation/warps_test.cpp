// Shuffles, votes and __syncwarp: right kernels give the right result, wrong ones are caught.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cuda_emulation/caught.h"
#include "tests/cuda_emulation/one_block.h"

namespace kith::emulation {
namespace {

using cuda::launch;
using cuda::shared_memory;
using testing::Each;
using testing::ElementsAre;

using Warps = EmulationTest;

constexpr unsigned kAll = 0xffffffffU;

__global__ void warp_scan_kernel(const int* in, int* out, int width) {
  const int lane = static_cast<int>(threadIdx.x) % width;
  int sum = in[threadIdx.x];
  for (int delta = 1; delta < width; delta *= 2) {
    const int before = __shfl_up_sync(kAll, sum, delta, width);
    sum += lane >= delta ? before : 0;
  }
  out[threadIdx.x] = sum;
}

TEST_F(Warps, ScanWithShuffles) {
  const DeviceArray<int> in(std::vector<int>(64, 1));
  const DeviceArray<int> out(64);
  for (const int width : {32, 8}) {
    launch(warp_scan_kernel, one_block(64), in.data(), out.data(), width);
    const std::vector<int> values = out.values();
    for (int i = 0; i < 64; ++i) {
      EXPECT_EQ(values[static_cast<std::size_t>(i)], i % width + 1);
    }
  }
}

template <typename T>
__global__ void warp_sum_kernel(T* out) {
  T down = static_cast<T>(threadIdx.x);
  T across = down;
  for (int width = 16; width > 0; width /= 2) {
    down += __shfl_down_sync(kAll, down, static_cast<unsigned>(width));
    across += __shfl_xor_sync(kAll, across, width);
  }
  out[threadIdx.x] = across;
  const T first = __shfl_sync(kAll, down, 32);  // lane 32 is lane 0
  if (threadIdx.x == 7) {
    out[32] = first;
  }
}

template <typename T>
void expect_warp_sum() {
  const DeviceArray<T> out(33);
  launch(warp_sum_kernel<T>, one_block(32), out.data());
  EXPECT_THAT(out.values(), Each(T{496}));
}

TEST_F(Warps, ShuffleEveryType) {
  expect_warp_sum<int>();
  expect_warp_sum<unsigned>();
  expect_warp_sum<long long>();
  expect_warp_sum<float>();
  expect_warp_sum<double>();
}

__global__ void warp_vote_kernel(unsigned* out) {
  const unsigned lane = threadIdx.x;
  const unsigned low = 0xffffU;
  if (lane < 16) {
    out[0] = __ballot_sync(low, lane % 2);
    out[1] = static_cast<unsigned>(__any_sync(low, lane == 3));
    out[2] = static_cast<unsigned>(__all_sync(low, lane < 16));
    out[3] = static_cast<unsigned>(__all_sync(low, lane < 15));
    out[4] = __reduce_add_sync(low, lane);
    out[5] = static_cast<unsigned>(__reduce_min_sync(low, -static_cast<int>(lane)));
    out[6] = __reduce_max_sync(low, lane);
    const unsigned same = __match_any_sync(low, lane / 4);
    if (lane == 5) {
      out[7] = same;
    }
  } else {
    const int sum = __reduce_add_sync(~low, 1);  // the other half is elsewhere at the same time
    out[8] = static_cast<unsigned>(sum);
  }
}

TEST_F(Warps, VoteInHalves) {
  const DeviceArray<unsigned> out(9);
  launch(warp_vote_kernel, one_block(32), out.data());
  EXPECT_THAT(out.values(),
              ElementsAre(0xaaaaU, 1U, 1U, 0U, 120U, static_cast<unsigned>(-15), 15U, 0xf0U, 16U));
}

__global__ void exchange_kernel(int* out, bool has_barrier) {
  auto* values = shared_memory<int>();
  values[threadIdx.x] = static_cast<int>(threadIdx.x);
  __syncwarp();
  const int other = values[threadIdx.x ^ 1U];
  if (has_barrier) {
    __syncwarp();
  }
  values[threadIdx.x] = other;
  __syncwarp();
  out[threadIdx.x] = values[threadIdx.x];
}

TEST_F(Warps, ExchangeThroughSharedMemory) {
  const DeviceArray<int> out(4);
  launch(exchange_kernel, one_block(4, 16), out.data(), true);
  EXPECT_THAT(out.values(), ElementsAre(1, 0, 3, 2));
}

TEST_F(Warps, AreCaughtWithoutSyncwarp) {
  const DeviceArray<int> out(4);
  launch(exchange_kernel, one_block(4, 16), out.data(), false);
  EXPECT_VIOLATION(cudaDeviceSynchronize(), "race");
}

// Sums over the lanes of `mask`, called by lanes below num_callers.
__global__ void masked_sum_kernel(int* out, unsigned mask, unsigned num_callers, int width) {
  if (threadIdx.x < num_callers) {
    int sum = 1;
    for (int bits = width / 2; bits > 0; bits /= 2) {
      sum += __shfl_xor_sync(mask, sum, bits);
    }
    out[threadIdx.x] = sum;
  } else {
    __syncthreads();
  }
}

TEST_F(Warps, AreCaughtWhenTheMaskNamesALaneThatDoesNotCome) {
  const DeviceArray<int> out(32);
  launch(masked_sum_kernel, one_block(32), out.data(), 0xffU, 8U, 8);
  EXPECT_EQ(out.values()[7], 8);
  launch(masked_sum_kernel, one_block(32), out.data(), 0x1ffU, 8U, 8);
  EXPECT_VIOLATION(cudaDeviceSynchronize(), "deadlock: thread 0 waits for lanes 0x1ff of its warp");
}

TEST_F(Warps, AreCaughtWhenTheyReadALaneOutsideOfTheMask) {
  const DeviceArray<int> out(32);
  launch(masked_sum_kernel, one_block(32), out.data(), 0xffU, 8U, 16);
  EXPECT_VIOLATION(cudaDeviceSynchronize(), "lane 0 reads lane 8, which is not in its mask 0xff");
}

TEST_F(Warps, AreCaughtWhenTheyReadALaneThatDoesNotExist) {
  const DeviceArray<int> out(32);
  launch(masked_sum_kernel, one_block(8), out.data(), kAll, 8U, 16);
  EXPECT_VIOLATION(cudaDeviceSynchronize(), "lane 0 reads lane 8, which has returned or does not exist");
}

__global__ void foreign_mask_kernel() { __syncwarp(0x7fU); }

TEST_F(Warps, AreCaughtOutsideOfTheirOwnMask) {
  launch(foreign_mask_kernel, one_block(8));
  EXPECT_VIOLATION(cudaDeviceSynchronize(), "is not in its own mask 0x7f");
}

__global__ void active_kernel(int* out) { out[threadIdx.x] = __popc(__activemask()); }

TEST_F(Warps, AreNotInLockStep) {
  const DeviceArray<int> out(32);
  launch(active_kernel, one_block(32), out.data());
  EXPECT_THAT(out.values(), Each(1));
}

}  // namespace
}  // namespace kith::emulation
