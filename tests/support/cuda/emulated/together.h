// What threads do together: barriers of the block, shuffles and votes of a warp. The lanes of a warp do not run
// in lock step: without __syncwarp one may be far ahead of another.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <type_traits>

#include "tests/support/cuda/emulated/block.h"

namespace kith::emulation {

/// Throws Violation unless it is a power of two up to the warp size.
unsigned check_width(int width, const std::source_location& where);

template <typename T>
T shuffle(unsigned mask, T value, unsigned source, const std::source_location& where) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = warp_together({.op = WarpOp::shuffle, .mask = mask, .value = bits, .source = source}, where);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

template <typename T>
T reduce(WarpOp op, unsigned mask, T value, const std::source_location& where) {
  return static_cast<T>(static_cast<std::uint32_t>(
      warp_together({.op = op, .mask = mask, .value = static_cast<std::uint32_t>(value)}, where)));
}

using Where = std::source_location;

}  // namespace kith::emulation

// NOLINTBEGIN: names are CUDA's
inline void __syncthreads(kith::emulation::Where where = kith::emulation::Where::current()) {
  kith::emulation::block_barrier(false, where);
}
inline int __syncthreads_count(int predicate,
                               kith::emulation::Where where = kith::emulation::Where::current()) {
  return kith::emulation::block_barrier(predicate != 0, where).num_true;
}
inline int __syncthreads_or(int predicate, kith::emulation::Where where = kith::emulation::Where::current()) {
  return kith::emulation::block_barrier(predicate != 0, where).num_true > 0 ? 1 : 0;
}
inline int __syncthreads_and(int predicate, kith::emulation::Where where = kith::emulation::Where::current()) {
  const kith::emulation::BarrierResult result = kith::emulation::block_barrier(predicate != 0, where);
  return result.num_true == result.num_threads ? 1 : 0;
}
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}

inline void __syncwarp(unsigned mask = 0xffffffffU,
                       kith::emulation::Where where = kith::emulation::Where::current()) {
  kith::emulation::warp_together({.op = kith::emulation::WarpOp::sync, .mask = mask}, where);
}
// Only itself: a warp may have diverged anywhere, and code that counts on more is wrong.
inline unsigned __activemask() { return 1U << kith::emulation::lane_id(); }

template <typename T>
T __shfl_sync(unsigned mask, T value, int source, int width = warpSize,
              kith::emulation::Where where = kith::emulation::Where::current()) {
  const unsigned w = kith::emulation::check_width(width, where);
  const unsigned base = kith::emulation::lane_id() & ~(w - 1);
  return kith::emulation::shuffle(mask, value, base + (static_cast<unsigned>(source) & (w - 1)), where);
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize,
                 kith::emulation::Where where = kith::emulation::Where::current()) {
  const unsigned w = kith::emulation::check_width(width, where);
  const unsigned lane = kith::emulation::lane_id();
  return kith::emulation::shuffle(mask, value, delta <= (lane & (w - 1)) ? lane - delta : lane, where);
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize,
                   kith::emulation::Where where = kith::emulation::Where::current()) {
  const unsigned w = kith::emulation::check_width(width, where);
  const unsigned lane = kith::emulation::lane_id();
  return kith::emulation::shuffle(mask, value, delta < w - (lane & (w - 1)) ? lane + delta : lane, where);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = warpSize,
                  kith::emulation::Where where = kith::emulation::Where::current()) {
  const unsigned w = kith::emulation::check_width(width, where);
  const unsigned lane = kith::emulation::lane_id();
  const unsigned source = lane ^ static_cast<unsigned>(bits);
  return kith::emulation::shuffle(mask, value, source < (lane & ~(w - 1)) + w ? source : lane, where);
}

inline unsigned __ballot_sync(unsigned mask, int predicate,
                              kith::emulation::Where where = kith::emulation::Where::current()) {
  return static_cast<unsigned>(kith::emulation::warp_together(
      {.op = kith::emulation::WarpOp::ballot, .mask = mask, .value = predicate != 0 ? 1U : 0U}, where));
}
inline int __any_sync(unsigned mask, int predicate,
                      kith::emulation::Where where = kith::emulation::Where::current()) {
  return __ballot_sync(mask, predicate, where) != 0 ? 1 : 0;
}
inline int __all_sync(unsigned mask, int predicate,
                      kith::emulation::Where where = kith::emulation::Where::current()) {
  return __ballot_sync(mask, predicate == 0 ? 1 : 0, where) == 0 ? 1 : 0;
}
template <typename T>
unsigned __match_any_sync(unsigned mask, T value,
                          kith::emulation::Where where = kith::emulation::Where::current()) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return static_cast<unsigned>(kith::emulation::warp_together(
      {.op = kith::emulation::WarpOp::match, .mask = mask, .value = bits}, where));
}

template <typename T>
  requires(std::same_as<T, int> || std::same_as<T, unsigned>)
T __reduce_add_sync(unsigned mask, T value, kith::emulation::Where where = kith::emulation::Where::current()) {
  return kith::emulation::reduce(kith::emulation::WarpOp::reduce_add, mask, value, where);
}
template <typename T>
  requires(std::same_as<T, int> || std::same_as<T, unsigned>)
T __reduce_min_sync(unsigned mask, T value, kith::emulation::Where where = kith::emulation::Where::current()) {
  using enum kith::emulation::WarpOp;
  return kith::emulation::reduce(std::is_signed_v<T> ? reduce_min_signed : reduce_min_unsigned, mask, value,
                                 where);
}
template <typename T>
  requires(std::same_as<T, int> || std::same_as<T, unsigned>)
T __reduce_max_sync(unsigned mask, T value, kith::emulation::Where where = kith::emulation::Where::current()) {
  using enum kith::emulation::WarpOp;
  return kith::emulation::reduce(std::is_signed_v<T> ? reduce_max_signed : reduce_max_unsigned, mask, value,
                                 where);
}
inline unsigned __reduce_and_sync(unsigned mask, unsigned value,
                                  kith::emulation::Where where = kith::emulation::Where::current()) {
  return kith::emulation::reduce(kith::emulation::WarpOp::reduce_and, mask, value, where);
}
inline unsigned __reduce_or_sync(unsigned mask, unsigned value,
                                 kith::emulation::Where where = kith::emulation::Where::current()) {
  return kith::emulation::reduce(kith::emulation::WarpOp::reduce_or, mask, value, where);
}
inline unsigned __reduce_xor_sync(unsigned mask, unsigned value,
                                  kith::emulation::Where where = kith::emulation::Where::current()) {
  return kith::emulation::reduce(kith::emulation::WarpOp::reduce_xor, mask, value, where);
}
// NOLINTEND
