#include "kernels/cpu/recurrent.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cpu/parallel.h"
#include "kernels/dispatch.h"

namespace kith::cpu {
namespace {

constexpr std::int64_t kEmbedTileRows = 256;
constexpr std::int64_t kEmbedTileCols = 16;  // a tile owns its columns, so that repeated ids need no lock
constexpr std::int64_t kCellTileRows = 32;
constexpr std::int64_t kNormTileValues = 1 << 14;

template <typename T>
T sigmoid(T x) {
  return T{1} / (T{1} + std::exp(-x));
}

/// One sequence. gates: the sums of i, f, g, o, one after another.
template <typename T>
void step_forward(std::int64_t units, T* gates, const T* previous_cell, T* cell, T* hidden) {
  T* const input = gates;
  T* const forget = gates + units;
  T* const fresh = gates + 2 * units;
  T* const output = gates + 3 * units;
  for (std::int64_t j = 0; j < units; ++j) {
    input[j] = sigmoid(input[j]);
    forget[j] = sigmoid(forget[j]);
    fresh[j] = std::tanh(fresh[j]);
    output[j] = sigmoid(output[j]);
    cell[j] = forget[j] * previous_cell[j] + input[j] * fresh[j];
    hidden[j] = output[j] * std::tanh(cell[j]);
  }
}

template <typename T>
void step_backward(std::int64_t row, const LstmCellPass& pass, T* grad_cell, T* grad_gates) {
  const std::int64_t units = pass.cell.cols();
  const T* const gates = pass.gates.data<T>() + row * 4 * units;
  const T* const previous_cell = pass.previous_cell.data<T>() + row * units;
  const T* const cell = pass.cell.data<T>() + row * units;
  const T* const grad_hidden = pass.grad_hidden.data<T>() + row * units;
  for (std::int64_t j = 0; j < units; ++j) {
    const T input = gates[j], forget = gates[units + j], fresh = gates[2 * units + j];
    const T output = gates[3 * units + j];
    const T squashed = std::tanh(cell[j]);
    const T grad = grad_cell[j] + grad_hidden[j] * output * (T{1} - squashed * squashed);
    grad_gates[j] = grad * fresh * input * (T{1} - input);
    grad_gates[units + j] = grad * previous_cell[j] * forget * (T{1} - forget);
    grad_gates[2 * units + j] = grad * input * (T{1} - fresh * fresh);
    grad_gates[3 * units + j] = grad_hidden[j] * squashed * output * (T{1} - output);
    grad_cell[j] = grad * forget;
  }
}

}  // namespace

void embed(const Tensor& table, std::span<const std::int32_t> ids, Tensor& out) {
  const std::int64_t cols = table.cols();
  with_scalar(table.scalar(), [&](auto zero) {
    using T = decltype(zero);
    for_tiles(out.rows(), kEmbedTileRows, [&](std::int64_t, std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) {
        std::copy_n(table.data<T>() + ids[static_cast<std::size_t>(i)] * cols, cols, out.data<T>() + i * cols);
      }
    });
  });
}

void embed_backward(std::span<const std::int32_t> ids, const Tensor& grad_out, Tensor& grad_table) {
  const std::int64_t cols = grad_table.cols();
  with_scalar(grad_table.scalar(), [&](auto zero) {
    using T = decltype(zero);
    for_tiles(cols, kEmbedTileCols, [&](std::int64_t, std::int64_t first, std::int64_t last) {
      const T* grad = grad_out.data<T>();
      for (const std::int32_t id : ids) {
        T* const row = grad_table.data<T>() + id * cols;
        for (std::int64_t j = first; j < last; ++j) row[j] += grad[j];
        grad += cols;
      }
    });
  });
}

void lstm_cell(Tensor& gates, const Tensor& previous_cell, Tensor& cell, Tensor& hidden) {
  const std::int64_t units = cell.cols();
  with_scalar(cell.scalar(), [&](auto zero) {
    using T = decltype(zero);
    for_tiles(cell.rows(), kCellTileRows, [&](std::int64_t, std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) {
        step_forward<T>(units, gates.data<T>() + i * 4 * units, previous_cell.data<T>() + i * units,
                        cell.data<T>() + i * units, hidden.data<T>() + i * units);
      }
    });
  });
}

void lstm_cell_backward(const LstmCellPass& pass, Tensor& grad_cell, Tensor& grad_gates) {
  const std::int64_t units = pass.cell.cols();
  with_scalar(pass.cell.scalar(), [&](auto zero) {
    using T = decltype(zero);
    for_tiles(pass.cell.rows(), kCellTileRows, [&](std::int64_t, std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) {
        step_backward<T>(i, pass, grad_cell.data<T>() + i * units, grad_gates.data<T>() + i * 4 * units);
      }
    });
  });
}

double clip_gradients(std::span<Tensor* const> gradients, double max_norm) {
  double sum = 0;
  for (Tensor* const gradient : gradients) {
    std::vector<double> parts(static_cast<std::size_t>(count_tiles(gradient->size(), kNormTileValues)));
    with_scalar(gradient->scalar(), [&](auto zero) {
      using T = decltype(zero);
      for_tiles(gradient->size(), kNormTileValues,
                [&](std::int64_t tile, std::int64_t first, std::int64_t last) {
                  double part = 0;
                  for (std::int64_t i = first; i < last; ++i) {
                    const auto value = static_cast<double>(gradient->data<T>()[i]);
                    part += value * value;
                  }
                  parts[static_cast<std::size_t>(tile)] = part;
                });
    });
    for (const double part : parts) sum += part;
  }
  const double norm = std::sqrt(sum);
  if (!(norm > max_norm)) return norm;
  for (Tensor* const gradient : gradients) {
    with_scalar(gradient->scalar(), [&](auto zero) {
      using T = decltype(zero);
      const T factor = static_cast<T>(max_norm / norm);
      for_tiles(gradient->size(), kNormTileValues, [&](std::int64_t, std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first; i < last; ++i) gradient->data<T>()[i] *= factor;
      });
    });
  }
  return norm;
}

}  // namespace kith::cpu
