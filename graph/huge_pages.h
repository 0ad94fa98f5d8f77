// Large pages for large arrays that are read at random.
#pragma once

#include <cstddef>
#include <span>

namespace kith {

/// Asks the kernel to back the 2 MiB stretches inside [data, data + num_bytes) with huge pages, now (Linux 6.1
/// and newer) or when it gets round to it. A random read then misses the address translation cache less often.
/// Only a wish: nothing happens where the kernel knows no huge pages, and the content stays.
void use_huge_pages(const void* data, std::size_t num_bytes);

template <typename T>
void use_huge_pages(std::span<const T> values) {
  use_huge_pages(values.data(), values.size_bytes());
}

}  // namespace kith
