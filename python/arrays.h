// Arrays between C++ and NumPy without a copy. Strides are always given: NumPy 2 moved the field of a dtype
// from which pybind11 before 2.12 would derive them.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "kernels/tensor.h"

namespace kith::python {

namespace py = pybind11;

/// Row-major strides of `shape` in bytes.
inline std::vector<py::ssize_t> strides_of(const std::vector<py::ssize_t>& shape, py::ssize_t item_bytes) {
  std::vector<py::ssize_t> strides(shape.size(), item_bytes);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

/// An array over memory that `base` keeps alive.
inline py::array array_over(const py::dtype& dtype, py::ssize_t item_bytes,
                            const std::vector<py::ssize_t>& shape, const void* data, py::handle base) {
  return py::array(dtype, shape, strides_of(shape, item_bytes), data, base);
}

/// A read-only array over values that `owner` owns. One dimension unless a shape is given.
template <typename T>
py::array view_of(std::span<const T> values, py::handle owner, std::vector<py::ssize_t> shape = {}) {
  if (shape.empty()) shape = {static_cast<py::ssize_t>(values.size())};
  py::array array = array_over(py::dtype::of<T>(), sizeof(T), shape, values.data(), owner);
  array.attr("setflags")(py::arg("write") = false);
  return array;
}

/// An array that takes `owner` over and shows `data`, which lives in it.
template <typename Owner>
py::array array_owning(Owner&& owner, const py::dtype& dtype, py::ssize_t item_bytes,
                       const std::vector<py::ssize_t>& shape, const void* (*data)(Owner&)) {
  auto kept = std::make_unique<Owner>(std::move(owner));
  const void* values = data(*kept);
  const py::capsule base(kept.get(), [](void* pointer) { delete static_cast<Owner*>(pointer); });
  kept.release();
  return array_over(dtype, item_bytes, shape, values, base);
}

/// A vector as an array. One dimension unless a shape is given.
template <typename T>
py::array to_array(std::vector<T> values, std::vector<py::ssize_t> shape = {}) {
  if (shape.empty()) shape = {static_cast<py::ssize_t>(values.size())};
  return array_owning<std::vector<T>>(std::move(values), py::dtype::of<T>(), sizeof(T), shape,
                                      [](std::vector<T>& owner) -> const void* { return owner.data(); });
}

/// An f32 tensor in host memory as an array.
inline py::array to_array(Tensor tensor) {
  const std::vector<py::ssize_t> shape{tensor.rows(), tensor.cols()};
  return array_owning<Tensor>(std::move(tensor), py::dtype::of<float>(), sizeof(float), shape,
                              [](Tensor& owner) -> const void* { return owner.data<float>(); });
}

/// A C-contiguous array of exactly this type; the Python side of the package sees to it.
template <typename T>
using Input = py::array_t<T, py::array::c_style>;

template <typename T>
std::span<const T> span_of(const Input<T>& array) {
  return {array.data(), static_cast<std::size_t>(array.size())};
}

template <typename T>
std::vector<T> vector_of(const Input<T>& array) {
  return {array.data(), array.data() + array.size()};
}

}  // namespace kith::python
