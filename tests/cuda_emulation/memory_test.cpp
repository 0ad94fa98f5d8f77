// Accesses that a device would not report, or would report without saying where.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/cuda/launch.cuh"
#include "tests/cuda_emulation/caught.h"

namespace kith::emulation {
namespace {

using cuda::launch;
using cuda::shared_memory;
using testing::Each;
using testing::ElementsAre;

class MemoryGuards : public EmulationTest {
 protected:
  MemoryGuards() { testing::FLAGS_gtest_death_test_style = "threadsafe"; }
};

// What a report of either kind says of the place.
const char* const kGlobalOutOfBounds = kAddressSanitizer
                                           ? "offset 64 of device allocation #[0-9]+ \\(64 bytes\\)"
                                           : "out of bounds: wrote 0 bytes past the end";

__global__ void write_kernel(float* out, int index) { out[index] = 1; }
__global__ void read_kernel(const float* in, int index, float* out) { out[threadIdx.x] = in[index]; }

TEST_F(MemoryGuards, PassWhatIsInBounds) {
  const DeviceArray<float> a(std::vector<float>(16, 2));
  const DeviceArray<float> b(std::vector<float>(1));
  launch(write_kernel, {.grid = 1, .block = 1, .stream = nullptr}, a.data(), 15);
  launch(read_kernel, {.grid = 1, .block = 1, .stream = nullptr}, a.data(), 15, b.data());
  EXPECT_THAT(b.values(), ElementsAre(1));
}

TEST_F(MemoryGuards, ReportAWriteBehindTheEnd) {
  const DeviceArray<float> a(16);
  EXPECT_CAUGHT(launch(write_kernel, {.grid = 1, .block = 1, .stream = nullptr}, a.data(), 16),
                kGlobalOutOfBounds);
}

TEST_F(MemoryGuards, ReportAWriteBeforeTheStart) {
  const DeviceArray<float> a(16);
  EXPECT_CAUGHT(launch(write_kernel, {.grid = 1, .block = 1, .stream = nullptr}, a.data(), -1),
                kAddressSanitizer ? "offset -4 of device allocation" : "wrote 4 bytes before the start");
}

TEST_F(MemoryGuards, ReportAReadBehindTheEnd) {
  const DeviceArray<float> a(std::vector<float>(16, 2));
  const DeviceArray<float> b(std::vector<float>(1));
  EXPECT_CAUGHT(launch(read_kernel, {.grid = 1, .block = 1, .stream = nullptr}, a.data(), 16, b.data()),
                kAddressSanitizer ? kGlobalOutOfBounds : "out of bounds");
}

TEST_F(MemoryGuards, NameTheKernelAndTheThread) {
  if (!kAddressSanitizer) {
    GTEST_SKIP() << "AddressSanitizer's report";
  }
  const DeviceArray<float> a(std::vector<float>(16, 2));
  const DeviceArray<float> b(1);
  EXPECT_CAUGHT(launch(read_kernel, {.grid = 1, .block = 2, .stream = nullptr}, a.data(), 0, b.data()),
                "read_kernel.*launched by .*memory_test.cpp:[0-9]+.*block \\(0, 0, 0\\), thread \\(1, 0, 0\\)");
}

TEST_F(MemoryGuards, ReportAReadAfterFree) {
  const auto run = [] {
    float* data = nullptr;
    cudaMalloc(&data, 4);
    cudaMemset(data, 0, 4);
    const DeviceArray<float> b(1);
    cudaFree(data);
    launch(read_kernel, {.grid = 1, .block = 1, .stream = nullptr}, data, 0, b.data());
    EXPECT_THAT(b.values(), ElementsAre(testing::IsNan()));  // without AddressSanitizer
  };
  if (kAddressSanitizer) {
    EXPECT_CAUGHT(run(), "which has been freed");
  } else {
    run();
  }
}

TEST_F(MemoryGuards, ReportAWriteAfterFree) {
  EXPECT_CAUGHT(
      {
        float* data = nullptr;
        cudaMalloc(&data, 4);
        cudaFree(data);
        launch(write_kernel, {.grid = 1, .block = 1, .stream = nullptr}, data, 0);
      },
      kAddressSanitizer ? "which has been freed" : "use after free: wrote at offset 0");
}

TEST_F(MemoryGuards, ReportASecondFree) {
  float* data = nullptr;
  cudaMalloc(&data, 4);
  cudaFree(data);
  EXPECT_VIOLATION(cudaFree(data), "already been freed");
}

TEST_F(MemoryGuards, HideDeviceMemoryFromTheHost) {
  if (!kAddressSanitizer) {
    GTEST_SKIP() << "needs AddressSanitizer";
  }
  const DeviceArray<float> a(std::vector<float>(16, 2));
  EXPECT_CAUGHT(static_cast<volatile float*>(a.data())[3] = 0, "accessed by the host");
}

TEST_F(MemoryGuards, LeavePinnedMemoryToBothSides) {
  float* pinned = nullptr;
  ASSERT_EQ(cudaMallocHost(&pinned, 4), cudaSuccess);
  pinned[0] = 5;
  const DeviceArray<float> b(1);
  launch(read_kernel, {.grid = 1, .block = 1, .stream = nullptr}, pinned, 0, b.data());
  EXPECT_THAT(b.values(), ElementsAre(5));
  launch(write_kernel, {.grid = 1, .block = 1, .stream = nullptr}, pinned, 0);
  cudaDeviceSynchronize();
  EXPECT_EQ(pinned[0], 1);
  EXPECT_EQ(cudaFreeHost(pinned), cudaSuccess);
}

__global__ void shared_kernel(float* out, int index) {
  auto* values = shared_memory<float>();
  values[threadIdx.x] = 1;
  values[index] = 3;
  out[threadIdx.x] = values[threadIdx.x];
}

TEST_F(MemoryGuards, ReportAWriteOutsideOfSharedMemory) {
  const DeviceArray<float> out(1);
  const cuda::LaunchShape shape{.grid = 1, .block = 1, .shared_bytes = 8, .stream = nullptr};
  launch(shared_kernel, shape, out.data(), 1);
  EXPECT_THAT(out.values(), ElementsAre(1));
  EXPECT_CAUGHT(launch(shared_kernel, shape, out.data(), 2),
                kAddressSanitizer ? "use-after-poison" : "past the end of shared memory");
}

__global__ void copy_kernel(const int* from, int* to) { to[threadIdx.x] = from[threadIdx.x]; }
__global__ void add_shared_kernel(int* out) { out[threadIdx.x] += shared_memory<int>()[0]; }

TEST_F(MemoryGuards, ReportAResultThatDependsOnMemoryNobodyWrote) {
  const DeviceArray<int> fresh(1);
  const DeviceArray<int> out(std::vector<int>(1));
  launch(copy_kernel, {.grid = 1, .block = 1, .stream = nullptr}, fresh.data(), out.data());
  EXPECT_VIOLATION(cudaDeviceSynchronize(), "uninitialised: device allocation #1 (4 bytes), offset 0");
}

TEST_F(MemoryGuards, ReportAResultThatDependsOnSharedMemoryNobodyWrote) {
  const DeviceArray<int> out(std::vector<int>(1));
  launch(add_shared_kernel, {.grid = 1, .block = 1, .shared_bytes = 4, .stream = nullptr}, out.data());
  EXPECT_VIOLATION(cudaDeviceSynchronize(), "uninitialised");
}

// Copying what nobody wrote is no defect as long as nobody computes with it; the copy is as fresh as the
// original.
TEST_F(MemoryGuards, FollowFreshMemoryThroughCopies) {
  const DeviceArray<int> fresh(2);
  const DeviceArray<int> copy(2);
  launch(copy_kernel, {.grid = 1, .block = 2, .stream = nullptr}, fresh.data(), copy.data());
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  const DeviceArray<int> second(std::vector<int>(2));
  EXPECT_EQ(cudaMemcpy(second.data(), copy.data(), 8, cudaMemcpyDeviceToDevice), cudaSuccess);
  const DeviceArray<int> out(std::vector<int>(2));
  launch(copy_kernel, {.grid = 1, .block = 2, .stream = nullptr}, second.data(), out.data());
  EXPECT_VIOLATION(cudaDeviceSynchronize(), "uninitialised");
}

// The pattern of fresh memory is an ordinary number to whoever writes it.
TEST_F(MemoryGuards, TakeWhatIsWrittenForWritten) {
  const DeviceArray<int> in({-2, -2, 5});
  const DeviceArray<int> middle(3);
  const DeviceArray<int> out(std::vector<int>(3));
  launch(copy_kernel, {.grid = 1, .block = 3, .stream = nullptr}, in.data(), middle.data());
  launch(copy_kernel, {.grid = 1, .block = 3, .stream = nullptr}, middle.data(), out.data());
  EXPECT_THAT(out.values(), ElementsAre(-2, -2, 5));
}

TEST_F(MemoryGuards, FillFreshMemoryWithNaNOfEveryType) {
  for (const Pattern pattern : {Pattern::first, Pattern::second}) {
    alignas(8) std::byte bytes[8];
    paint(bytes, 8, pattern);
    EXPECT_TRUE(std::isnan(*reinterpret_cast<float*>(bytes)));
    EXPECT_TRUE(std::isnan(*reinterpret_cast<double*>(bytes)));
    for (int i = 0; i < 4; ++i) {
      const std::uint16_t word = reinterpret_cast<std::uint16_t*>(bytes)[i];
      EXPECT_GT(word & 0x7fff, 0x7f80) << "bfloat16, and so also binary16";
    }
  }
}

TEST_F(MemoryGuards, CheckTheBoundsAndTheKindOfCopies) {
  const DeviceArray<float> a(4);
  std::vector<float> host(8);
  EXPECT_VIOLATION(cudaMemcpy(a.data(), host.data(), 20, cudaMemcpyHostToDevice), "out of bounds");
  EXPECT_VIOLATION(cudaMemcpy(host.data(), a.data() + 1, 16, cudaMemcpyDeviceToHost), "out of bounds");
  EXPECT_VIOLATION(cudaMemcpy(host.data(), a.data(), 16, cudaMemcpyHostToDevice), "from device to host");
  EXPECT_VIOLATION(cudaMemset(a.data() + 2, 0, 12), "out of bounds");
  EXPECT_EQ(cudaMemcpy(host.data(), a.data(), 16, cudaMemcpyDefault), cudaSuccess);
  EXPECT_EQ(cudaMemset(host.data(), 0, 4), cudaErrorInvalidValue);
}

TEST_F(MemoryGuards, CopyRowsOfOtherPitches) {
  const DeviceArray<int> device(std::vector<int>(8));
  const std::vector<int> rows{1, 2, 3, 4, 5, 6};  // of three
  EXPECT_EQ(cudaMemcpy2D(device.data(), 16, rows.data(), 12, 12, 2, cudaMemcpyHostToDevice), cudaSuccess);
  EXPECT_THAT(device.values(), ElementsAre(1, 2, 3, 0, 4, 5, 6, 0));
  EXPECT_EQ(cudaMemcpy2D(device.data(), 8, rows.data(), 12, 12, 2, cudaMemcpyHostToDevice),
            cudaErrorInvalidPitchValue);
}

TEST_F(MemoryGuards, AccountForWhatIsInUse) {
  set_memory_limit(100);
  std::size_t free_bytes = 0;
  std::size_t total = 0;
  void* a = nullptr;
  void* b = nullptr;
  EXPECT_EQ(cudaMalloc(&a, 60), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&b, 41), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  EXPECT_EQ(cudaMemGetInfo(&free_bytes, &total), cudaSuccess);
  EXPECT_EQ(free_bytes, 40);
  EXPECT_EQ(total, 100);
  // A free that its stream has yet to come to is waited for before memory is said to be out.
  EXPECT_EQ(cudaFreeAsync(a, nullptr), cudaSuccess);
  EXPECT_EQ(in_use().device_bytes, 60);
  EXPECT_EQ(cudaMallocAsync(&b, 100, nullptr), cudaSuccess);
  EXPECT_EQ(in_use().device_bytes, 100);
  EXPECT_EQ(in_use().allocations, 1);
  EXPECT_EQ(cudaFree(b), cudaSuccess);
  EXPECT_EQ(in_use().device_bytes, 0);
  EXPECT_EQ(cudaMalloc(&a, 0), cudaSuccess);
  EXPECT_EQ(a, nullptr);
}

TEST_F(MemoryGuards, KnowWhereAPointerLeads) {
  const DeviceArray<float> device(4);
  float* pinned = nullptr;
  float pageable = 0;
  cudaMallocHost(&pinned, 4);
  cudaPointerAttributes attributes{};
  cudaPointerGetAttributes(&attributes, device.data() + 1);
  EXPECT_EQ(attributes.type, cudaMemoryTypeDevice);
  cudaPointerGetAttributes(&attributes, pinned);
  EXPECT_EQ(attributes.type, cudaMemoryTypeHost);
  cudaPointerGetAttributes(&attributes, &pageable);
  EXPECT_EQ(attributes.type, cudaMemoryTypeUnregistered);
  EXPECT_EQ(cudaHostRegister(&pageable, 4, cudaHostRegisterDefault), cudaSuccess);
  EXPECT_EQ(cudaHostRegister(&pageable, 4, cudaHostRegisterDefault), cudaErrorHostMemoryAlreadyRegistered);
  cudaPointerGetAttributes(&attributes, &pageable);
  EXPECT_EQ(attributes.type, cudaMemoryTypeHost);
  EXPECT_EQ(cudaHostUnregister(&pageable), cudaSuccess);
  EXPECT_EQ(cudaHostUnregister(&pageable), cudaErrorHostMemoryNotRegistered);
  EXPECT_EQ(in_use().pinned_allocations, 1);
  cudaFreeHost(pinned);
  EXPECT_EQ(in_use().pinned_allocations, 0);
}

__global__ void vector_kernel(const float* in, float* out) {
  const float4 x = __ldg(reinterpret_cast<const float4*>(in));
  *out = x.x + x.w;
}

TEST_F(MemoryGuards, ReportAMisalignedVectorAccess) {
  const DeviceArray<float> a(std::vector<float>(8, 2));
  const DeviceArray<float> out(1);
  launch(vector_kernel, {.grid = 1, .block = 1, .stream = nullptr}, a.data() + 4, out.data());
  EXPECT_THAT(out.values(), Each(4));
  if (kAddressSanitizer) {  // and with it UBSan
    EXPECT_CAUGHT(launch(vector_kernel, {.grid = 1, .block = 1, .stream = nullptr}, a.data() + 1, out.data()),
                  "misaligned address");
  }
}

}  // namespace
}  // namespace kith::emulation
