// Sizes beyond which a dataset is a mistake or a trap: they are claimed without bytes behind them, so nothing
// else bounds what a reader would allocate.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kith {

/// Most classes. Labels beyond it are node ids or hashes by mistake.
inline constexpr std::int64_t kMaxClasses = std::int64_t{1} << 20;

/// Most values of one feature row (16 MiB as f32).
inline constexpr std::int64_t kMaxFeatureDim = std::int64_t{1} << 22;

/// Most levels of communities. Each takes 4 bytes a node, however few communities it has.
inline constexpr std::size_t kMaxLevels = 32;

}  // namespace kith
