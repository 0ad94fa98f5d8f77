// ReLU with counter-based dropout.
#pragma once

#include "kernels/backend.h"
#include "kernels/tensor.h"

namespace kith::cpu {

/// See Backend::bias_relu_dropout. One pass over x.
void bias_relu_dropout(const Tensor* bias, const Dropout& dropout, Tensor& x);

/// grad *= (y > 0 ? 1 / (1 - rate) : 0).
void relu_dropout_backward(const Dropout& dropout, const Tensor& y, Tensor& grad);

}  // namespace kith::cpu
