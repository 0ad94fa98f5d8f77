// Barriers and atomics: right kernels give the right result, wrong ones are caught.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tests/cuda_emulation/caught.h"
#include "tests/cuda_emulation/one_block.h"

namespace kith::emulation {
namespace {

using cuda::launch;
using cuda::LaunchShape;
using cuda::shared_memory;
using testing::Each;
using testing::ElementsAre;

using Threads = EmulationTest;

std::vector<int> counting(int count) {
  std::vector<int> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  return values;
}

__global__ void indices_kernel(uint3* out) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  out[block * blockDim.x * blockDim.y * blockDim.z + thread] = {threadIdx.x * 10 + blockIdx.x, threadIdx.y,
                                                                threadIdx.z};
}

TEST_F(Threads, KnowTheirPlaceInThreeDimensions) {
  const DeviceArray<uint3> out(2 * 3 * 2 * 2);
  launch(indices_kernel, {.grid = dim3(2), .block = dim3(3, 2, 2), .stream = nullptr}, out.data());
  const std::vector<uint3> values = out.values();
  for (unsigned i = 0; i < values.size(); ++i) {
    EXPECT_EQ(values[i].x, i % 3 * 10 + i / 12);
    EXPECT_EQ(values[i].y, i / 3 % 2);
    EXPECT_EQ(values[i].z, i % 12 / 6);
  }
}

// values[t] = values[t + 1], with both barriers or with the second one missing.
__global__ void shift_kernel(int* out, bool has_barrier) {
  auto* values = shared_memory<int>();
  values[threadIdx.x] = static_cast<int>(threadIdx.x);
  __syncthreads();
  const int next = values[(threadIdx.x + 1) % blockDim.x];
  if (has_barrier) {
    __syncthreads();
  }
  values[threadIdx.x] = next;
  __syncthreads();
  out[threadIdx.x] = values[threadIdx.x];
}

TEST_F(Threads, SeeEachOthersValuesAfterABarrier) {
  const DeviceArray<int> out(64);
  launch(shift_kernel, one_block(64, 256), out.data(), true);
  std::vector<int> expected = counting(64);
  std::rotate(expected.begin(), expected.begin() + 1, expected.end());
  EXPECT_EQ(out.values(), expected);
}

TEST_F(Threads, AreCaughtWithoutABarrier) {
  const DeviceArray<int> out(64);
  launch(shift_kernel, one_block(64, 256), out.data(), false);
  EXPECT_VIOLATION(cudaDeviceSynchronize(), "race: device allocation #0 (256 bytes)");
}

__global__ void unwritten_neighbour_kernel(int* out) {
  auto* values = shared_memory<int>();
  values[threadIdx.x] = 7;  // a barrier is missing behind this
  out[threadIdx.x] = values[threadIdx.x ^ 32U];
}

TEST_F(Threads, AreCaughtWhenTheyReadBeforeAnotherHasWritten) {
  const DeviceArray<int> out(64);
  launch(unwritten_neighbour_kernel, one_block(64, 256), out.data());
  EXPECT_VIOLATION(cudaDeviceSynchronize(), "in ");
}

__global__ void last_block_wins_kernel(int* out) { *out = static_cast<int>(blockIdx.x); }

TEST_F(Threads, AreCaughtWhenBlocksRace) {
  const DeviceArray<int> out(1);
  launch(last_block_wins_kernel, {.grid = 3, .block = 1, .stream = nullptr}, out.data());
  EXPECT_VIOLATION(cudaDeviceSynchronize(), "race");
}

// Ascending and descending order agree here: thread 1 of 3 runs in the middle of both.
__global__ void hidden_race_kernel(int* out) {
  if (threadIdx.x == 1) {
    *out += 1;
  } else {
    *out *= 2;
  }
}

TEST_F(Threads, AreCaughtByShuffledOrdersWhereTheTwoAgree) {
  const DeviceArray<int> out(std::vector<int>{1});
  launch(hidden_race_kernel, one_block(3), out.data());
  EXPECT_THAT(out.values(), ElementsAre(6));
  set_num_orders(8);
  launch(hidden_race_kernel, one_block(3), out.data());
  EXPECT_VIOLATION(cudaDeviceSynchronize(), "race");
}

__global__ void divergent_kernel(int* out) {
  if (threadIdx.x < 16) {
    __syncthreads();
    out[threadIdx.x] = 1;
  } else {
    __syncthreads();
    out[threadIdx.x] = 2;
  }
}

TEST_F(Threads, AreCaughtAtDivergentBarriers) {
  const DeviceArray<int> out(32);
  launch(divergent_kernel, one_block(32), out.data());
  EXPECT_VIOLATION(cudaDeviceSynchronize(), "divergent barrier: thread 0 waits at threads_test.cpp:");
}

__global__ void unreached_barrier_kernel(int* out) {
  if (threadIdx.x < 40) {
    __syncthreads();
  } else {
    __syncwarp();
  }
  out[threadIdx.x] = 1;
}

TEST_F(Threads, AreCaughtWhenOthersNeverReachTheirBarrier) {
  const DeviceArray<int> out(64);
  launch(unreached_barrier_kernel, one_block(64), out.data());
  EXPECT_VIOLATION(cudaDeviceSynchronize(), "deadlock: thread 0 waits for the block at threads_test.cpp:");
}

__global__ void early_return_kernel(int* out) {
  if (threadIdx.x >= 20) {
    return;
  }
  auto* values = shared_memory<int>();
  values[threadIdx.x] = static_cast<int>(threadIdx.x);
  __syncthreads();
  out[threadIdx.x] = values[19 - threadIdx.x];
}

TEST_F(Threads, NeedNotWaitForThoseThatReturned) {
  const DeviceArray<int> out(20);
  launch(early_return_kernel, one_block(64, 80), out.data());
  EXPECT_EQ(out.values().front(), 19);
}

// A launch after a reported one starts from clean stacks.
TEST_F(Threads, GoOnAfterAReport) {
  const DeviceArray<int> out(64);
  for (int i = 0; i < 3; ++i) {
    launch(unreached_barrier_kernel, one_block(64), out.data());
    EXPECT_THROW(cudaDeviceSynchronize(), Violation);
    launch(shift_kernel, one_block(64, 256), out.data(), true);
    EXPECT_EQ(out.values().front(), 1);
  }
}

__global__ void vote_kernel(int* out, int threshold) {
  const int is_below = static_cast<int>(threadIdx.x) < threshold ? 5 : 0;
  const int count = __syncthreads_count(is_below);
  const int any = __syncthreads_or(is_below);
  const int all = __syncthreads_and(is_below);
  if (threadIdx.x == 0) {
    out[0] = count;
    out[1] = any;
    out[2] = all;
  }
}

TEST_F(Threads, VoteAtBarriers) {
  const DeviceArray<int> out(3);
  launch(vote_kernel, one_block(40), out.data(), 3);
  EXPECT_THAT(out.values(), ElementsAre(3, 1, 0));
  launch(vote_kernel, one_block(40), out.data(), 0);
  EXPECT_THAT(out.values(), ElementsAre(0, 0, 0));
  launch(vote_kernel, one_block(40), out.data(), 40);
  EXPECT_THAT(out.values(), ElementsAre(40, 1, 1));
}

__global__ void histogram_kernel(const int* in, int n, unsigned* bins) {
  for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < static_cast<unsigned>(n);
       i += gridDim.x * blockDim.x) {
    atomicAdd(&bins[in[i] % 4], 1);
  }
}

