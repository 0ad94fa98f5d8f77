#include "tests/support/cuda/emulated/runtime.h"

#include <algorithm>
#include <iostream>

#include "tests/support/cuda/emulated/block.h"
#include "tests/support/cuda/emulated/sanitizers.h"

namespace kith::emulation {

namespace {

// Never destroyed: destructors of static objects may still free device memory.
std::unique_ptr<Runtime>& instance() {
  static auto& pointer = *new std::unique_ptr<Runtime>(std::make_unique<Runtime>());
  return pointer;
}

}  // namespace

Runtime::Runtime() {
  const std::string name = "Emulated device";
  std::copy(name.begin(), name.end(), properties.name);
  properties.totalGlobalMem = memory.limit;
  properties.sharedMemPerBlock = 48 << 10;
  properties.sharedMemPerBlockOptin = 227 << 10;
  properties.sharedMemPerMultiprocessor = 228 << 10;
  properties.reservedSharedMemPerBlock = 1 << 10;
  properties.regsPerBlock = 65536;
  properties.regsPerMultiprocessor = 65536;
  properties.warpSize = kWarpSize;
  properties.maxThreadsPerBlock = 1024;
  properties.maxThreadsPerMultiProcessor = 2048;
  properties.maxBlocksPerMultiProcessor = 32;
  std::copy_n(std::begin({1024, 1024, 64}), 3, properties.maxThreadsDim);
  std::copy_n(std::begin({2147483647, 65535, 65535}), 3, properties.maxGridSize);
  properties.major = 9;
  properties.multiProcessorCount = 4;
  properties.l2CacheSize = 4 << 20;
  properties.persistingL2CacheMaxSize = 2 << 20;
  properties.accessPolicyMaxWindowSize = 128 << 20;
  properties.memoryBusWidth = 5120;
  properties.asyncEngineCount = 2;
  properties.unifiedAddressing = 1;
  properties.canMapHostMemory = 1;
  properties.concurrentKernels = 1;
  properties.memoryPoolsSupported = 1;
}

Runtime& runtime() { return *instance(); }

std::recursive_mutex& runtime_mutex() {
  static auto& mutex = *new std::recursive_mutex;
  return mutex;
}

cudaError_t begin_call() {
  Runtime& self = runtime();
  ++self.num_calls;
  if (!self.has_device) {
    return cudaErrorNoDevice;
  }
  return self.num_calls == self.failing_call ? self.failure : cudaSuccess;
}

cudaError_t keep_error(cudaError_t error) {
  if (error != cudaSuccess && error != cudaErrorNotReady) {
    runtime().last_error = error;
  }
  return error;
}

std::shared_ptr<Stream> stream_of(cudaStream_t stream) {
  if (stream == nullptr) {
    return runtime().streams.default_stream();
  }
  const auto found = runtime().stream_handles.find(stream);
  if (found == runtime().stream_handles.end()) {
    violate("a stream is used that was never made or has been destroyed");
  }
  return found->second;
}

std::shared_ptr<Event> event_of(cudaEvent_t event) {
  const auto found = runtime().event_handles.find(event);
  if (found == runtime().event_handles.end()) {
    violate("an event is used that was never made or has been destroyed");
  }
  return found->second;
}

void issue_work(cudaStream_t stream, Activity activity, std::function<void(const Order&)> body) {
  ++runtime().num_launches;
  runtime().streams.issue(stream_of(stream), [activity = std::move(activity), body = std::move(body)] {
    run_checked(runtime().memory, activity, runtime().num_orders, body);
  });
}

void issue_library_work(cudaStream_t stream, const std::string& name, const std::function<void()>& body) {
  Activity activity;
  activity.library_call = name;
  issue_work(stream, std::move(activity), [body](const Order&) { body(); });
}

std::string describe(const Activity& activity) {
  if (!activity.library_call.empty()) {
    return activity.library_call;
  }
  std::string kernel = "the kernel";
#if defined(__SANITIZE_ADDRESS__)
  char name[256] = "";
  // It takes an address for one to return to, and looks one byte before it.
  auto* address = const_cast<char*>(static_cast<const char*>(activity.function)) + 1;
  __sanitizer_symbolize_pc(address, "%f", name, sizeof(name));
  kernel = name;
#endif
  return concat(kernel, " launched by ", activity.site.function_name(), " (", where_text(activity.site),
                "), block (", blockIdx.x, ", ", blockIdx.y, ", ", blockIdx.z, ")");
}

void reset() {
  const std::scoped_lock lock(runtime_mutex());
  instance() = std::make_unique<Runtime>();
}

void set_schedule(Schedule schedule) { runtime().streams.schedule = schedule; }

void set_num_orders(int num_orders) {
  KITH_CHECK(num_orders >= 1 && num_orders <= 16, InvalidArgument, "set_num_orders: expected 1 to 16, got ",
             num_orders);
  runtime().num_orders = num_orders;
}

void set_memory_limit(std::size_t bytes) {
  runtime().memory.limit = bytes;
  runtime().properties.totalGlobalMem = bytes;
}

void set_device_present(bool present) { runtime().has_device = present; }

void fail_call(std::int64_t nth, cudaError error) {
  runtime().failing_call = nth == 0 ? 0 : runtime().num_calls + nth;
  runtime().failure = error;
}

std::int64_t num_calls() { return runtime().num_calls; }

cudaDeviceProp& properties() { return runtime().properties; }

InUse in_use() {
  const Runtime& self = runtime();
  return {.allocations = self.memory.num_device,
          .device_bytes = self.memory.device_bytes,
          .pinned_allocations = self.memory.num_pinned,
          .streams = self.stream_handles.size(),
          .events = self.event_handles.size(),
          .library_handles = self.library_handles.size()};
}

std::int64_t num_launches() { return runtime().num_launches; }

}  // namespace kith::emulation

#if defined(__SANITIZE_ADDRESS__)
// AddressSanitizer calls this before its report, which knows the address but not what CUDA would call it.
extern "C" void __asan_on_error() {
  using namespace kith::emulation;
  const auto* address = static_cast<const std::byte*>(__asan_get_report_address());
  const Allocation* allocation = runtime().memory.find(address);
  std::cerr << "emulation: ";
  if (allocation != nullptr) {
    const char* life = allocation->life == Life::freed      ? ", which has been freed"
                       : allocation->life == Life::promised ? ", which its stream has not yet come to allocate"
                                                            : "";
    std::cerr << "offset " << address - allocation->data() << " of " << allocation->name() << life
              << ", accessed ";
  }
  if (current_activity == nullptr) {
    std::cerr << "by the host outside of any copy\n";
  } else {
    std::cerr << "in " << describe(*current_activity) << ", thread (" << threadIdx.x << ", " << threadIdx.y
              << ", " << threadIdx.z << ")\n";
  }
}
#endif
