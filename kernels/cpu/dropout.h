// ReLU with counter-based dropout.
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/tensor.h"

namespace kith::cpu {

/// The mask comes from Philox4x32-10: each call gives 8 draws of 16 bits, so a rate is rounded to 1 / 65536.
/// Half h (0 = low) of word w of call 64 * b + l belongs to element 512 * b + 128 * w + 64 * h + l, so that 64
/// calls fill whole vectors. Key = seed ^ kDropoutKey; counter = (call, call >> 32 | step >> 32 << 16, step,
/// layer).
inline constexpr std::uint64_t kDropoutKey = 0x64726f706f757421;  // "dropout!": apart from the sampler's draws
inline constexpr std::int64_t kDropoutBlock = 512;                // elements that 64 calls cover

/// x = dropout(relu(x)), in place. NaN stays NaN, so that a diverged run is seen.
void relu_dropout(const Dropout& dropout, Tensor& x);

/// grad *= (y > 0 ? 1 / (1 - rate) : 0).
void relu_dropout_backward(const Dropout& dropout, const Tensor& y, Tensor& grad);

}  // namespace kith::cpu
