// Memory of one device, and pinned host memory to copy from.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "kernels/lent_stream.h"
#include "kernels/tensor.h"

namespace kith::cuda {

/// Hands out device memory in the order of one stream: what is given back may be used again by whatever is
/// launched on the stream afterwards, without waiting. The driver keeps freed memory for the next request (its
/// pool is told to). Thread-safe. Lives until close() was called and every buffer is back; there is no other
/// way to destroy it.
class StreamMemory {
 public:
  /// The caller must call close() once. The stream is this object's own unless one is lent.
  static StreamMemory* create(const std::optional<LentStream>& lent = std::nullopt);
  void close();

  cudaStream_t stream() const { return stream_; }

  /// At least `bytes` bytes, uninitialised, 256-byte aligned. Throws EnvironmentError if there is no room: it
  /// says how much was asked for, is free and is in use, and the process can go on.
  Tensor::Buffer acquire(std::size_t bytes) { return acquire_on(stream_, bytes); }
  Tensor acquire(std::int64_t rows, std::int64_t cols, Scalar scalar);
  /// For memory that another stream fills first: stream() must wait for that one before the buffer is given
  /// back.
  Tensor::Buffer acquire_on(cudaStream_t stream, std::size_t bytes);
  template <typename T>
  Tensor::Buffer acquire_array(std::int64_t count) {
    return acquire(static_cast<std::size_t>(count) * sizeof(T));
  }

  StreamMemory(const StreamMemory&) = delete;
  StreamMemory& operator=(const StreamMemory&) = delete;

 private:
  explicit StreamMemory(const std::optional<LentStream>& lent);
  ~StreamMemory();
  static void give_back(void* memory, std::byte* data, std::size_t bytes);

  cudaStream_t stream_ = nullptr;  ///< null is the default stream
  std::optional<int> lent_device_;
  std::mutex mutex_;
  std::size_t live_bytes_ = 0;
  std::size_t num_live_ = 0;
  bool is_closed_ = false;
};

/// Closes the memory where it is destroyed.
struct CloseMemory {
  void operator()(StreamMemory* memory) const { memory->close(); }
};
using OwnedStreamMemory = std::unique_ptr<StreamMemory, CloseMemory>;

/// A buffer as an array.
template <typename T>
T* array_of(const Tensor::Buffer& buffer) {
  return reinterpret_cast<T*>(buffer.get());
}

/// Pinned host memory for copies that run beside compute. A block is used again once its copy is done.
/// Thread-safe.
class PinnedBlocks {
 public:
  static constexpr std::size_t kMaxBytes = std::size_t{32} << 20;  ///< of one block
  static constexpr std::size_t kAlignment = 256;
  /// Room that an array takes.
  static constexpr std::size_t padded(std::size_t bytes) {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }

  PinnedBlocks() = default;
  ~PinnedBlocks();
  PinnedBlocks(const PinnedBlocks&) = delete;
  PinnedBlocks& operator=(const PinnedBlocks&) = delete;

  /// Copies host arrays to `to`, each at the next multiple of kAlignment, through pinned blocks on `stream`;
  /// the arrays may change once this returns.
  void copy_to_device(std::span<const std::span<const std::byte>> arrays, std::byte* to, cudaStream_t stream);

 private:
  struct Block {
    std::byte* data = nullptr;
    std::size_t bytes = 0;
    cudaEvent_t copied = nullptr;
  };
  Block take(std::size_t bytes);
  void give(const Block& block);

  std::mutex mutex_;
  std::vector<Block> free_;  ///< oldest first; the copy of one may still be on its way
};

/// An event recorded on one stream; event_of() gives the cudaEvent_t. Where it is destroyed, `freeing` waits
/// for it: so what is given back on that stream afterwards is no longer in use.
Tensor::Buffer make_event(cudaStream_t recorded_on, cudaStream_t freeing);
inline cudaEvent_t event_of(const Tensor::Buffer& event) { return reinterpret_cast<cudaEvent_t>(event.get()); }

/// Pinned host memory that the device can read in place. Throws EnvironmentError if there is none.
Tensor::Buffer make_pinned(std::size_t bytes);

}  // namespace kith::cuda
