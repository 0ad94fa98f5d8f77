// ReLU with counter-based dropout, on the device: the mask of the CPU, bit for bit (kernels/dropout_mask.h).
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/context.h"
#include "kernels/tensor.h"

namespace kith::cuda {

/// See Backend::bias_relu_dropout.
void bias_relu_dropout(const Context& context, const Tensor* bias, const Dropout& dropout, Tensor& x);

/// See Backend::relu_dropout_backward.
void relu_dropout_backward(const Context& context, const Dropout& dropout, const Tensor& y, Tensor& grad);

}  // namespace kith::cuda
