// The state behind the runtime API, and how a call into it begins.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "tests/support/cuda/emulated/checked_run.h"
#include "tests/support/cuda/emulated/memory.h"
#include "tests/support/cuda/emulated/streams.h"

namespace kith::emulation {

/// Everything that reset() begins anew.
struct Runtime {
  Runtime();

  cudaDeviceProp properties{};
  Memory memory;
  Streams streams;
  std::map<const void*, std::shared_ptr<Stream>> stream_handles;
  std::map<const void*, std::shared_ptr<Event>> event_handles;
  std::map<const void*, int> max_shared_bytes;  ///< of kernels that asked for more than the default
  std::set<const void*> library_handles;
  std::size_t high_water = 0;  ///< the most device memory in use at a time
  std::uint64_t release_threshold = 0;
  bool has_device = true;
  int num_orders = 2;
  std::int64_t num_calls = 0;
  std::int64_t failing_call = 0;  ///< the number of the call that fails; 0 = none
  cudaError_t failure = cudaSuccess;
  cudaError_t last_error = cudaSuccess;
  std::int64_t num_launches = 0;
};

Runtime& runtime();
/// One call at a time: also those of several host threads.
std::recursive_mutex& runtime_mutex();

/// Counts a call that can fail; the error that it is to return at once, if any.
cudaError_t begin_call();

/// The error stays readable by cudaGetLastError.
cudaError_t keep_error(cudaError_t error);

/// A call that can fail.
template <typename Body>
cudaError_t api_call(Body body) {
  const std::scoped_lock lock(runtime_mutex());
  const cudaError_t error = begin_call();
  return keep_error(error != cudaSuccess ? error : body(runtime()));
}

/// A call that gives something back: it does so even when calls are to fail.
template <typename Body>
cudaError_t release_call(Body body) {
  const std::scoped_lock lock(runtime_mutex());
  return keep_error(body(runtime()));
}

/// Throws Violation for a handle that was never made or has been destroyed.
std::shared_ptr<Stream> stream_of(cudaStream_t stream);
std::shared_ptr<Event> event_of(cudaEvent_t event);

/// Puts device work into a stream; it runs checked (checked_run.h).
void issue_work(cudaStream_t stream, Activity activity, std::function<void(const Order&)> body);

/// The same for a call into a library, which goes about its work in one order.
void issue_library_work(cudaStream_t stream, const std::string& name, const std::function<void()>& body);

/// What launch() does once the arguments are packed into `body`, which is called once a thread.
struct KernelShape {
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;
  cudaStream_t stream = nullptr;
};
cudaError_t launch_kernel(const Activity& activity, const KernelShape& shape, std::function<void()> body);

/// Dynamic shared memory of the block that runs.
void* shared_memory_of_block();

}  // namespace kith::emulation
