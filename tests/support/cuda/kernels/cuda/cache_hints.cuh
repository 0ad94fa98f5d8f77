// Emulated: takes the place of the project's kernels/cuda/cache_hints.cuh, with the same interface. There is no
// cache, so a load is a load.
#pragma once

#include <cuda_runtime.h>

namespace kith::cuda {

using CachePolicy = unsigned long long;

inline CachePolicy row_policy(bool is_kept) { return is_kept ? 1 : 0; }

template <typename Raw>
Raw load_with_policy(const Raw* from, CachePolicy) {
  return *from;
}

inline void prefetch(const void*) {}

}  // namespace kith::cuda
