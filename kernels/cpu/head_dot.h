// Dot products of rows with one vector a head. Shapes are checked by the caller.
#pragma once

#include "kernels/cpu/buffer_pool.h"
#include "kernels/tensor.h"

namespace kith::cpu {

/// See Backend::head_dot.
void head_dot(const Tensor& x, const Tensor& weight, Tensor& out);

/// Where head_dot_backward writes.
struct HeadDotGradients {
  Tensor& x;
  Tensor& weight;
};

/// See Backend::head_dot_backward. Scratch (64 times the weight at most) comes from `pool`.
void head_dot_backward(const Tensor& x, const Tensor& weight, const Tensor& grad_out, BufferPool& pool,
                       const HeadDotGradients& gradients);

}  // namespace kith::cpu
