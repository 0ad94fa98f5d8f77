// NumPy's .npy files, version 1.0, little-endian, C order.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace kith {

/// Writes `values` through a temporary name: [rows] if cols is 0, else [rows x cols]. Throws IoError,
/// EnvironmentError, as replace_file does.
void write_npy(const std::string& path, std::span<const std::int32_t> values, std::int64_t rows,
               std::int64_t cols = 0);
void write_npy(const std::string& path, std::span<const float> values, std::int64_t rows,
               std::int64_t cols = 0);

}  // namespace kith
