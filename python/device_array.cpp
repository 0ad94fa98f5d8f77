#include "python/device_array.h"

#include <utility>

#include "kernels/block_check.h"

namespace kith::python {
namespace {

Tensor tensor_over(void* data, std::int64_t rows, std::int64_t cols, bool is_f32) {
  const BufferDeleter keep{.give_back = [](void*, std::byte*, std::size_t) {}};
  return Tensor(Tensor::Buffer(static_cast<std::byte*>(data), keep), rows, cols,
                is_f32 ? Scalar::f32 : Scalar::f64);
}

std::span<const std::int32_t> ints_of(const DeviceArray& array) {
  return {static_cast<const std::int32_t*>(array.data()),
          static_cast<std::size_t>(array.rows() * array.cols())};
}

}  // namespace

DeviceArray::DeviceArray(py::object owner, std::uintptr_t address, std::int64_t rows, std::int64_t cols,
                         std::string dtype)
    : owner_(std::move(owner)),
      data_(reinterpret_cast<void*>(address)),
      rows_(rows),
      cols_(cols),
      dtype_(std::move(dtype)) {
  if (dtype_ != "float32" && dtype_ != "float64" && dtype_ != "int32") {
    throw py::value_error("DeviceArray: dtype must be float32, float64 or int32, got " + dtype_);
  }
}

ArrayBlock::ArrayBlock(std::int32_t num_src, Input<std::int32_t> indptr, Input<std::int32_t> indices)
    : indptr_(indptr), indices_(indices), view_{num_src, span_of(indptr), span_of(indices)} {
  check_block("block", view_);
}

ArrayBlock::ArrayBlock(BlockCsrView view, py::object indptr, py::object indices)
    : indptr_(std::move(indptr)),
      indices_(std::move(indices)),
      memo_(std::make_unique<Memo>()),
      view_{view.num_sources, view.offsets, view.sources, memo_.get()} {}

std::unique_ptr<ArrayBlock> ArrayBlock::on_device(const DeviceArray& indptr, const DeviceArray& indices) const {
  const BlockCsrView view{view_.num_sources, ints_of(indptr), ints_of(indices)};
  if (indptr.dtype() != "int32" || indices.dtype() != "int32" || view.offsets.size() != view_.offsets.size() ||
      view.sources.size() != view_.sources.size()) {
    throw py::value_error("ArrayBlock: the arrays on the device must be int32 and of the block's sizes");
  }
  return std::unique_ptr<ArrayBlock>(new ArrayBlock(view, py::cast(indptr), py::cast(indices)));
}

Arguments::Arguments(Backend& backend, const ArrayBlock& block) : backend_(backend), block_(block) {
  if (block.is_on_device() == (backend.name() == "cpu")) {
    throw py::value_error("the block must be in the memory of the backend, " + std::string(backend.name()));
  }
}

Tensor Arguments::tensor(const py::object& matrix, bool is_written) const {
  if (block_.is_on_device()) {
    const DeviceArray& array = on_device(matrix);
    if (array.dtype() == "int32") throw py::value_error("expected a float32 or float64 matrix, got int32");
    return tensor_over(array.data(), array.rows(), array.cols(), array.dtype() == "float32");
  }
  const bool is_f32 = py::isinstance<Input<float>>(matrix);
  const bool is_array = is_f32 || py::isinstance<Input<double>>(matrix);
  if (!is_array || py::reinterpret_borrow<py::array>(matrix).ndim() != 2) {
    throw py::value_error("expected a C-contiguous float32 or float64 matrix, got " +
                          std::string(py::repr(py::type::of(matrix))));
  }
  auto array = py::reinterpret_borrow<py::array>(matrix);
  void* const data = is_written ? array.mutable_data() : const_cast<void*>(std::as_const(array).data());
  return tensor_over(data, array.shape(0), array.shape(1), is_f32);
}

const DeviceArray& Arguments::on_device(const py::object& values) const {
  if (!py::isinstance<DeviceArray>(values)) {
    throw py::value_error("expected a DeviceArray for a block in the memory of a device");
  }
  return values.cast<const DeviceArray&>();
}

template <typename T>
std::span<T> Arguments::values(const py::object& row, const char* dtype) const {
  if (block_.is_on_device()) {
    const DeviceArray& array = on_device(row);
    if (array.dtype() != dtype)
      throw py::value_error(std::string("expected ") + dtype + ", got " + array.dtype());
    return {static_cast<T*>(array.data()), static_cast<std::size_t>(array.rows() * array.cols())};
  }
  if (!py::isinstance<Input<T>>(row)) {
    throw py::value_error(std::string("expected a C-contiguous array of ") + dtype);
  }
  const auto array = py::reinterpret_borrow<Input<T>>(row);
  return {const_cast<T*>(array.data()), static_cast<std::size_t>(array.size())};
}

template std::span<float> Arguments::values(const py::object&, const char*) const;
template std::span<std::int32_t> Arguments::values(const py::object&, const char*) const;

void bind_device_array(py::module_& module) {
  using py::arg;
  py::class_<DeviceArray>(module, "DeviceArray")
      .def(py::init<py::object, std::uintptr_t, std::int64_t, std::int64_t, std::string>(), arg("owner"),
           arg("address"), arg("rows"), arg("cols"), arg("dtype"));
  py::class_<ArrayBlock>(module, "ArrayBlock")
      .def(py::init<std::int32_t, Input<std::int32_t>, Input<std::int32_t>>(), arg("num_src"),
           arg("indptr").noconvert(), arg("indices").noconvert())
      .def("on_device", &ArrayBlock::on_device, arg("indptr"), arg("indices"));
}

}  // namespace kith::python
