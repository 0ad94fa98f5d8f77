// The NumPy arrays and SciPy matrices inside a pickle, checked.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "datasets/pickle_reader.h"

namespace kith {

/// An array of numbers; views bytes of the pickle.
struct PickledArray {
  char kind = 0;  ///< 'i', 'u', 'f' or 'b'
  std::int64_t item_bytes = 0;
  std::vector<std::int64_t> shape;
  bool is_fortran_order = false;
  std::string_view bytes;  ///< exactly as many as the shape says

  std::int64_t num_items() const { return static_cast<std::int64_t>(bytes.size()) / item_bytes; }
  double real(std::int64_t i) const;           ///< i-th value in storage order
  std::int64_t integer(std::int64_t i) const;  ///< the same; floats are cut off
};

/// A CSR matrix: bounds, columns and values of its rows fit together.
struct PickledMatrix {
  std::int64_t num_rows = 0;
  std::int64_t num_columns = 0;
  PickledArray bounds, columns, values;
};

/// Throws IoError unless `value` is an array of little-endian numbers whose size fits its bytes.
PickledArray as_array(const Pickle& pickle, const Pickle::Value& value);

/// Throws IoError unless `value` is a CSR matrix whose rows rise and whose columns are in range.
PickledMatrix as_matrix(const Pickle& pickle, const Pickle::Value& value);

}  // namespace kith
