// Memory for tensors, kept for the next batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

#include "kernels/tensor.h"

namespace kith::cpu {

/// Hands out 64-byte-aligned buffers and keeps what comes back, because touching fresh pages costs more than
/// filling them. Bounded: live and kept bytes together never exceed the most that were ever live at once by
/// more than a quarter. Blocks of 2 MiB and more are aligned for huge pages. Thread-safe. Lives until close()
/// was called and every buffer is back; there is no other way to destroy it.
class BufferPool {
 public:
  struct Options {
    bool is_reusing =
        true;  ///< false: every buffer is fresh and of the exact size, so that sanitizers see its ends
  };

  /// The caller must call close() once.
  static BufferPool* create(Options options);
  void close();

  /// At least `bytes` bytes, uninitialised. Throws EnvironmentError if there is no memory.
  Tensor::Buffer acquire(std::size_t bytes);
  Tensor acquire(std::int64_t rows, std::int64_t cols, Scalar scalar);

  std::size_t live_bytes() const;
  std::size_t kept_bytes() const;
  std::size_t num_allocations() const;  ///< blocks that were not kept from before

  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

 private:
  explicit BufferPool(Options options) : options_(options) {}
  ~BufferPool();

  static void give_back(void* pool, std::byte* data, std::size_t bytes);
  bool keep(std::byte* data, std::size_t bytes) noexcept;  ///< false: there is no memory to keep it
  std::byte* take_kept(std::size_t bytes, std::size_t& block_bytes);
  void shrink();

  const Options options_;
  mutable std::mutex mutex_;
  std::multimap<std::size_t, std::byte*> kept_;  ///< by size
  std::size_t live_bytes_ = 0;
  std::size_t kept_bytes_ = 0;
  std::size_t peak_bytes_ = 0;  ///< most live bytes ever
  std::size_t num_live_ = 0;
  std::size_t num_allocations_ = 0;
  bool is_closed_ = false;
};

}  // namespace kith::cpu
