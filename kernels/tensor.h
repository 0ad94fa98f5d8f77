// A matrix on a device. Move-only; copies are explicit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace kith {

/// Arithmetic type of a tensor: f32 in use, f64 to check gradients.
enum class Scalar : std::uint8_t { f32, f64 };

/// Bytes of one value.
constexpr std::size_t size_of(Scalar scalar) { return scalar == Scalar::f32 ? 4 : 8; }

/// Gives a buffer back to the pool it came from. The pool lives until its last buffer is back, so a tensor may
/// outlive the backend that made it.
struct BufferDeleter {
  void (*give_back)(void* pool, std::byte* data, std::size_t bytes) = nullptr;
  void* pool = nullptr;
  std::size_t bytes = 0;  ///< what the pool handed out, at least what was asked for

  void operator()(std::byte* data) const { give_back(pool, data, bytes); }
};

/// Row-major [rows x cols] values in one device's memory. On the CPU data<T>() can be dereferenced.
class Tensor {
 public:
  using Buffer = std::unique_ptr<std::byte, BufferDeleter>;

  Tensor() = default;
  /// Takes over a buffer of at least rows * cols values.
  Tensor(Buffer buffer, std::int64_t rows, std::int64_t cols, Scalar scalar)
      : buffer_(std::move(buffer)), rows_(rows), cols_(cols), scalar_(scalar) {}

  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return cols_; }
  std::int64_t size() const { return rows_ * cols_; }
  Scalar scalar() const { return scalar_; }
  bool empty() const { return size() == 0; }

  /// Of memory that someone else owns and keeps for longer.
  static Tensor view(std::byte* data, std::int64_t rows, std::int64_t cols, Scalar scalar) {
    const BufferDeleter keep{.give_back = [](void*, std::byte*, std::size_t) {}};
    return {Buffer(data, keep), rows, cols, scalar};
  }

  /// Rows [first, first + count), not owned: valid as long as this tensor lives and is not moved from.
  Tensor view_rows(std::int64_t first, std::int64_t count) {
    std::byte* const data = buffer_.get() + static_cast<std::size_t>(first * cols_) * size_of(scalar_);
    return view(data, count, cols_, scalar_);
  }
  const Tensor view_rows(std::int64_t first, std::int64_t count) const {
    return const_cast<Tensor*>(this)->view_rows(first, count);
  }

  template <typename T>
  T* data() {
    return reinterpret_cast<T*>(buffer_.get());
  }
  template <typename T>
  const T* data() const {
    return reinterpret_cast<const T*>(buffer_.get());
  }
  template <typename T>
  std::span<T> values() {
    return {data<T>(), static_cast<std::size_t>(size())};
  }
  template <typename T>
  std::span<const T> values() const {
    return {data<T>(), static_cast<std::size_t>(size())};
  }

 private:
  Buffer buffer_;
  std::int64_t rows_ = 0;
  std::int64_t cols_ = 0;
  Scalar scalar_ = Scalar::f32;
};

}  // namespace kith
