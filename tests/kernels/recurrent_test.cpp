#include <gtest/gtest.h>

#include <algorithm>

#include "graph/errors.h"
#include "tests/kernels/on_device.h"

namespace kith {
namespace {

using test::expect_close;
using test::expect_gradient;
using test::joined;
using test::random_values;
using Values = std::vector<double>;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// The naive LSTM step, in double precision: activations, cell, hidden.
std::vector<Values> naive_cell(std::size_t n, std::size_t units, const Values& sums, const Values& previous) {
  Values gates(sums), cell(n * units), hidden(n * units);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < units; ++j) {
      const auto gate = [&](std::size_t which) -> double& { return gates[(i * 4 + which) * units + j]; };
      gate(0) = sigmoid(gate(0));
      gate(1) = sigmoid(gate(1));
      gate(2) = std::tanh(gate(2));
      gate(3) = sigmoid(gate(3));
      cell[i * units + j] = gate(1) * previous[i * units + j] + gate(0) * gate(2);
      hidden[i * units + j] = gate(3) * std::tanh(cell[i * units + j]);
    }
  }
  return {gates, cell, hidden};
}

class Recurrent : public test::OnDevice {
 protected:
  void embed(const Tensor& table, const std::vector<std::int32_t>& ids, Tensor& out) {
    const DeviceArrays arrays = backend_->to_device(std::span<const std::int32_t>(ids));
    backend_->wait_for(arrays);
    backend_->embed(table, arrays.get<std::int32_t>(0), out);
  }

  void embed_backward(const std::vector<std::int32_t>& ids, const Tensor& grad_out, Tensor& grad_table) {
    const DeviceArrays arrays = backend_->to_device(std::span<const std::int32_t>(ids));
    backend_->wait_for(arrays);
    backend_->embed_backward(arrays.get<std::int32_t>(0), grad_out, grad_table);
  }
};

TEST_P(Recurrent, CellAgreesWithANaiveLoop) {
  for (const Scalar scalar : {Scalar::f32, Scalar::f64}) {
    for (const std::size_t n : {0, 1, 70}) {
      constexpr std::size_t kUnits = 9;
      const Values sums = random_values(static_cast<std::int64_t>(n * 4 * kUnits), 1);
      const Values previous = random_values(static_cast<std::int64_t>(n * kUnits), 2);
      const auto rows = static_cast<std::int64_t>(n);
      Tensor gates = tensor(rows, 4 * kUnits, scalar, sums);
      Tensor cell = backend_->empty(rows, kUnits, scalar);
      Tensor hidden = backend_->empty(rows, kUnits, scalar);
      backend_->lstm_cell(gates, tensor(rows, kUnits, scalar, previous), cell, hidden);
      expect_close(joined({values(gates), values(cell), values(hidden)}),
                   joined(naive_cell(n, kUnits, sums, previous)), test::tolerance_of(scalar));
    }
  }
}

TEST_P(Recurrent, CellGradientsAgreeWithFiniteDifferences) {
  constexpr std::size_t kRows = 3, kUnits = 5;
  const Values sums = random_values(kRows * 4 * kUnits, 1), previous = random_values(kRows * kUnits, 2);
  const Values towards_cell = random_values(kRows * kUnits, 3),
               towards_hidden = random_values(kRows * kUnits, 4);
  Tensor gates = tensor(kRows, 4 * kUnits, Scalar::f64, sums);
  const Tensor before = tensor(kRows, kUnits, Scalar::f64, previous);
  Tensor cell = backend_->empty(kRows, kUnits, Scalar::f64);
  Tensor hidden = backend_->empty(kRows, kUnits, Scalar::f64);
  backend_->lstm_cell(gates, before, cell, hidden);
  Tensor grad_cell = tensor(kRows, kUnits, Scalar::f64, towards_cell);
  Tensor grad_gates = backend_->empty(kRows, 4 * kUnits, Scalar::f64);
  backend_->lstm_cell_backward(gates, before, cell, tensor(kRows, kUnits, Scalar::f64, towards_hidden),
                               grad_cell, grad_gates);
  const Values direction = joined({towards_cell, towards_hidden});
  expect_gradient(sums, direction, values(grad_gates), [&](const Values& x) {
    const auto out = naive_cell(kRows, kUnits, x, previous);
    return joined({out[1], out[2]});
  });
  expect_gradient(previous, direction, values(grad_cell), [&](const Values& x) {
    const auto out = naive_cell(kRows, kUnits, sums, x);
    return joined({out[1], out[2]});
  });
}

