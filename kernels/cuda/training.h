// Loss and optimiser on the device. Shapes are checked by the caller.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/backend.h"
#include "kernels/cuda/context.h"
#include "kernels/tensor.h"

namespace kith::cuda {

/// See Backend::softmax_cross_entropy.
void softmax_cross_entropy(const Context& context, const Tensor& logits, std::span<const std::int32_t> labels,
                           Tensor* gradient, Tensor& totals);

/// See Backend::adam. All parameters of one scalar type in one launch.
void adam(const Context& context, std::span<const AdamParameter> parameters, const AdamOptions& options,
          std::int64_t step);

}  // namespace kith::cuda
