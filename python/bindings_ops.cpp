// The kernels over a caller's own arrays: nothing is copied. kith.torch builds its autograd functions on them.
#include <pybind11/stl.h>

#include <optional>
#include <span>
#include <string>
#include <utility>

#include "kernels/backend.h"
#include "kernels/block_check.h"
#include "python/arrays.h"
#include "python/bindings.h"

namespace kith::python {
namespace {

using Indices = Input<std::int32_t>;

/// A block over arrays that it keeps alive. Checked once, here; the arrays must not change afterwards.
class ArrayBlock {
 public:
  ArrayBlock(std::int32_t num_src, Indices indptr, Indices indices)
      : num_src_(num_src), indptr_(std::move(indptr)), indices_(std::move(indices)) {
    check_block("block", view());
  }

  BlockCsrView view() const { return {num_src_, span_of(indptr_), span_of(indices_)}; }

 private:
  std::int32_t num_src_;
  Indices indptr_;
  Indices indices_;
};

/// A tensor over a matrix that stays the caller's.
Tensor tensor_over(const py::array& matrix, void* data) {
  const bool is_f32 = py::isinstance<Input<float>>(matrix);
  if (matrix.ndim() != 2 || !(is_f32 || py::isinstance<Input<double>>(matrix))) {
    throw py::value_error("expected a C-contiguous float32 or float64 matrix, got " +
                          std::string(py::str(matrix.dtype())) + " with shape " +
                          std::string(py::str(matrix.attr("shape"))));
  }
  const BufferDeleter keep{.give_back = [](void*, std::byte*, std::size_t) {}};
  return Tensor(Tensor::Buffer(static_cast<std::byte*>(data), keep), matrix.shape(0), matrix.shape(1),
                is_f32 ? Scalar::f32 : Scalar::f64);
}

const Tensor input(const py::array& matrix) { return tensor_over(matrix, const_cast<void*>(matrix.data())); }

/// Throws ValueError if the matrix is read-only.
Tensor output(py::array& matrix) { return tensor_over(matrix, matrix.mutable_data()); }

/// Without the values: those of the mean.
std::span<const float> weights_of(const std::optional<Input<float>>& weights) {
  return weights ? span_of(*weights) : std::span<const float>();
}

void aggregate(Backend& backend, const ArrayBlock& block, const std::optional<Input<float>>& weights,
               const py::array& x, py::array out) {
  const std::span<const float> edge_weights = weights_of(weights);
  const Tensor from = input(x);
  Tensor to = output(out);
  const py::gil_scoped_release release;
  backend.aggregate(block.view(), edge_weights, from, to);
}

void aggregate_backward(Backend& backend, const ArrayBlock& block, const std::optional<Input<float>>& weights,
                        const py::array& grad_out, py::array grad_x) {
  const std::span<const float> edge_weights = weights_of(weights);
  const Tensor from = input(grad_out);
  Tensor to = output(grad_x);
  const py::gil_scoped_release release;
  backend.aggregate_backward(block.view(), edge_weights, from, to);
}

void aggregate_max(Backend& backend, const ArrayBlock& block, const py::array& x, py::array out,
                   Indices argmax) {
  const Tensor from = input(x);
  Tensor to = output(out);
  const std::span<std::int32_t> winners(argmax.mutable_data(), static_cast<std::size_t>(argmax.size()));
  const py::gil_scoped_release release;
  backend.aggregate_max(block.view(), from, to, winners);
}

void aggregate_max_backward(Backend& backend, const ArrayBlock& block, const Indices& argmax,
                            const py::array& grad_out, py::array grad_x) {
  const std::span<const std::int32_t> winners = span_of(argmax);
  const Tensor from = input(grad_out);
  Tensor to = output(grad_x);
  const py::gil_scoped_release release;
  backend.aggregate_max_backward(block.view(), winners, from, to);
}

void edge_softmax(Backend& backend, const ArrayBlock& block, const py::array& scores, py::array out) {
  const Tensor from = input(scores);
  Tensor to = output(out);
  const py::gil_scoped_release release;
  backend.edge_softmax(block.view(), from, to);
}

/// An operation of two matrices and a block that writes a third.
using BinaryOp = void (Backend::*)(BlockCsrView, const Tensor&, const Tensor&, Tensor&);

template <BinaryOp op>
void binary(Backend& backend, const ArrayBlock& block, const py::array& a, const py::array& b, py::array out) {
  const Tensor first = input(a);
  const Tensor second = input(b);
  Tensor to = output(out);
  const py::gil_scoped_release release;
  (backend.*op)(block.view(), first, second, to);
}

}  // namespace

void bind_ops(py::module_& module) {
  using py::arg;
  py::class_<ArrayBlock>(module, "ArrayBlock")
      .def(py::init<std::int32_t, Indices, Indices>(), arg("num_src"), arg("indptr").noconvert(),
           arg("indices").noconvert());
  const auto backend = arg("backend");
  const auto block = arg("block");
  const auto weights = arg("weights").noconvert();
  module.def("aggregate", &aggregate, backend, block, weights, arg("x"), arg("out"));
  module.def("aggregate_backward", &aggregate_backward, backend, block, weights, arg("grad_out"),
             arg("grad_x"));
  module.def("aggregate_heads", &binary<&Backend::aggregate_heads>, backend, block, arg("weights"), arg("x"),
             arg("out"));
  module.def("aggregate_heads_backward", &binary<&Backend::aggregate_heads_backward>, backend, block,
             arg("weights"), arg("grad_out"), arg("grad_x"));
  module.def("aggregate_max", &aggregate_max, backend, block, arg("x"), arg("out"), arg("argmax").noconvert());
  module.def("aggregate_max_backward", &aggregate_max_backward, backend, block, arg("argmax").noconvert(),
             arg("grad_out"), arg("grad_x"));
  module.def("edge_dot", &binary<&Backend::edge_dot>, backend, block, arg("x"), arg("y"), arg("out"));
  module.def("edge_softmax", &edge_softmax, backend, block, arg("scores"), arg("out"));
  module.def("edge_softmax_backward", &binary<&Backend::edge_softmax_backward>, backend, block, arg("out"),
             arg("grad_out"), arg("grad_scores"));
}

}  // namespace kith::python
