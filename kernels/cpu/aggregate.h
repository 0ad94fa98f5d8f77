// Sums of neighbour rows, forwards and backwards. Shapes are checked by the caller.
#pragma once

#include <cstdint>
#include <span>

#include "graph/views.h"
#include "kernels/adjacency.h"
#include "kernels/cpu/buffer_pool.h"
#include "kernels/cpu/rows.h"
#include "kernels/tensor.h"

namespace kith::cpu {

/// out[i] = weighted sum, or mean, over row first + i. Each row is one sequential sum.
template <typename Offset>
void aggregate(const Adjacency<Offset>& adjacency, const Rows& x, Tensor& out);

/// out[v] = (out[v] +) the same sum over the edges from next[v] on whose sources are in x. Moves `next` past
/// them.
void aggregate_slice(const Adjacency<std::int64_t>& adjacency, const TableSlice& x, std::span<EdgeOffset> next,
                     Tensor& out);

extern template void aggregate(const Adjacency<std::int32_t>&, const Rows&, Tensor&);
extern template void aggregate(const Adjacency<std::int64_t>&, const Rows&, Tensor&);

/// grad_x[u] += the transposed sum. Scratch (the transposed block, 8 or 12 bytes an edge) comes from `pool`.
void aggregate_backward(BlockCsrView block, std::span<const float> weights, const Tensor& grad_out,
                        BufferPool& pool, Tensor& grad_x);

/// out[v, h] = weighted sum of x[u, h] over row v, one weight an edge and head. weights: [num_edges x heads],
/// and a row of x is `heads` runs of equal length.
void aggregate_heads(BlockCsrView block, const Tensor& weights, const Tensor& x, Tensor& out);

/// grad_x[u, h] += the transposed sum. Scratch (8 bytes an edge) comes from `pool`.
void aggregate_heads_backward(BlockCsrView block, const Tensor& weights, const Tensor& grad_out,
                              BufferPool& pool, Tensor& grad_x);

/// out[i] = row i of x, converted.
void gather(const Rows& x, Tensor& out);

}  // namespace kith::cpu
