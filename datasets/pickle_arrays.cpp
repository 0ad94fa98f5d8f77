#include "datasets/pickle_arrays.h"

#include <cstring>

#include "graph/errors.h"
#include "graph/printable.h"

namespace kith {

namespace {

using Kind = Pickle::Kind;

template <typename T>
T load(std::string_view bytes, std::int64_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
  return value;
}

// The value that the dict holds for `key`; the last one wins, as in Python.
const Pickle::Value& entry(const Pickle& pickle, const Pickle::Value& dict, std::string_view key) {
  for (std::size_t i = dict.items.size(); i >= 2; i -= 2) {
    const Pickle::Value& name = pickle[dict.items[i - 2]];
    if (name.kind == Kind::text && name.text == key) {
      return pickle[dict.items[i - 1]];
    }
  }
  throw IoError(concat(pickle.path(), ": the sparse matrix has no '", key, "'"));
}

void set_type(const Pickle& pickle, const Pickle::Value& dtype, PickledArray& array) {
  const std::string& name = dtype.text;
  KITH_CHECK(dtype.kind == Kind::dtype && name.size() == 2 && std::strchr("iufb", name[0]) != nullptr &&
                 std::strchr("1248", name[1]) != nullptr &&
                 (name[0] != 'f' || name[1] == '4' || name[1] == '8'),
             IoError, pickle.path(), ": expected an array of plain numbers, got type '", printable(name), "'");
  array.kind = name[0];
  array.item_bytes = name[1] - '0';
  if (dtype.items.size() == 1) {
    const Pickle::Value& state = pickle[dtype.items[0]];
    const bool has_order = state.kind == Kind::sequence && state.items.size() >= 2;
    const std::string order = has_order ? pickle[state.items[1]].text : "";
    KITH_CHECK(order == "<" || order == "|" || order == "=", IoError, pickle.path(),
               ": expected little-endian values, got byte order '", printable(order.substr(0, 8)), "'");
  }
}

}  // namespace

double PickledArray::real(std::int64_t i) const {
  if (kind == 'f') {
    return item_bytes == 4 ? load<float>(bytes, i) : load<double>(bytes, i);
  }
  return static_cast<double>(integer(i));
}

std::int64_t PickledArray::integer(std::int64_t i) const {
  switch (kind) {
    case 'f': {
      const double value = real(i);
      return value > -9e18 && value < 9e18 ? static_cast<std::int64_t>(value) : INT64_MIN;
    }
    case 'i':
      switch (item_bytes) {
        case 1:
          return load<std::int8_t>(bytes, i);
        case 2:
          return load<std::int16_t>(bytes, i);
        case 4:
          return load<std::int32_t>(bytes, i);
        default:
          return load<std::int64_t>(bytes, i);
      }
    default:
      switch (item_bytes) {
        case 1:
          return load<std::uint8_t>(bytes, i);
        case 2:
          return load<std::uint16_t>(bytes, i);
        case 4:
          return load<std::uint32_t>(bytes, i);
        default:
          return static_cast<std::int64_t>(load<std::uint64_t>(bytes, i));
      }
  }
}

PickledArray as_array(const Pickle& pickle, const Pickle::Value& value) {
  KITH_CHECK(value.kind == Kind::array && value.items.size() == 1, IoError, pickle.path(),
             ": expected an array");
  const Pickle::Value& state = pickle[value.items[0]];
  KITH_CHECK(state.kind == Kind::sequence && state.items.size() == 5, IoError, pickle.path(),
             ": an array's state must have five parts, got ", state.items.size());
  PickledArray array;
  set_type(pickle, pickle[state.items[2]], array);
  array.is_fortran_order = pickle[state.items[3]].integer != 0;
  const Pickle::Value& data = pickle[state.items[4]];
  KITH_CHECK(data.kind == Kind::text, IoError, pickle.path(), ": expected an array of bytes, not of objects");
  array.bytes = data.text;
  const auto num_bytes = static_cast<std::int64_t>(data.text.size());
  std::int64_t expected = array.item_bytes;
  for (const Pickle::Ref ref : pickle[state.items[1]].items) {
    const std::int64_t extent = pickle[ref].kind == Kind::integer ? pickle[ref].integer : -1;
    KITH_CHECK(extent >= 0 && (extent == 0 || expected <= num_bytes / extent), IoError, pickle.path(),
               ": an array's shape does not fit its ", num_bytes, " bytes");
    expected *= extent;
    array.shape.push_back(extent);
  }
  KITH_CHECK(expected == num_bytes, IoError, pickle.path(), ": an array's shape says ", expected,
             " bytes, it holds ", num_bytes);
  return array;
}

PickledMatrix as_matrix(const Pickle& pickle, const Pickle::Value& value) {
  const bool has_state = value.kind == Kind::sparse && value.items.size() == 1;
  KITH_CHECK(has_state && pickle[value.items[0]].kind == Kind::dict, IoError, pickle.path(),
             ": expected a sparse CSR matrix");
  const Pickle::Value& state = pickle[value.items[0]];
  const Pickle::Value& shape = entry(pickle, state, "_shape");
  KITH_CHECK(shape.kind == Kind::sequence && shape.items.size() == 2, IoError, pickle.path(),
             ": a matrix has two sizes");
  PickledMatrix matrix;
  matrix.num_rows = pickle[shape.items[0]].integer;
  matrix.num_columns = pickle[shape.items[1]].integer;
  matrix.bounds = as_array(pickle, entry(pickle, state, "indptr"));
  matrix.columns = as_array(pickle, entry(pickle, state, "indices"));
  matrix.values = as_array(pickle, entry(pickle, state, "data"));
  const std::int64_t num_values = matrix.values.num_items();
  KITH_CHECK(matrix.num_rows >= 0 && matrix.num_columns >= 0 &&
                 matrix.bounds.num_items() - 1 == matrix.num_rows && matrix.columns.num_items() == num_values,
             IoError, pickle.path(), ": the parts of a sparse matrix do not fit together");
  KITH_CHECK(matrix.bounds.integer(0) == 0 && matrix.bounds.integer(matrix.num_rows) == num_values, IoError,
             pickle.path(), ": the rows of a sparse matrix must run from 0 to ", num_values);
  for (std::int64_t row = 0; row < matrix.num_rows; ++row) {
    KITH_CHECK(matrix.bounds.integer(row) <= matrix.bounds.integer(row + 1), IoError, pickle.path(), ": row ",
               row, " of a sparse matrix ends before it starts");
  }
  for (std::int64_t i = 0; i < num_values; ++i) {
    const std::int64_t column = matrix.columns.integer(i);
    KITH_CHECK(column >= 0 && column < matrix.num_columns, IoError, pickle.path(), ": a column must lie in 0..",
               matrix.num_columns - 1, ", got ", column);
  }
  return matrix;
}

}  // namespace kith