TEST_F(Threads, CountWithIntegerAtomicsInAnyOrder) {
  const DeviceArray<int> in(counting(1000));
  const DeviceArray<unsigned> bins(std::vector<unsigned>(4));
  launch(histogram_kernel, {.grid = 3, .block = 128, .stream = nullptr}, in.data(), 1000, bins.data());
  EXPECT_THAT(bins.values(), Each(250U));
}

__global__ void append_kernel(int* out, unsigned* count) {
  out[atomicAdd(count, 1U)] = static_cast<int>(threadIdx.x);
}

TEST_F(Threads, AreCaughtWhenTheOrderOfAtomicsDecides) {
  const DeviceArray<unsigned> count(std::vector<unsigned>(1));
  const DeviceArray<int> out(4);
  launch(append_kernel, one_block(4), out.data(), count.data());
  EXPECT_VIOLATION(cudaDeviceSynchronize(), "race");
}

__global__ void atomics_kernel(int* i, unsigned* u, unsigned long long* l, float* f, double* d) {
  i[0] = atomicMin(&i[1], -5);
  i[2] = atomicMax(&i[3], 50);
  u[0] = atomicOr(&u[1], 6U);
  u[2] = atomicExch(&u[3], 9U);
  u[4] = atomicInc(&u[5], 3U);
  l[0] = atomicCAS(&l[1], 1ULL, 8ULL);
  l[2] = atomicCAS(&l[3], 1ULL, 8ULL);
  l[4] = atomicAdd(&l[5], 1ULL << 40);
  f[0] = atomicAdd(&f[1], 0.5);
  d[0] = atomicAdd(&d[1], 0.25);
}

