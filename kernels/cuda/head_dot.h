// Dot products of rows with one vector a head, on the device. Shapes are checked by the caller.
#pragma once

#include "kernels/cuda/context.h"
#include "kernels/tensor.h"

namespace kith::cuda {

/// See Backend::head_dot.
void head_dot(const Context& context, const Tensor& x, const Tensor& weight, Tensor& out);

/// Where head_dot_backward writes.
struct HeadDotGradients {
  Tensor& x;
  Tensor& weight;
};

/// See Backend::head_dot_backward. Scratch: the weight for every 1024 rows.
void head_dot_backward(const Context& context, const Tensor& x, const Tensor& weight, const Tensor& grad_out,
                       const HeadDotGradients& gradients);

}  // namespace kith::cuda
