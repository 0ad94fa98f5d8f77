// Largest neighbour value of each column, and its gradient, on the device. Shapes are checked by the caller.
#pragma once

#include <cstdint>
#include <span>

#include "graph/views.h"
#include "kernels/cuda/context.h"
#include "kernels/tensor.h"

namespace kith::cuda {

/// See Backend::aggregate_max.
void aggregate_max(const Context& context, BlockCsrView block, const Tensor& x, Tensor& out,
                   std::span<std::int32_t> argmax);

/// See Backend::aggregate_max_backward.
void aggregate_max_backward(const Context& context, BlockCsrView block, std::span<const std::int32_t> argmax,
                            const Tensor& grad_out, Tensor& grad_x);

}  // namespace kith::cuda
