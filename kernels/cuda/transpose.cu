#include <algorithm>
#include <bit>
#include <cstddef>
#include <cub/cub.cuh>

#include "kernels/cuda/check.h"
#include "kernels/cuda/search.cuh"
#include "kernels/cuda/threads.cuh"
#include "kernels/cuda/transpose.h"
#include "kernels/memo.h"

namespace kith::cuda {
namespace {

/// edges[e] = e, rows[e] = the destination of e.
__global__ void number_edges_kernel(const std::int32_t* offsets, std::int32_t num_rows, std::int32_t num_edges,
                                    std::int32_t* edges, std::int32_t* rows) {
  const std::int64_t e = thread_index();
  if (e >= num_edges) return;
  edges[e] = static_cast<std::int32_t>(e);
  rows[e] = row_of_edge(offsets, num_rows, static_cast<std::int32_t>(e));
}

/// offsets[u] = first position of a source of at least u, for u in [0, num_sources].
__global__ void row_bounds_kernel(const std::int32_t* sorted_sources, std::int32_t num_edges,
                                  std::int32_t num_sources, std::int32_t* offsets) {
  const std::int64_t u = thread_index();
  if (u <= num_sources) offsets[u] = lower_bound(sorted_sources, num_edges, static_cast<std::int32_t>(u));
}

/// to[i] = from[index[i]].
__global__ void permute_kernel(const std::int32_t* from, const std::int32_t* index, std::int32_t count,
                               std::int32_t* to) {
  const std::int64_t i = thread_index();
  if (i < count) to[i] = __ldg(from + index[i]);
}

/// keys of a sort and what goes with them.
struct SortedPairs {
  const std::int32_t* keys_in;
  std::int32_t* keys_out;
  const std::int32_t* values_in;
  std::int32_t* values_out;
};

/// Stable sort of `count` pairs by the lowest `num_bits` bits of their keys.
void sort_pairs(const Context& context, const SortedPairs& pairs, std::int32_t count, int num_bits) {
  std::size_t scratch_bytes = 0;
  const auto sort = [&](void* scratch) {
    CUDA_CHECK(cub::DeviceRadixSort::SortPairs(scratch, scratch_bytes, pairs.keys_in, pairs.keys_out,
                                               pairs.values_in, pairs.values_out, count, 0, num_bits,
                                               context.stream));
  };
  sort(nullptr);  // says how much it needs
  const Tensor::Buffer scratch = context.memory.acquire(scratch_bytes);
  sort(scratch.get());
}

}  // namespace

Transposed transpose(const Context& context, BlockCsrView block) {
  const std::int32_t num_edges = block.num_edges();
  const auto acquire = [&](std::int64_t count) { return context.memory.acquire_array<std::int32_t>(count); };
  Transposed result{.num_sources = block.num_sources,
                    .num_destinations = block.num_destinations(),
                    .num_edges = num_edges,
                    .offsets_buffer = acquire(block.num_sources + std::int64_t{1}),
                    .destinations_buffer = acquire(num_edges),
                    .edges_buffer = acquire(num_edges)};
  const Tensor::Buffer numbers = acquire(num_edges);
  const Tensor::Buffer rows = acquire(num_edges);
  const Tensor::Buffer sorted = acquire(num_edges);
  auto* const sorted_sources = array_of<std::int32_t>(sorted);
  if (num_edges > 0) {
    launch(&number_edges_kernel, shape_for(context, num_edges), block.offsets.data(), block.num_destinations(),
           num_edges, array_of<std::int32_t>(numbers), array_of<std::int32_t>(rows));
    const auto last_source = static_cast<std::uint32_t>(block.num_sources - 1);
    sort_pairs(context,
               {.keys_in = block.sources.data(),
                .keys_out = sorted_sources,
                .values_in = array_of<std::int32_t>(numbers),
                .values_out = array_of<std::int32_t>(result.edges_buffer)},
               num_edges, std::max(static_cast<int>(std::bit_width(last_source)), 1));
    launch(&permute_kernel, shape_for(context, num_edges), array_of<std::int32_t>(rows), result.edges(),
           num_edges, array_of<std::int32_t>(result.destinations_buffer));
  }
  launch(&row_bounds_kernel, shape_for(context, block.num_sources + std::int64_t{1}), sorted_sources, num_edges,
         block.num_sources, array_of<std::int32_t>(result.offsets_buffer));
  return result;
}

const Transposed& transposed_of(const Context& context, BlockCsrView block, std::optional<Transposed>& own) {
  if (block.memo == nullptr) return own.emplace(transpose(context, block));
  const MemoKey key = MemoKey::of(block);
  if (const Transposed* const kept = block.memo->find<Transposed>(key)) return *kept;
  return block.memo->keep(key, transpose(context, block));
}

}  // namespace kith::cuda
