// What the device says of itself, and how it can be made to fail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/cuda/launch.cuh"
#include "tests/cuda_emulation/device_array.h"

namespace kith::emulation {
namespace {

using Device = EmulationTest;

__global__ void nothing_kernel() {}

TEST_F(Device, SaysWhatItIs) {
  int count = 0;
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaSuccess);
  EXPECT_EQ(count, 1);
  cudaDeviceProp properties{};
  EXPECT_EQ(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
  EXPECT_STREQ(properties.name, "Emulated device");
  EXPECT_EQ(cudaGetDeviceProperties(&properties, 1), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaSetDevice(1), cudaErrorInvalidDevice);
  kith::emulation::properties().l2CacheSize = 12345;
  int value = 0;
  EXPECT_EQ(cudaDeviceGetAttribute(&value, cudaDevAttrL2CacheSize, 0), cudaSuccess);
  EXPECT_EQ(value, 12345);
}

TEST_F(Device, CanBeAbsent) {
  set_device_present(false);
  int count = 7;
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorNoDevice);
  EXPECT_EQ(count, 0);
  void* data = nullptr;
  EXPECT_EQ(cudaMalloc(&data, 4), cudaErrorNoDevice);
  EXPECT_STREQ(cudaGetErrorString(cudaErrorNoDevice), "no CUDA-capable device is detected");
  EXPECT_STREQ(cudaGetErrorName(cudaErrorNoDevice), "cudaErrorNoDevice");
}

TEST_F(Device, FailsTheCallThatIsToFail) {
  void* a = nullptr;
  void* b = nullptr;
  fail_call(2, cudaErrorLaunchFailure);
  EXPECT_EQ(cudaMalloc(&a, 4), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&b, 4), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaMalloc(&b, 4), cudaSuccess);
  EXPECT_EQ(num_calls(), 3);
  fail_call(1, cudaErrorUnknown);
  EXPECT_EQ(cudaFree(a), cudaSuccess) << "what gives back does not fail";
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorUnknown);
  EXPECT_EQ(cudaPeekAtLastError(), cudaErrorUnknown);
  cudaGetLastError();
  fail_call(1, cudaErrorLaunchOutOfResources);
  EXPECT_THROW(cuda::launch(nothing_kernel, {.grid = 1, .block = 1, .stream = nullptr}), DeviceError);
  fail_call(1, cudaErrorUnknown);
  fail_call(0, cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  cudaFree(b);
}

TEST_F(Device, FillsItsMultiprocessorsAsFarAsTheBlocksLetIt) {
  int blocks = 0;
  EXPECT_EQ(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, nothing_kernel, 256, 0), cudaSuccess);
  EXPECT_EQ(blocks, 8);
  EXPECT_EQ(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, nothing_kernel, 32, 99 << 10), cudaSuccess);
  EXPECT_EQ(blocks, 2);
}

TEST_F(Device, KeepsAccountOfItsPool) {
  cudaMemPool_t pool = nullptr;
  EXPECT_EQ(cudaDeviceGetDefaultMemPool(&pool, 0), cudaSuccess);
  std::uint64_t threshold = 77;
  EXPECT_EQ(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &threshold), cudaSuccess);
  void* data = nullptr;
  cudaMallocAsync(&data, 100, nullptr);
  cudaFreeAsync(data, nullptr);
  cudaDeviceSynchronize();
  std::uint64_t value = 0;
  cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &value);
  EXPECT_EQ(value, 0);
  cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemHigh, &value);
  EXPECT_EQ(value, 100);
  cudaMemPoolGetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &value);
  EXPECT_EQ(value, 77);
}

TEST_F(Device, TakesAnAccessPolicyThatFits) {
  cudaStream_t stream = nullptr;
  cudaStreamCreate(&stream);
  cudaStreamAttrValue value{};
  value.accessPolicyWindow.num_bytes = 1 << 20;
  value.accessPolicyWindow.hitRatio = 0.5F;
  EXPECT_EQ(cudaStreamSetAttribute(stream, cudaStreamAttributeAccessPolicyWindow, &value), cudaSuccess);
  value.accessPolicyWindow.num_bytes = std::size_t{1} << 40;
  EXPECT_EQ(cudaStreamSetAttribute(stream, cudaStreamAttributeAccessPolicyWindow, &value),
            cudaErrorInvalidValue);
  cudaStreamDestroy(stream);
}

__global__ void bits_kernel(int* out) {
  out[0] = __popc(0xf0U) + __popcll(1ULL << 40);
  out[1] = __ffs(8) + __ffsll(1LL << 33);
  out[2] = __clz(1) + __clzll(1);
  out[3] = static_cast<int>(__umulhi(0x80000000U, 6U));
  out[4] = static_cast<int>(__umul64hi(1ULL << 63, 6ULL));
  out[5] = static_cast<int>(__brev(0x80000000U));
  out[6] = min(3, 4) + max(3, 4);
  out[7] = static_cast<int>(fmaxf(2.0F, max(1.0F, NAN)) + rsqrtf(0.25F) + __fmaf_rn(2.0F, 3.0F, 1.0F) +
                            __expf(0.0F));
}

TEST_F(Device, ComputesWithBitsAndFloats) {
  const DeviceArray<int> out(8);
  cuda::launch(bits_kernel, {.grid = 1, .block = 1, .stream = nullptr}, out.data());
  EXPECT_THAT(out.values(), testing::ElementsAre(5, 4 + 34, 31 + 63, 3, 3, 1, 7, 2 + 2 + 7 + 1));
}

}  // namespace
}  // namespace kith::emulation
