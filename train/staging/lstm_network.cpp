#include "train/staging/lstm_network.h"

#include <cmath>
#include <utility>

#include "graph/errors.h"
#include "train/initialization.h"

namespace kith {
namespace {

/// Rows of the steps, without the state before the window.
const Tensor steps_of(const Tensor& states, std::int64_t n) { return states.view_rows(n, states.rows() - n); }

/// Rows of the states that the steps started from.
const Tensor starts_of(const Tensor& states, std::int64_t n) { return states.view_rows(0, states.rows() - n); }

}  // namespace

LstmNetwork::LstmNetwork(Backend& backend, const LstmShape& shape) : backend_(backend), shape_(shape) {
  KITH_CHECK(shape.num_tokens > 0 && shape.num_contexts > 0 && shape.token_dim > 0 && shape.context_dim > 0 &&
                 shape.units > 0,
             InvalidArgument, "LstmNetwork: every size must be > 0");
  const ParameterFactory make{backend, shape.scalar, shape.seed};
  const std::int64_t gates = 4 * shape.units;
  const double bound = 1 / std::sqrt(static_cast<double>(shape.units));
  const auto add = [&](const char* name, std::int64_t rows, std::int64_t cols, double limit) {
    parameters_.push_back(make.uniform(name, rows, cols, limit));
  };
  parameters_.reserve(kNumParameters);
  add("token.table", shape.num_tokens, shape.token_dim, 0.5);
  add("context.table", shape.num_contexts, shape.context_dim, 0.5);
  add("lstm.0.token", shape.token_dim, gates, bound);
  add("lstm.0.context", shape.context_dim, gates, bound);
  add("lstm.0.recurrent", shape.units, gates, bound);
  add("lstm.0.bias", 1, gates, 0);
  add("lstm.1.input", shape.units, gates, bound);
  add("lstm.1.recurrent", shape.units, gates, bound);
  add("lstm.1.bias", 1, gates, 0);
  add("output.weight", shape.units, shape.num_tokens, bound);
  add("output.bias", 1, shape.num_tokens, 0);
  // A forget gate that starts open lets gradients reach far back (Jozefowicz et al. 2015).
  std::vector<double> open(static_cast<std::size_t>(gates));
  for (std::int64_t j = shape.units; j < 2 * shape.units; ++j) open[static_cast<std::size_t>(j)] = 1;
  backend.upload(open, value(kBias0));
  backend.upload(open, value(kBias1));
}

LstmState LstmNetwork::zero_state(std::int32_t num_sequences) const {
  LstmState state;
  for (std::size_t i = 0; i < 2; ++i) {
    state.hidden[i] = backend_.zeros(num_sequences, shape_.units, shape_.scalar);
    state.cell[i] = backend_.zeros(num_sequences, shape_.units, shape_.scalar);
  }
  return state;
}

LstmState LstmNetwork::clone(const LstmState& state) const {
  LstmState copy;
  for (std::size_t i = 0; i < 2; ++i) {
    copy.hidden[i] = backend_.clone(state.hidden[i]);
    copy.cell[i] = backend_.clone(state.cell[i]);
  }
  return copy;
}

void LstmNetwork::run_layer(std::int64_t n, const Tensor& recurrent, LayerPass& pass) const {
  for (std::int64_t first = 0; first < pass.gates.rows(); first += n) {
    Tensor gates = pass.gates.view_rows(first, n);
    backend_.matmul(std::as_const(pass.hidden).view_rows(first, n), false, recurrent, false, 1, gates);
    Tensor cell = pass.cell.view_rows(first + n, n), hidden = pass.hidden.view_rows(first + n, n);
    backend_.lstm_cell(gates, std::as_const(pass.cell).view_rows(first, n), cell, hidden);
  }
}

LstmNetwork::Pass LstmNetwork::run(const Ids& ids, std::int64_t n, const LstmState& state) const {
  const auto total = static_cast<std::int64_t>(ids.tokens.size());
  Pass pass;
  pass.token_rows = empty(total, shape_.token_dim);
  pass.context_rows = empty(total, shape_.context_dim);
  backend_.embed(value(kTokenTable), ids.tokens, pass.token_rows);
  backend_.embed(value(kContextTable), ids.contexts, pass.context_rows);
  for (std::size_t i = 0; i < 2; ++i) {
    LayerPass& layer = pass.layers[i];
    layer.gates = empty(total, 4 * shape_.units);
    layer.hidden = empty(total + n, shape_.units);
    layer.cell = empty(total + n, shape_.units);
    Tensor hidden = layer.hidden.view_rows(0, n), cell = layer.cell.view_rows(0, n);
    backend_.copy(state.hidden[i], hidden);
    backend_.copy(state.cell[i], cell);
    if (i == 0) {
      backend_.matmul(pass.token_rows, false, value(kTokenWeight), false, 0, layer.gates);
      backend_.matmul(pass.context_rows, false, value(kContextWeight), false, 1, layer.gates);
    } else {
      backend_.matmul(steps_of(std::as_const(pass.layers[0].hidden), n), false, value(kInput1), false, 0,
                      layer.gates);
    }
    backend_.add_bias(value(i == 0 ? kBias0 : kBias1), layer.gates);
    run_layer(n, value(i == 0 ? kRecurrent0 : kRecurrent1), layer);
  }
  pass.logits = empty(total, shape_.num_tokens);
  backend_.matmul(steps_of(std::as_const(pass.layers[1].hidden), n), false, value(kOutput), false, 0,
                  pass.logits);
  backend_.add_bias(value(kOutputBias), pass.logits);
  return pass;
}

Tensor LstmNetwork::forward(const TokenWindow& window, LstmState& state) const {
  const std::int64_t n = window.num_sequences;
  const DeviceArrays arrays = backend_.to_device(window.tokens, window.contexts);
  backend_.wait_for(arrays);
  Pass pass = run({.tokens = arrays.get<std::int32_t>(0), .contexts = arrays.get<std::int32_t>(1)}, n, state);
  for (std::size_t i = 0; i < 2; ++i) {
    const LayerPass& layer = pass.layers[i];
    backend_.copy(layer.hidden.view_rows(layer.hidden.rows() - n, n), state.hidden[i]);
    backend_.copy(layer.cell.view_rows(layer.cell.rows() - n, n), state.cell[i]);
  }
  return std::move(pass.logits);
}

Tensor LstmNetwork::run_layer_backward(std::int64_t n, Index recurrent, const LayerPass& pass,
                                       Tensor& grad_hidden) {
  Tensor grad_gates = empty(pass.gates.rows(), pass.gates.cols());
  Tensor grad_cell = backend_.zeros(n, shape_.units, shape_.scalar);
  for (std::int64_t first = grad_gates.rows() - n; first >= 0; first -= n) {
    Tensor step_gates = grad_gates.view_rows(first, n);
    backend_.lstm_cell_backward(pass.gates.view_rows(first, n), pass.cell.view_rows(first, n),
                                pass.cell.view_rows(first + n, n),
                                std::as_const(grad_hidden).view_rows(first, n), grad_cell, step_gates);
    if (first == 0) break;
    Tensor before = grad_hidden.view_rows(first - n, n);
    backend_.matmul(step_gates, false, value(recurrent), true, 1, before);
  }
  backend_.matmul_at_b(starts_of(pass.hidden, n), grad_gates, 0, gradient(recurrent));
  return grad_gates;
}

LossResult LstmNetwork::compute_gradients(const TokenWindow& window, std::span<const std::int32_t> targets) {
  const std::int64_t n = window.num_sequences;
  const DeviceArrays arrays = backend_.to_device(window.tokens, window.contexts, targets);
  backend_.wait_for(arrays);
  const Ids ids{.tokens = arrays.get<std::int32_t>(0), .contexts = arrays.get<std::int32_t>(1)};
  const Pass pass = run(ids, n, zero_state(window.num_sequences));
  Tensor grad_logits = empty(pass.logits.rows(), pass.logits.cols());
  Tensor totals = backend_.zero_loss();
  backend_.softmax_cross_entropy(pass.logits, arrays.get<std::int32_t>(2), &grad_logits, totals);

  const Tensor top = steps_of(pass.layers[1].hidden, n);
  backend_.matmul_at_b(top, grad_logits, 0, gradient(kOutput));
  backend_.bias_gradient(grad_logits, gradient(kOutputBias));
  Tensor grad_hidden = empty(top.rows(), shape_.units);
  backend_.matmul(grad_logits, false, value(kOutput), true, 0, grad_hidden);

  const Tensor grad_gates1 = run_layer_backward(n, kRecurrent1, pass.layers[1], grad_hidden);
  backend_.matmul_at_b(steps_of(pass.layers[0].hidden, n), grad_gates1, 0, gradient(kInput1));
  backend_.bias_gradient(grad_gates1, gradient(kBias1));
  backend_.matmul(grad_gates1, false, value(kInput1), true, 0, grad_hidden);

  const Tensor grad_gates0 = run_layer_backward(n, kRecurrent0, pass.layers[0], grad_hidden);
  backend_.bias_gradient(grad_gates0, gradient(kBias0));
  backend_.matmul_at_b(pass.token_rows, grad_gates0, 0, gradient(kTokenWeight));
  backend_.matmul_at_b(pass.context_rows, grad_gates0, 0, gradient(kContextWeight));
  Tensor grad_rows = empty(pass.token_rows.rows(), shape_.token_dim);
  backend_.matmul(grad_gates0, false, value(kTokenWeight), true, 0, grad_rows);
  backend_.fill(gradient(kTokenTable), 0);
  backend_.embed_backward(ids.tokens, grad_rows, gradient(kTokenTable));
  grad_rows = empty(pass.context_rows.rows(), shape_.context_dim);
  backend_.matmul(grad_gates0, false, value(kContextWeight), true, 0, grad_rows);
  backend_.fill(gradient(kContextTable), 0);
  backend_.embed_backward(ids.contexts, grad_rows, gradient(kContextTable));
  return backend_.read_loss(totals);
}

std::vector<Parameter*> LstmNetwork::parameters() {
  std::vector<Parameter*> all;
  for (Parameter& parameter : parameters_) all.push_back(&parameter);
  return all;
}

void LstmNetwork::copy_parameters_from(const LstmNetwork& other) {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    backend_.copy(other.parameters_[i].value, parameters_[i].value);
  }
}

}  // namespace kith
