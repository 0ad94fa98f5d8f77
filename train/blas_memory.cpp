#include "train/blas_memory.h"

#include <tbb/global_control.h>

#include <cstdint>
#include <optional>

#include "graph/memory_limit.h"

namespace kith {
namespace {

constexpr std::int64_t kBytesPerThread = 128 << 20;
constexpr std::int64_t kRowsPerThread = 8 * 512;  // several tiles, long enough for every thread to take some
constexpr std::int64_t kColumns = 128;

}  // namespace

void reserve_blas_memory(Backend& backend) {
  const std::optional<std::int64_t> available = available_addresses();
  if (backend.name() != "cpu" || !available) return;
  const auto threads = static_cast<std::int64_t>(
      tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism));
  require_memory(threads * kBytesPerThread, "train: the library for matrix products",
                 "fewer --threads need less", available);
  const Tensor a = backend.zeros(threads * kRowsPerThread, kColumns, Scalar::f32);
  const Tensor b = backend.zeros(kColumns, kColumns, Scalar::f32);
  Tensor c = backend.empty(a.rows(), kColumns, Scalar::f32);
  backend.matmul(a, false, b, false, 0, c);
}

}  // namespace kith
