// Feature values from f32 to the type they are stored as.
#pragma once

#include <cstddef>
#include <span>

#include "graph/feature_store.h"

namespace kith {

/// Writes `values` as `type` to `out`, [values.size() * size_of(type)] bytes, rounding to nearest even. A
/// finite value that is too large for f16 or bf16 becomes infinite: check with first_not_finite first or
/// afterwards.
void cast_features(std::span<const float> values, FeatureType type, std::span<std::byte> out);

/// Position of the first value that is NaN or infinite once it is stored as `type`; values.size() if there is
/// none.
std::size_t first_not_finite(std::span<const float> values, FeatureType type);

}  // namespace kith
