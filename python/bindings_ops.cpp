// The kernels over a caller's own arrays: nothing is copied. kith.torch builds its autograd functions on them.
#include <pybind11/stl.h>

#include <optional>
#include <span>

#include "kernels/backend.h"
#include "python/bindings.h"
#include "python/device_array.h"

namespace kith::python {
namespace {

using Values = py::object;  // a NumPy array or a DeviceArray

/// Without the values: those of the mean.
std::span<const float> weights_of(const Arguments& arguments, const Values& weights) {
  return weights.is_none() ? std::span<const float>() : arguments.floats(weights);
}

void aggregate(Backend& backend, const ArrayBlock& block, const Values& weights, const Values& x,
               const Values& out) {
  const Arguments arguments(backend, block);
  const std::span<const float> edge_weights = weights_of(arguments, weights);
  const Tensor from = arguments.input(x);
  Tensor to = arguments.output(out);
  arguments.run([&] { backend.aggregate(arguments.block(), edge_weights, from, to); });
}

void aggregate_backward(Backend& backend, const ArrayBlock& block, const Values& weights,
                        const Values& grad_out, const Values& grad_x) {
  const Arguments arguments(backend, block);
  const std::span<const float> edge_weights = weights_of(arguments, weights);
  const Tensor from = arguments.input(grad_out);
  Tensor to = arguments.output(grad_x);
  arguments.run([&] { backend.aggregate_backward(arguments.block(), edge_weights, from, to); });
}

void aggregate_max(Backend& backend, const ArrayBlock& block, const Values& x, const Values& out,
                   const Values& argmax) {
  const Arguments arguments(backend, block);
  const Tensor from = arguments.input(x);
  Tensor to = arguments.output(out);
  const std::span<std::int32_t> winners = arguments.ints(argmax);
  arguments.run([&] { backend.aggregate_max(arguments.block(), from, to, winners); });
}

void aggregate_max_backward(Backend& backend, const ArrayBlock& block, const Values& argmax,
                            const Values& grad_out, const Values& grad_x) {
  const Arguments arguments(backend, block);
  const std::span<const std::int32_t> winners = arguments.ints(argmax);
  const Tensor from = arguments.input(grad_out);
  Tensor to = arguments.output(grad_x);
  arguments.run([&] { backend.aggregate_max_backward(arguments.block(), winners, from, to); });
}

void edge_softmax(Backend& backend, const ArrayBlock& block, const Values& scores, const Values& out) {
  const Arguments arguments(backend, block);
  const Tensor from = arguments.input(scores);
  Tensor to = arguments.output(out);
  arguments.run([&] { backend.edge_softmax(arguments.block(), from, to); });
}

/// An operation of two matrices and a block that writes a third.
using BinaryOp = void (Backend::*)(BlockCsrView, const Tensor&, const Tensor&, Tensor&);

template <BinaryOp op>
void binary(Backend& backend, const ArrayBlock& block, const Values& a, const Values& b, const Values& out) {
  const Arguments arguments(backend, block);
  const Tensor first = arguments.input(a);
  const Tensor second = arguments.input(b);
  Tensor to = arguments.output(out);
  arguments.run([&] { (backend.*op)(arguments.block(), first, second, to); });
}

}  // namespace

void bind_ops(py::module_& module) {
  using py::arg;
  bind_device_array(module);
  const auto backend = arg("backend");
  const auto block = arg("block");
  const auto weights = arg("weights");
  module.def("aggregate", &aggregate, backend, block, weights, arg("x"), arg("out"));
  module.def("aggregate_backward", &aggregate_backward, backend, block, weights, arg("grad_out"),
             arg("grad_x"));
  module.def("aggregate_heads", &binary<&Backend::aggregate_heads>, backend, block, weights, arg("x"),
             arg("out"));
  module.def("aggregate_heads_backward", &binary<&Backend::aggregate_heads_backward>, backend, block, weights,
             arg("grad_out"), arg("grad_x"));
  module.def("aggregate_max", &aggregate_max, backend, block, arg("x"), arg("out"), arg("argmax"));
  module.def("aggregate_max_backward", &aggregate_max_backward, backend, block, arg("argmax"), arg("grad_out"),
             arg("grad_x"));
  module.def("edge_dot", &binary<&Backend::edge_dot>, backend, block, arg("x"), arg("y"), arg("out"));
  module.def("edge_softmax", &edge_softmax, backend, block, arg("scores"), arg("out"));
  module.def("edge_softmax_backward", &binary<&Backend::edge_softmax_backward>, backend, block, arg("out"),
             arg("grad_out"), arg("grad_scores"));
}

}  // namespace kith::python
