#include <algorithm>
#include <bit>

#include "kernels/cuda/columns.cuh"
#include "kernels/cuda/copy_rows.h"
#include "kernels/cuda/threads.cuh"
#include "kernels/cuda/tiling.h"

namespace kith::cuda {
namespace {

/// A group of lanes, threadIdx.y of the block, copies one row in units of one access.
template <typename Unit>
__global__ void copy_rows_kernel(const Unit* from, const std::int32_t* from_rows, Unit* to,
                                 const std::int32_t* to_rows, std::int64_t count, std::int64_t units) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (i >= count) return;
  const Unit* const source = from + __ldcs(from_rows + i) * units;
  Unit* const target = to + __ldcs(to_rows + i) * units;
  // Over the bus only what is under way counts, so a lane asks for several units before it stores one.
#pragma unroll 4
  for (std::int64_t k = threadIdx.x; k < units; k += blockDim.x) target[k] = source[k];
}

template <typename Unit>
void run(const Context& context, const RowCopy& copy) {
  const auto units = static_cast<std::int64_t>(copy.row_bytes / sizeof(Unit));
  const auto lanes = static_cast<unsigned>(
      std::bit_ceil(static_cast<std::uint64_t>(std::min<std::int64_t>(units, kMaxLanes))));
  const unsigned groups = kBlockThreads / lanes;
  launch(&copy_rows_kernel<Unit>,
         LaunchShape{.grid = dim3(static_cast<unsigned>(ceil_div(copy.count, groups))),
                     .block = dim3(lanes, groups),
                     .stream = context.stream},
         reinterpret_cast<const Unit*>(copy.from), copy.from_rows, reinterpret_cast<Unit*>(copy.to),
         copy.to_rows, copy.count, units);
}

__global__ void number_rows_kernel(const std::int32_t* ids, std::int64_t count, std::int32_t* out) {
  const std::int64_t i = thread_index();
  if (i < count) out[__ldcs(ids + i)] = static_cast<std::int32_t>(i);
}

}  // namespace

void copy_rows(const Context& context, const RowCopy& copy) {
  if (copy.count == 0) return;
  if (copy.row_bytes % 16 == 0) return run<Bits<16>::Type>(context, copy);
  if (copy.row_bytes % 8 == 0) return run<Bits<8>::Type>(context, copy);
  if (copy.row_bytes % 4 == 0) return run<Bits<4>::Type>(context, copy);
  run<Bits<2>::Type>(context, copy);
}

void number_rows(const Context& context, std::span<const std::int32_t> ids, std::span<std::int32_t> out) {
  const auto count = static_cast<std::int64_t>(ids.size());
  if (count == 0) return;
  launch(&number_rows_kernel, shape_for(context, count), ids.data(), count, out.data());
}

}  // namespace kith::cuda
