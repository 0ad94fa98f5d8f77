// Largest neighbour value of each column, and its gradient. Shapes are checked by the caller.
#pragma once

#include <cstdint>
#include <span>

#include "graph/views.h"
#include "kernels/cpu/buffer_pool.h"
#include "kernels/tensor.h"

namespace kith::cpu {

/// See Backend::aggregate_max.
void aggregate_max(BlockCsrView block, const Tensor& x, Tensor& out, std::span<std::int32_t> argmax);

/// See Backend::aggregate_max_backward. Scratch (the transposed block, 8 bytes an edge) comes from `pool`.
void aggregate_max_backward(BlockCsrView block, std::span<const std::int32_t> argmax, const Tensor& grad_out,
                            BufferPool& pool, Tensor& grad_x);

}  // namespace kith::cpu
