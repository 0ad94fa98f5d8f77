// Asynchronous work: what is missing between streams, or between a stream and the host, shows up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "kernels/cuda/launch.cuh"
#include "tests/cuda_emulation/caught.h"

namespace kith::emulation {
namespace {

using cuda::launch;
using testing::ElementsAre;

__global__ void add_kernel(int* value, int summand) { *value += summand; }
__global__ void set_kernel(int* to, const int* from) { *to = *from; }

class Streams : public EmulationTest {
 protected:
  Streams() {
    cudaStreamCreateWithFlags(&first_, cudaStreamNonBlocking);
    cudaStreamCreateWithFlags(&second_, cudaStreamNonBlocking);
    cudaEventCreateWithFlags(&event_, cudaEventDisableTiming);
    cudaMallocHost(&pinned_, 4);
  }
  ~Streams() override {
    cudaStreamDestroy(first_);
    cudaStreamDestroy(second_);
    cudaEventDestroy(event_);
    cudaFreeHost(pinned_);
  }
  static void add(int* value, int summand, cudaStream_t stream) {
    launch(add_kernel, {.grid = 1, .block = 1, .stream = stream}, value, summand);
  }
  static void set(int* to, const int* from, cudaStream_t stream) {
    launch(set_kernel, {.grid = 1, .block = 1, .stream = stream}, to, from);
  }