TEST_F(Threads, GetTheOldValueFromAtomics) {
  const DeviceArray<int> i({0, 1, 0, 3});
  const DeviceArray<unsigned> u({0, 1, 0, 3, 0, 3});
  const DeviceArray<unsigned long long> l({0, 1, 0, 3, 0, 5});
  const DeviceArray<float> f({0, 1});
  const DeviceArray<double> d({0, 1});
  launch(atomics_kernel, one_block(1), i.data(), u.data(), l.data(), f.data(), d.data());
  EXPECT_THAT(i.values(), ElementsAre(1, -5, 3, 50));
  EXPECT_THAT(u.values(), ElementsAre(1, 7, 3, 9, 3, 0));
  EXPECT_THAT(l.values(), ElementsAre(1, 8, 3, 3, 5, (1ULL << 40) + 5));
  EXPECT_THAT(f.values(), ElementsAre(1, 1.5));
  EXPECT_THAT(d.values(), ElementsAre(1, 1.25));
}

__global__ void takes_long_kernel(long long value, long long* out) { *out = value; }

TEST_F(Threads, GetArgumentsAsParameters) {
  const DeviceArray<long long> out(1);
  launch(takes_long_kernel, one_block(1), -3, out.data());
  EXPECT_THAT(out.values(), ElementsAre(-3));
  launch(takes_long_kernel, {.grid = 0, .block = 1, .stream = nullptr}, 5, out.data());
  EXPECT_THAT(out.values(), ElementsAre(-3));
}

TEST_F(Threads, AreLimitedAsOnADevice) {
  const DeviceArray<int> out(1024);
  const auto fails = [&](const LaunchShape& shape, const char* message) {
    EXPECT_THAT([&] { launch(shift_kernel, shape, out.data(), true); },
                testing::ThrowsMessage<DeviceError>(testing::HasSubstr(message)));
  };
  launch(shift_kernel, one_block(1024, 4096), out.data(), true);
  fails(one_block(1025, 5000), "invalid configuration");
  fails({.grid = 1, .block = dim3(32, 33), .stream = nullptr}, "invalid configuration");
  fails({.grid = 1, .block = dim3(1, 1, 65), .stream = nullptr}, "invalid configuration");
  fails({.grid = 1, .block = dim3(0), .stream = nullptr}, "invalid configuration");
  fails({.grid = dim3(1, 65536), .block = dim3(1), .stream = nullptr}, "invalid configuration");
  fails(one_block(32, (48 << 10) + 1), "invalid argument");
  EXPECT_EQ(cudaFuncSetAttribute(shift_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 228 << 10),
            cudaErrorInvalidValue);
  cudaGetLastError();
  EXPECT_EQ(cudaFuncSetAttribute(shift_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 100 << 10),
            cudaSuccess);
  launch(shift_kernel, one_block(32, 100 << 10), out.data(), true);
  EXPECT_EQ(out.values()[31], 0);
}

}  // namespace
}  // namespace kith::emulation