TEST_P(Recurrent, EmbedsAndAddsTheGradientOfEveryUse) {
  for (const Scalar scalar : {Scalar::f32, Scalar::f64}) {
    constexpr std::int64_t kRows = 6, kCols = 37;
    const Values table = random_values(kRows * kCols, 1);
    std::vector<std::int32_t> ids(600);
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>((i * i) % 5);  // never 5
    const auto n = static_cast<std::int64_t>(ids.size());
    Tensor out = backend_->empty(n, kCols, scalar);
    embed(tensor(kRows, kCols, scalar, table), ids, out);
    const Values grad = random_values(n * kCols, 2);
    Tensor grad_table = tensor(kRows, kCols, scalar, table);  // added to, not overwritten
    embed_backward(ids, tensor(n, kCols, scalar, grad), grad_table);
    Values expected, expected_grad = table;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      for (std::size_t j = 0; j < kCols; ++j) {
        const std::size_t at = static_cast<std::size_t>(ids[i]) * kCols + j;
        expected.push_back(table[at]);
        expected_grad[at] += grad[i * kCols + j];
      }
    }
    EXPECT_EQ(values(out), expected);
    expect_close(values(grad_table), expected_grad, test::tolerance_of(scalar));
  }
}

TEST_P(Recurrent, ClipsTheNormOfAllGradientsTogether) {
  Tensor a = tensor(1, 2, Scalar::f64, Values{3, 0});
  Tensor b = tensor(2, 1, Scalar::f64, Values{0, 4});
  const std::vector<Tensor*> both{&a, &b};
  EXPECT_DOUBLE_EQ(backend_->clip_gradients(both, 10), 5);
  EXPECT_EQ(joined({values(a), values(b)}), (Values{3, 0, 0, 4}));
  EXPECT_DOUBLE_EQ(backend_->clip_gradients(both, 1), 5);
  expect_close(joined({values(a), values(b)}), {0.6, 0, 0, 0.8}, 1e-15);
  EXPECT_THROW(backend_->clip_gradients(both, 0), InvalidArgument);
}

TEST_P(Recurrent, GivesTheSameBitsForAnyNumberOfThreads) {
  const Values sums = random_values(500 * 4 * 16, 1), previous = random_values(500 * 16, 2);
  expect_same_bits_for_any_threads([&] {
    Tensor gates = tensor(500, 64, Scalar::f32, sums);
    Tensor cell = backend_->empty(500, 16, Scalar::f32), hidden = backend_->empty(500, 16, Scalar::f32);
    backend_->lstm_cell(gates, tensor(500, 16, Scalar::f32, previous), cell, hidden);
    Tensor grad = tensor(500, 64, Scalar::f32, sums);
    std::vector<Tensor*> all{&grad};
    Values out = joined({values(hidden), {backend_->clip_gradients(all, 0.1)}, values(grad)});
    Tensor table = backend_->zeros(7, 64, Scalar::f32);
    std::vector<std::int32_t> ids(500);
    for (int i = 0; i < 500; ++i) ids[i] = i % 7;
    embed_backward(ids, grad, table);
    return joined({out, values(table)});
  });
}

TEST_P(Recurrent, RefusesWrongShapes) {
  Tensor gates = backend_->zeros(2, 8, Scalar::f32), cell = backend_->zeros(2, 2, Scalar::f32);
  Tensor hidden = backend_->zeros(2, 2, Scalar::f32), wide = backend_->zeros(2, 3, Scalar::f32);
  EXPECT_THROW(backend_->lstm_cell(wide, cell, cell, hidden), InvalidArgument);
  EXPECT_THROW(backend_->lstm_cell(gates, wide, cell, hidden), InvalidArgument);
  EXPECT_THROW(backend_->lstm_cell_backward(gates, cell, cell, wide, hidden, gates), InvalidArgument);
  EXPECT_THROW(embed_backward({0}, hidden, cell), InvalidArgument);
  EXPECT_THROW(embed(cell, {0}, hidden), InvalidArgument);
}

KITH_ON_EVERY_DEVICE(Recurrent);

}  // namespace
}  // namespace kith
