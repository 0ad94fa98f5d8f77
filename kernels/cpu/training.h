// Loss and optimiser. Shapes are checked by the caller.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/backend.h"

namespace kith::cpu {

/// Labels must be kNoLabel or in [0, classes).
LossResult softmax_cross_entropy(const Tensor& logits, std::span<const std::int32_t> labels, Tensor* gradient);

void adam(std::span<const AdamParameter> parameters, const AdamOptions& options, std::int64_t step);

}  // namespace kith::cpu
