#include "kernels/cuda/memory.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

#include "graph/errors.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/device_scope.h"

namespace kith::cuda {
namespace {

double mib(std::size_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

/// For calls in destructors, which must not throw: an error there shows at the next call that is checked.
void ignore(cudaError_t) {}

/// Memory that was freed stays with the process; without this every synchronisation would return it to the
/// system.
void keep_freed_memory() {
  int device = 0;
  CUDA_CHECK(cudaGetDevice(&device));
  cudaMemPool_t pool{};
  CUDA_CHECK(cudaDeviceGetDefaultMemPool(&pool, device));
  std::uint64_t keep = std::numeric_limits<std::uint64_t>::max();
  CUDA_CHECK(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep));
}

}  // namespace

StreamMemory* StreamMemory::create(const std::optional<LentStream>& lent) { return new StreamMemory(lent); }

StreamMemory::StreamMemory(const std::optional<LentStream>& lent) {
  keep_freed_memory();
  if (lent) {
    stream_ = reinterpret_cast<cudaStream_t>(lent->handle);
    lent_device_ = lent->device;
  } else {
    CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  }
}

StreamMemory::~StreamMemory() {
  if (!lent_device_) ignore(cudaStreamDestroy(stream_));
}

void StreamMemory::close() {
  std::unique_lock lock(mutex_);
  is_closed_ = true;
  const bool is_last = num_live_ == 0;
  lock.unlock();
  if (is_last) delete this;
}

Tensor::Buffer StreamMemory::acquire_on(cudaStream_t stream, std::size_t bytes) {
  bytes = std::max<std::size_t>(bytes, 1);
  void* data = nullptr;
  const cudaError_t status = cudaMallocAsync(&data, bytes, stream);
  const std::lock_guard lock(mutex_);
  if (status == cudaErrorMemoryAllocation) {
    ignore(cudaGetLastError());  // the error is told below, and the next call starts clean
    std::size_t free_bytes = 0;
    std::size_t total_bytes = 0;
    CUDA_CHECK(cudaMemGetInfo(&free_bytes, &total_bytes));
    throw EnvironmentError(
        concat("--device cuda: out of memory: ", mib(bytes), " MiB asked for, ", mib(free_bytes), " of ",
               mib(total_bytes), " MiB free, ", mib(live_bytes_),
               " MiB in use by Kith; a smaller --batch-size, --fanout or --hidden needs less"));
  }
  CUDA_CHECK(status);
  live_bytes_ += bytes;
  ++num_live_;
  return {static_cast<std::byte*>(data), BufferDeleter{.give_back = &give_back, .pool = this, .bytes = bytes}};
}

Tensor StreamMemory::acquire(std::int64_t rows, std::int64_t cols, Scalar scalar) {
  const std::size_t bytes = static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols) * size_of(scalar);
  return {acquire(bytes), rows, cols, scalar};
}

void StreamMemory::give_back(void* memory, std::byte* data, std::size_t bytes) {
  auto* const self = static_cast<StreamMemory*>(memory);
  {
    const DeviceScope scope(self->lent_device_);  // the last owner may be any thread of the lender's
    ignore(cudaFreeAsync(data, self->stream_));
  }
  std::unique_lock lock(self->mutex_);
  self->live_bytes_ -= bytes;
  --self->num_live_;
  const bool is_last = self->is_closed_ && self->num_live_ == 0;
  lock.unlock();
  if (is_last) delete self;
}

PinnedBlocks::~PinnedBlocks() {
  for (const Block& block : free_) {
    ignore(cudaEventSynchronize(block.copied));
    ignore(cudaEventDestroy(block.copied));
    ignore(cudaFreeHost(block.data));
  }
}

PinnedBlocks::Block PinnedBlocks::take(std::size_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find_if(free_, [&](const Block& block) {
      return block.bytes >= bytes && cudaEventQuery(block.copied) == cudaSuccess;
    });
    if (found != free_.end()) {
      const Block block = *found;
      free_.erase(found);
      return block;
    }
  }
  Block block;
  block.bytes = std::min(bytes + bytes / 4, kMaxBytes);  // batches differ a little in size
  CUDA_CHECK(cudaEventCreateWithFlags(&block.copied, cudaEventDisableTiming));
  try {
    void* data = nullptr;
    CUDA_CHECK(cudaMallocHost(&data, block.bytes));
    block.data = static_cast<std::byte*>(data);
  } catch (...) {
    ignore(cudaEventDestroy(block.copied));
    throw;
  }
  return block;
}

void PinnedBlocks::give(const Block& block) {
  const std::lock_guard lock(mutex_);
  free_.push_back(block);
}

void PinnedBlocks::copy_to_device(std::span<const std::span<const std::byte>> arrays, std::byte* to,
                                  cudaStream_t stream) {
  std::size_t total = 0;
  for (const auto& array : arrays) total += padded(array.size());
  std::size_t current = 0;   // array that is being packed
  std::size_t position = 0;  // in it, its padding included
  for (std::size_t done = 0; done < total;) {
    const std::size_t bytes = std::min(total - done, kMaxBytes);
    const Block block = take(bytes);
    for (std::size_t filled = 0; filled < bytes;) {
      const std::span<const std::byte> array = arrays[current];
      const std::size_t count = std::min(bytes - filled, padded(array.size()) - position);
      if (position < array.size()) {
        std::memcpy(block.data + filled, array.data() + position, std::min(count, array.size() - position));
      }
      filled += count;
      position += count;
      if (position == padded(array.size())) {
        ++current;
        position = 0;
      }
    }
    try {
      CUDA_CHECK(cudaMemcpyAsync(to + done, block.data, bytes, cudaMemcpyHostToDevice, stream));
      CUDA_CHECK(cudaEventRecord(block.copied, stream));
    } catch (...) {
      give(block);
      throw;
    }
    give(block);
    done += bytes;
  }
}

Tensor::Buffer make_event(cudaStream_t recorded_on, cudaStream_t freeing) {
  cudaEvent_t event = nullptr;
  CUDA_CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  const auto destroy = [](void* stream, std::byte* data, std::size_t) {
    const auto done = reinterpret_cast<cudaEvent_t>(data);
    ignore(cudaStreamWaitEvent(static_cast<cudaStream_t>(stream), done, 0));
    ignore(cudaEventDestroy(done));
  };
  Tensor::Buffer owner(reinterpret_cast<std::byte*>(event),
                       BufferDeleter{.give_back = destroy, .pool = freeing});
  CUDA_CHECK(cudaEventRecord(event, recorded_on));
  return owner;
}

Tensor::Buffer make_pinned(std::size_t bytes) {
  void* data = nullptr;
  const cudaError_t status = cudaMallocHost(&data, std::max<std::size_t>(bytes, 1));
  if (status == cudaErrorMemoryAllocation) {
    ignore(cudaGetLastError());
    throw EnvironmentError(concat("--device cuda: no room for ", mib(bytes), " MiB of pinned host memory"));
  }
  CUDA_CHECK(status);
  const auto free = [](void*, std::byte* memory, std::size_t) { ignore(cudaFreeHost(memory)); };
  return {static_cast<std::byte*>(data), BufferDeleter{.give_back = free}};
}

}  // namespace kith::cuda
