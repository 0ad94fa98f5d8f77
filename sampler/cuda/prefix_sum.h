// Running sums on the device.
#pragma once

#include <cstdint>

#include "kernels/cuda/context.h"

namespace kith::cuda {

/// values[i] becomes the sum of values[0..i], modulo 2^32. values: [count], count > 0.
void add_up(const Context& context, std::uint32_t* values, std::int64_t count);

}  // namespace kith::cuda
