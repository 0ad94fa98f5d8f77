// Atomics for the types that CUDA has them for. One thread runs at a time, so they are plain; that another
// order of the threads gives the same memory is checked after every launch.
#pragma once

#include <algorithm>
#include <concepts>

namespace kith::emulation {

template <typename T, typename... Types>
concept OneOf = (std::same_as<T, Types> || ...);
template <typename T>
concept AddsAtomically = OneOf<T, int, unsigned, unsigned long long, float, double>;
template <typename T>
concept ComparesAtomically = OneOf<T, int, unsigned, long long, unsigned long long>;
template <typename T>
concept HasAtomicBits = OneOf<T, int, unsigned, unsigned long long>;

/// `value` takes part in no deduction: it is converted to what the address holds.
template <typename T>
using Value = std::type_identity_t<T>;

template <typename T>
T replace(T* address, T value) {
  const T old = *address;
  *address = value;
  return old;
}

}  // namespace kith::emulation

// NOLINTBEGIN: names are CUDA's
template <kith::emulation::AddsAtomically T>
T atomicAdd(T* address, kith::emulation::Value<T> value) {
  if constexpr (std::same_as<T, int>) {  // wraps around
    return kith::emulation::replace(
        address, static_cast<int>(static_cast<unsigned>(*address) + static_cast<unsigned>(value)));
  } else {
    return kith::emulation::replace(address, *address + value);
  }
}
template <kith::emulation::OneOf<int, unsigned> T>
T atomicSub(T* address, kith::emulation::Value<T> value) {
  return atomicAdd(address, static_cast<T>(0U - static_cast<unsigned>(value)));
}
template <kith::emulation::ComparesAtomically T>
T atomicMin(T* address, kith::emulation::Value<T> value) {
  return kith::emulation::replace(address, std::min(*address, value));
}
template <kith::emulation::ComparesAtomically T>
T atomicMax(T* address, kith::emulation::Value<T> value) {
  return kith::emulation::replace(address, std::max(*address, value));
}
template <kith::emulation::OneOf<int, unsigned, unsigned long long, float> T>
T atomicExch(T* address, kith::emulation::Value<T> value) {
  return kith::emulation::replace(address, value);
}
template <kith::emulation::OneOf<int, unsigned, unsigned long long, unsigned short> T>
T atomicCAS(T* address, kith::emulation::Value<T> expected, kith::emulation::Value<T> value) {
  return kith::emulation::replace(address, *address == expected ? value : *address);
}
template <kith::emulation::HasAtomicBits T>
T atomicAnd(T* address, kith::emulation::Value<T> value) {
  return kith::emulation::replace(address, static_cast<T>(*address & value));
}
template <kith::emulation::HasAtomicBits T>
T atomicOr(T* address, kith::emulation::Value<T> value) {
  return kith::emulation::replace(address, static_cast<T>(*address | value));
}
template <kith::emulation::HasAtomicBits T>
T atomicXor(T* address, kith::emulation::Value<T> value) {
  return kith::emulation::replace(address, static_cast<T>(*address ^ value));
}
inline unsigned atomicInc(unsigned* address, unsigned limit) {
  return kith::emulation::replace(address, *address >= limit ? 0U : *address + 1);
}
inline unsigned atomicDec(unsigned* address, unsigned limit) {
  return kith::emulation::replace(address, *address == 0 || *address > limit ? limit : *address - 1);
}
// NOLINTEND
