// Operations whose result has a row for each edge, on the device. Shapes are checked by the caller.
#pragma once

#include "graph/views.h"
#include "kernels/cuda/context.h"
#include "kernels/tensor.h"

namespace kith::cuda {

/// See Backend::edge_softmax.
void edge_softmax(const Context& context, BlockCsrView block, const Tensor& scores, Tensor& out);

/// See Backend::edge_softmax_backward.
void edge_softmax_backward(const Context& context, BlockCsrView block, const Tensor& out,
                           const Tensor& grad_out, Tensor& grad_scores);

/// See Backend::edge_dot.
void edge_dot(const Context& context, BlockCsrView block, const Tensor& x, const Tensor& y, Tensor& out);

}  // namespace kith::cuda
