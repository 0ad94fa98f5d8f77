// Sums of neighbour rows, forwards and backwards. Shapes are checked by the caller.
#pragma once

#include <cstdint>
#include <span>

#include "graph/views.h"
#include "kernels/cpu/buffer_pool.h"
#include "kernels/cpu/rows.h"
#include "kernels/tensor.h"

namespace kith::cpu {

/// Rows [first, first + out.rows()) of an adjacency. Offset: int32 in a block, int64 in a whole graph.
template <typename Offset>
struct Adjacency {
  std::span<const Offset> offsets;
  std::span<const std::int32_t> sources;
  std::span<const float> weights;  ///< [num_edges], or empty for the mean
  std::int64_t first = 0;
};

/// out[i] = weighted sum, or mean, over row first + i. Each row is one sequential sum.
template <typename Offset>
void aggregate(const Adjacency<Offset>& adjacency, const Rows& x, Tensor& out);

extern template void aggregate(const Adjacency<std::int32_t>&, const Rows&, Tensor&);
extern template void aggregate(const Adjacency<std::int64_t>&, const Rows&, Tensor&);

/// grad_x[u] += the transposed sum. Scratch (the transposed block, 8 or 12 bytes an edge) comes from `pool`.
void aggregate_backward(BlockCsrView block, std::span<const float> weights, const Tensor& grad_out,
                        BufferPool& pool, Tensor& grad_x);

/// out[i] = x[i], converted; x.ids must be given.
void gather(const Rows& x, Tensor& out);

}  // namespace kith::cpu
