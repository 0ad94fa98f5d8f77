// Sums of neighbour rows, forwards and backwards, on the device. Shapes are checked by the caller; every
// pointer is to device memory.
#pragma once

#include <cstdint>
#include <span>

#include "graph/views.h"
#include "kernels/adjacency.h"
#include "kernels/cuda/context.h"
#include "kernels/rows.h"
#include "kernels/tensor.h"

namespace kith::cuda {

/// out[i] = weighted sum, or mean, over row first + i.
template <typename Offset>
void aggregate(const Context& context, const Adjacency<Offset>& adjacency, const Rows& x, Tensor& out);

extern template void aggregate(const Context&, const Adjacency<std::int32_t>&, const Rows&, Tensor&);
extern template void aggregate(const Context&, const Adjacency<std::int64_t>&, const Rows&, Tensor&);

/// grad_x[u] += the sum over row u of the transposed block.
void aggregate_backward(const Context& context, BlockCsrView block, std::span<const float> weights,
                        const Tensor& grad_out, Tensor& grad_x);

/// See Backend::aggregate_heads.
void aggregate_heads(const Context& context, BlockCsrView block, const Tensor& weights, const Tensor& x,
                     Tensor& out);

/// See Backend::aggregate_heads_backward.
void aggregate_heads_backward(const Context& context, BlockCsrView block, const Tensor& weights,
                              const Tensor& grad_out, Tensor& grad_x);

/// out[i] = row i of x, converted.
void gather(const Context& context, const Rows& x, Tensor& out);

}  // namespace kith::cuda
