// Fills, factors and bias on the device. Shapes are checked by the caller.
#pragma once

#include "kernels/cuda/context.h"
#include "kernels/tensor.h"

namespace kith::cuda {

void fill(const Context& context, double value, Tensor& x);
/// x *= factor, without reading x for factor 0: it may be uninitialised.
void scale(const Context& context, double factor, Tensor& x);
void add_bias(const Context& context, const Tensor& bias, Tensor& x);
/// Column sums in a fixed order.
void bias_gradient(const Context& context, const Tensor& grad, Tensor& grad_bias);

}  // namespace kith::cuda
