// ReLU with counter-based dropout.
#pragma once

#include "kernels/backend.h"
#include "kernels/tensor.h"

namespace kith::cpu {

/// x = dropout(relu(x)), in place. NaN stays NaN, so that a diverged run is seen.
void relu_dropout(const Dropout& dropout, Tensor& x);

/// grad *= (y > 0 ? 1 / (1 - rate) : 0).
void relu_dropout_backward(const Dropout& dropout, const Tensor& y, Tensor& grad);

}  // namespace kith::cpu