  cudaStream_t first_ = nullptr;
  cudaStream_t second_ = nullptr;
  cudaEvent_t event_ = nullptr;
  int* pinned_ = nullptr;
};

TEST_F(Streams, RunTheirWorkInOrder) {
  const DeviceArray<int> value({1});
  *pinned_ = 40;
  cudaMemcpyAsync(value.data(), pinned_, 4, cudaMemcpyHostToDevice, first_);
  add(value.data(), 2, first_);
  cudaMemcpyAsync(pinned_, value.data(), 4, cudaMemcpyDeviceToHost, first_);
  EXPECT_EQ(*pinned_, 40) << "nobody has waited yet";
  EXPECT_EQ(cudaStreamQuery(first_), cudaErrorNotReady);
  EXPECT_EQ(cudaStreamSynchronize(first_), cudaSuccess);
  EXPECT_EQ(*pinned_, 42);
  EXPECT_EQ(cudaStreamQuery(first_), cudaSuccess);
  EXPECT_EQ(num_launches(), 1);
}

// The buffer is filled again before its first copy has run.
TEST_F(Streams, ShowAPinnedBufferThatIsReusedTooEarly) {
  const DeviceArray<int> a({0});
  const DeviceArray<int> b({0});
  const auto run = [&](bool waits) {
    *pinned_ = 1;
    cudaMemcpyAsync(a.data(), pinned_, 4, cudaMemcpyHostToDevice, first_);
    cudaEventRecord(event_, first_);
    if (waits) {
      cudaEventSynchronize(event_);
    }
    *pinned_ = 2;
    cudaMemcpyAsync(b.data(), pinned_, 4, cudaMemcpyHostToDevice, first_);
    return a.values().front();
  };
  EXPECT_EQ(run(true), 1);
  EXPECT_EQ(run(false), 2);
}

TEST_F(Streams, TakePageableMemoryBeforeTheCallReturns) {
  const DeviceArray<int> a(1);
  int pageable = 3;
  cudaMemcpyAsync(a.data(), &pageable, 4, cudaMemcpyHostToDevice, first_);
  pageable = 4;
  cudaMemcpyAsync(&pageable, a.data(), 4, cudaMemcpyDeviceToHost, first_);
  EXPECT_EQ(pageable, 3);
}

// A consumer in one stream of what another makes, with and without the event between them.
TEST_F(Streams, ShowAMissingEventWait) {
  for (const Schedule schedule : {Schedule::late, Schedule::early}) {
    set_schedule(schedule);
    for (const bool waits : {true, false}) {
      const DeviceArray<int> made({0});
      const DeviceArray<int> used({0});
      cudaDeviceSynchronize();
      add(made.data(), 7, first_);
      cudaEventRecord(event_, first_);
      if (waits) {
        cudaStreamWaitEvent(second_, event_);
      }
      set(used.data(), made.data(), second_);
      cudaStreamSynchronize(second_);
      EXPECT_EQ(used.values().front(), waits || schedule == Schedule::early ? 7 : 0);
    }
  }
}

// A producer that must not overwrite what a consumer still reads: here the early schedule is the adversary.
TEST_F(Streams, ShowAMissingWaitBeforeABufferIsWrittenAgain) {
  set_schedule(Schedule::early);
  for (const bool waits : {true, false}) {
    const DeviceArray<int> buffer({1});
    const DeviceArray<int> used({0});
    cudaDeviceSynchronize();
    set(used.data(), buffer.data(), first_);
    cudaEventRecord(event_, first_);
    if (waits) {
      cudaStreamWaitEvent(second_, event_);
    }
    add(buffer.data(), 5, second_);
    cudaStreamSynchronize(first_);
    EXPECT_EQ(used.values().front(), waits ? 1 : 6);
  }
}

TEST_F(Streams, WaitForAnEventAsItWasRecordedThen) {
  const DeviceArray<int> a({0});
  const DeviceArray<int> b({0});
  cudaDeviceSynchronize();
  add(a.data(), 1, first_);
  cudaEventRecord(event_, first_);
  cudaStreamWaitEvent(second_, event_);
  set(b.data(), a.data(), second_);
  add(a.data(), 10, first_);
  cudaEventRecord(event_, first_);
  cudaStreamSynchronize(second_);
  EXPECT_EQ(cudaEventQuery(event_), cudaErrorNotReady);
  EXPECT_EQ(b.values().front(), 1);
  EXPECT_EQ(cudaEventQuery(event_), cudaSuccess);
}

TEST_F(Streams, RunAtOnceIfAsked) {
  set_schedule(Schedule::immediate);
  const DeviceArray<int> a({0});
  add(a.data(), 1, first_);
  cudaMemcpyAsync(pinned_, a.data(), 4, cudaMemcpyDeviceToHost, first_);
  EXPECT_EQ(*pinned_, 1);
}

// A blocking copy waits for the default stream, and with it for streams that were not made non-blocking.
TEST_F(Streams, AreOrderedAgainstTheDefaultStreamUnlessNonBlocking) {
  const DeviceArray<int> a({0});
  cudaStream_t blocking = nullptr;
  cudaStreamCreate(&blocking);
  for (const cudaStream_t stream : {blocking, first_}) {
    int value = 0;
    cudaMemset(a.data(), 0, 4);
    cudaDeviceSynchronize();
    add(a.data(), 1, stream);
    cudaMemcpy(&value, a.data(), 4, cudaMemcpyDeviceToHost);
    EXPECT_EQ(value, stream == blocking ? 1 : 0);
  }
  // The other way round: it comes after what the default stream was given before.
  cudaDeviceSynchronize();
  cudaMemset(a.data(), 0, 4);
  add(a.data(), 2, nullptr);
  add(a.data(), 3, blocking);
  cudaStreamSynchronize(blocking);
  EXPECT_EQ(a.values().front(), 5);
  cudaStreamDestroy(blocking);
}

TEST_F(Streams, AllocateAndFreeInTheirOrder) {
  int* data = nullptr;
  ASSERT_EQ(cudaMallocAsync(&data, 4, first_), cudaSuccess);
  cudaMemsetAsync(data, 0, 4, first_);
  add(data, 4, first_);
  cudaMemcpyAsync(pinned_, data, 4, cudaMemcpyDeviceToHost, first_);
  cudaFreeAsync(data, first_);
  EXPECT_EQ(in_use().allocations, 1);
  cudaStreamSynchronize(first_);
  EXPECT_EQ(in_use().allocations, 0);
  EXPECT_EQ(*pinned_, 4);
}

TEST_F(Streams, ReportUseBeforeTheAllocationInAnotherStream) {
  int* data = nullptr;
  cudaMallocAsync(&data, 4, first_);
  cudaMemsetAsync(data, 0, 4, second_);
  EXPECT_VIOLATION(cudaStreamSynchronize(second_), "has not come there");
}

TEST_F(Streams, ReportUseAfterTheFreeInTheSameStream) {
  int* data = nullptr;
  cudaMallocAsync(&data, 4, first_);
  cudaFreeAsync(data, first_);
  cudaMemsetAsync(data, 0, 4, first_);
  EXPECT_VIOLATION(cudaStreamSynchronize(first_), "has been freed");
}

TEST_F(Streams, ReportUseOfWhatWasDestroyed) {
  cudaStream_t stream = nullptr;
  cudaStreamCreate(&stream);
  EXPECT_EQ(in_use().streams, 3);
  cudaStreamDestroy(stream);
  EXPECT_EQ(in_use().streams, 2);
  EXPECT_VIOLATION(cudaStreamSynchronize(stream), "destroyed");
  cudaEvent_t event = nullptr;
  cudaEventCreate(&event);
  EXPECT_EQ(in_use().events, 2);
  cudaEventDestroy(event);
  EXPECT_VIOLATION(cudaEventRecord(event, first_), "destroyed");
}

TEST_F(Streams, AnswerEverMoreReadilyToWhoeverAsks) {
  const DeviceArray<int> a({0});
  add(a.data(), 1, first_);
  add(a.data(), 1, first_);
  cudaEventRecord(event_, first_);
  int asked = 0;
  while (cudaEventQuery(event_) == cudaErrorNotReady) {
    ASSERT_LT(++asked, 10);
  }
  EXPECT_EQ(asked, 3);
}

TEST_F(Streams, TimeEvents) {
  cudaEvent_t start = nullptr;
  cudaEvent_t end = nullptr;
  float milliseconds = -1;
  cudaEventCreate(&start);
  cudaEventCreate(&end);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, end), cudaErrorInvalidResourceHandle);
  cudaEventRecord(start, first_);
  cudaEventRecord(end, first_);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, end), cudaErrorNotReady);
  cudaEventSynchronize(end);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, end), cudaSuccess);
  EXPECT_GE(milliseconds, 0);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, event_), cudaErrorInvalidResourceHandle);
  cudaEventDestroy(start);
  cudaEventDestroy(end);
}

TEST_F(Streams, TakeWorkFromSeveralHostThreads) {
  const DeviceArray<int> values({0, 0});
  const auto work = [&](int* value, cudaStream_t stream) {
    for (int i = 0; i < 50; ++i) {
      add(value, 1, stream);
      cudaStreamSynchronize(stream);
    }
  };
  std::thread other(work, values.data(), first_);
  work(values.data() + 1, second_);
  other.join();
  EXPECT_THAT(values.values(), ElementsAre(50, 50));
}

TEST_F(Streams, CallTheHostInTheirOrder) {
  static int seen = 0;
  const DeviceArray<int> a({0});
  add(a.data(), 9, first_);
  cudaMemcpyAsync(pinned_, a.data(), 4, cudaMemcpyDeviceToHost, first_);
  cudaLaunchHostFunc(first_, [](void* value) { seen = *static_cast<int*>(value); }, pinned_);
  cudaStreamSynchronize(first_);
  EXPECT_EQ(seen, 9);
}

}  // namespace
}  // namespace kith::emulation
