// The walk that aggregations share: groups of lanes reduce the edges of a row, and whole blocks those of a hub.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/cuda/columns.cuh"
#include "kernels/cuda/context.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/tiling.h"

namespace kith::cuda {

/// A row with more edges is reduced by all groups of its block. Found on the device, so that no call waits for
/// it.
inline constexpr int kHubEdges = 128;

/// Reduces the hubs among the rows of this block, each by its first hub_parts() groups: group i takes the i-th
/// part of the edges, then neighbouring parts are merged pairwise. The shape of the result depends on the
/// number of edges and the columns of a row alone.
template <typename Work, typename Offset>
__device__ void reduce_hubs(const Offset* offsets, std::int64_t num_rows, const typename Work::Columns& columns,
                            const Work& work) {
  using State = typename Work::State;
  State* const states = shared_memory<State>();
  const std::int64_t first_row = static_cast<std::int64_t>(blockIdx.x) * blockDim.y;
  const int lanes = static_cast<int>(blockDim.x);
  const int num_groups = static_cast<int>(blockDim.y);
  const int num_parts = columns.hub_parts;  // a power of two, at most num_groups
  const int group = static_cast<int>(threadIdx.y);
  State& own = states[group * lanes + static_cast<int>(threadIdx.x)];
  for (std::int64_t row = first_row; row < min(first_row + num_groups, num_rows); ++row) {
    const Offset begin = offsets[row];
    const Offset end = offsets[row + 1];
    if (end - begin <= kHubEdges) continue;
    const Offset part = (end - begin + num_parts - 1) / num_parts;
    if (group < num_parts) {
      const Offset from = min(begin + part * group, end);
      State state = work.start(columns, row);
      work.reduce(state, columns, from, min(from + part, end));
      own = state;
    }
    for (int step = 1; step < num_parts; step *= 2) {
      __syncthreads();
      if (group < num_parts && group % (2 * step) == 0) {
        State merged = own;
        work.merge(merged, (&own)[step * lanes]);
        own = merged;
      }
    }
    if (group == 0) work.finish(own, columns, row, end - begin);
    __syncthreads();  // the states are used again
  }
}

/// Work: State start(columns, row); reduce(State&, columns, begin, end) over edges; merge(State& earlier, const
/// State& later); finish(state, columns, row, num_edges) writes the row. Work::kBlocksAtOnce: blocks that a
/// multiprocessor must have room for, 4 for up to 64 registers a thread; left to choose, the compiler spills
/// some to fit more. Block: [lanes x groups], a row each.
template <typename Work, typename Offset>
__global__ void __launch_bounds__(kBlockThreads, Work::kBlocksAtOnce)
    rows_kernel(const Offset* offsets, std::int64_t num_rows, ColumnSplit split, Work work) {
  const typename Work::Columns columns(split);
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  bool is_hub = false;
  if (row < num_rows) {
    const Offset begin = __ldcs(offsets + row);
    const Offset end = __ldcs(offsets + row + 1);
    is_hub = end - begin > kHubEdges;
    if (!is_hub) {
      typename Work::State state = work.start(columns, row);
      work.reduce(state, columns, begin, end);
      work.finish(state, columns, row, end - begin);
    }
  }
  if (__syncthreads_or(is_hub ? 1 : 0) != 0) reduce_hubs(offsets, num_rows, columns, work);
}

/// Runs `work` on every row and tile.
template <typename Work, typename Offset>
void launch_rows(const Context& context, const Offset* offsets, std::int64_t num_rows, const RowReads& reads,
                 const Work& work) {
  constexpr LaneReads kLane{.vector = Work::Columns::kVectorValues, .vectors = Work::Columns::kVectors};
  const ColumnTiling tiling = tile_columns(reads, kLane, context.traits.l2_bytes);
  const auto groups = static_cast<unsigned>(tiling.rows_per_block());
  const auto blocks = static_cast<unsigned>(ceil_div(num_rows, groups));
  launch(&rows_kernel<Work, Offset>,
         LaunchShape{.grid = dim3(blocks, static_cast<unsigned>(tiling.num_tiles)),
                     .block = dim3(static_cast<unsigned>(tiling.lanes), groups),
                     .shared_bytes = kBlockThreads * sizeof(typename Work::State),
                     .stream = context.stream},
         offsets, num_rows,
         ColumnSplit{.columns = static_cast<std::int32_t>(reads.columns),
                     .tile_columns = tiling.tile_columns,
                     .hub_parts = hub_parts(reads.columns),
                     .keeps_rows = tiling.is_reused},
         work);
}

}  // namespace kith::cuda
