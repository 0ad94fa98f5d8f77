// Which values dropout zeroes: the same on every device.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/backend.h"

namespace kith {

/// The mask comes from Philox4x32-10: each call gives 8 draws of 16 bits, so a rate is rounded to 1 / 65536.
/// Half h (0 = low) of word w of call 64 * b + l belongs to element 512 * b + 128 * w + 64 * h + l, so that 64
/// calls fill whole vectors. Key = seed ^ kDropoutKey; counter = (call, call >> 32 | step >> 32 << 16, step,
/// layer).
inline constexpr std::uint64_t kDropoutKey = 0x64726f706f757421;  // "dropout!": apart from the sampler's draws
inline constexpr std::int64_t kDropoutBlock = 512;                // elements that 64 calls cover
inline constexpr int kDropoutLanes = kDropoutBlock / 8;           // calls a block

/// What all calls of one mask share.
struct DropoutMask {
  std::uint32_t key[2];
  std::uint32_t step;
  std::uint32_t step_high;
  std::uint32_t layer;
  std::uint32_t threshold;  ///< a draw below it drops, 0..65536
};

inline DropoutMask make_dropout_mask(const Dropout& dropout) {
  const std::uint64_t key = dropout.seed ^ kDropoutKey;
  const auto step = static_cast<std::uint64_t>(dropout.step);
  return {.key = {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)},
          .step = static_cast<std::uint32_t>(step),
          .step_high = static_cast<std::uint32_t>(step >> 32) << 16,
          .layer = static_cast<std::uint32_t>(dropout.layer),
          .threshold = static_cast<std::uint32_t>(std::lround(dropout.rate * 65536))};
}

}  // namespace kith
