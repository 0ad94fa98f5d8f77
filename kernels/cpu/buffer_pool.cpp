#include "kernels/cpu/buffer_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <new>
#include <utility>

#include "graph/errors.h"

namespace kith::cpu {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kSlack =
    4;  // with none, steps of GAT freed blocks of one size for those of another for ever

/// Rounds up to a quarter of a power of two: batches differ a little in size and should still share blocks.
std::size_t size_class(std::size_t bytes) {
  const std::size_t step = std::max(kAlignment, std::bit_floor(bytes) / 4);
  return (bytes + step - 1) / step * step;
}

std::byte* allocate(std::size_t bytes) {
  const std::size_t alignment = bytes >= kHugePage ? kHugePage : kAlignment;
  void* data = nullptr;
  const int status = posix_memalign(&data, alignment, bytes);
  KITH_CHECK(status == 0, EnvironmentError, "tensor memory: no room for ", bytes, " bytes");
#ifdef MADV_HUGEPAGE
  if (bytes >= kHugePage) {
    // Only a wish: without huge pages everything still works, so the answer does not matter.
    static_cast<void>(madvise(data, bytes, MADV_HUGEPAGE));
  }
#endif
  return static_cast<std::byte*>(data);
}

}  // namespace

BufferPool* BufferPool::create(Options options) { return new BufferPool(options); }

BufferPool::~BufferPool() {
  for (const auto& [bytes, data] : kept_) {
    std::free(data);
  }
}

void BufferPool::close() {
  std::unique_lock lock(mutex_);
  is_closed_ = true;
  const bool is_last = num_live_ == 0;
  lock.unlock();
  if (is_last) {
    delete this;
  }
}

std::byte* BufferPool::take_kept(std::size_t bytes, std::size_t& block_bytes) {
  const auto found = kept_.lower_bound(bytes);
  // A block far too large would be missing where it fits.
  if (found == kept_.end() || found->first > 2 * bytes) {
    return nullptr;
  }
  block_bytes = found->first;
  std::byte* const data = found->second;
  kept_bytes_ -= block_bytes;
  kept_.erase(found);
  return data;
}

void BufferPool::shrink() {
  while (!kept_.empty() && live_bytes_ + kept_bytes_ > peak_bytes_ + peak_bytes_ / kSlack) {
    const auto largest = std::prev(kept_.end());
    kept_bytes_ -= largest->first;
    std::free(largest->second);
    kept_.erase(largest);
  }
}

Tensor::Buffer BufferPool::acquire(std::size_t bytes) {
  bytes = std::max<std::size_t>(bytes, 1);
  std::size_t block_bytes = options_.is_reusing ? size_class(bytes) : bytes;
  std::unique_lock lock(mutex_);
  std::byte* data = take_kept(block_bytes, block_bytes);
  live_bytes_ += block_bytes;
  peak_bytes_ = std::max(peak_bytes_, live_bytes_);
  ++num_live_;
  if (data == nullptr) {
    ++num_allocations_;
    shrink();
    lock.unlock();
    try {
      data = allocate(block_bytes);
    } catch (...) {
      lock.lock();
      live_bytes_ -= block_bytes;
      --num_live_;
      throw;
    }
  }
  return {data, BufferDeleter{.give_back = &give_back, .pool = this, .bytes = block_bytes}};
}

Tensor BufferPool::acquire(std::int64_t rows, std::int64_t cols, Scalar scalar) {
  const std::size_t bytes = static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols) * size_of(scalar);
  return {acquire(bytes), rows, cols, scalar};
}

bool BufferPool::keep(std::byte* data, std::size_t bytes) noexcept {
  try {
    kept_.emplace(bytes, data);
  } catch (const std::bad_alloc&) {  // of the map; called by destructors, which must not throw
    return false;
  }
  kept_bytes_ += bytes;
  return true;
}

void BufferPool::give_back(void* pool, std::byte* data, std::size_t bytes) {
  auto* const self = static_cast<BufferPool*>(pool);
  std::unique_lock lock(self->mutex_);
  self->live_bytes_ -= bytes;
  --self->num_live_;
  if (!self->options_.is_reusing || !self->keep(data, bytes)) std::free(data);
  const bool is_last = self->is_closed_ && self->num_live_ == 0;
  lock.unlock();
  if (is_last) {
    delete self;
  }
}

std::size_t BufferPool::live_bytes() const {
  const std::scoped_lock lock(mutex_);
  return live_bytes_;
}

std::size_t BufferPool::kept_bytes() const {
  const std::scoped_lock lock(mutex_);
  return kept_bytes_;
}

std::size_t BufferPool::num_allocations() const {
  const std::scoped_lock lock(mutex_);
  return num_allocations_;
}

}  // namespace kith::cpu
