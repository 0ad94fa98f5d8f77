// A kernel launch: the limits that CUDA checks, then all blocks one after another.
#include <utility>

#include "tests/support/cuda/emulated/block.h"
#include "tests/support/cuda/emulated/runtime.h"

namespace kith::emulation {

namespace {

std::byte* shared_data = nullptr;

cudaError_t check_shape(const void* kernel, const KernelShape& shape) {
  const cudaDeviceProp& device = runtime().properties;
  const unsigned block[3] = {shape.block.x, shape.block.y, shape.block.z};
  const unsigned grid[3] = {shape.grid.x, shape.grid.y, shape.grid.z};
  std::uint64_t num_threads = 1;
  for (int i = 0; i < 3; ++i) {
    num_threads *= block[i];
    if (block[i] == 0 || block[i] > static_cast<unsigned>(device.maxThreadsDim[i]) || grid[i] == 0 ||
        grid[i] > static_cast<unsigned>(device.maxGridSize[i])) {
      return cudaErrorInvalidConfiguration;
    }
  }
  if (num_threads > static_cast<unsigned>(device.maxThreadsPerBlock)) {
    return cudaErrorInvalidConfiguration;
  }
  const auto asked = runtime().max_shared_bytes.find(kernel);
  const std::size_t max_shared = asked != runtime().max_shared_bytes.end()
                                     ? static_cast<std::size_t>(asked->second)
                                     : device.sharedMemPerBlock;
  return shape.shared_bytes > max_shared ? cudaErrorInvalidValue : cudaSuccess;
}

void run_grid(const KernelShape& shape, const Order& order, const std::function<void()>& body) {
  GuardedBytes shared(shape.shared_bytes);
  shared.paint_guards(order.pattern);
  shared_data = shared.data();
  gridDim = shape.grid;
  const std::vector<unsigned> threads = order.sequence(shape.block.x * shape.block.y * shape.block.z);
  for (const unsigned block : order.sequence(shape.grid.x * shape.grid.y * shape.grid.z)) {
    blockIdx = {block % shape.grid.x, block / shape.grid.x % shape.grid.y, block / shape.grid.x / shape.grid.y};
    paint(shared.data(), shared.size(), order.pattern);
    run_block(shape.block, threads, body);
    shared.check_guards("shared memory");
  }
}

}  // namespace

cudaError_t launch_kernel(const Activity& activity, const KernelShape& shape, std::function<void()> body) {
  return api_call([&](Runtime&) {
    const cudaError_t error = check_shape(activity.function, shape);
    if (error == cudaSuccess) {
      issue_work(shape.stream, activity,
                 [shape, body = std::move(body)](const Order& order) { run_grid(shape, order, body); });
    }
    return error;
  });
}

void* shared_memory_of_block() { return shared_data; }

}  // namespace kith::emulation
