#include <cmath>
#include <cstdint>

#include "kernels/cuda/block_sum.cuh"
#include "kernels/cuda/recurrent.h"
#include "kernels/cuda/threads.cuh"
#include "kernels/dispatch.h"

namespace kith::cuda {
namespace {

constexpr int kColumnThreads = 32;
constexpr int kSumThreads = 512;  // one block sums a tensor: fixes the order

/// A thread a value.
template <typename T>
__global__ void embed_kernel(const T* table, const std::int32_t* ids, std::int64_t count, std::int64_t cols,
                             T* out) {
  const std::int64_t i = thread_index();
  if (i >= count) return;
  out[i] = table[ids[i / cols] * cols + i % cols];
}

/// A thread a column: ids may repeat, and the order of the sum is that of i.
template <typename T>
__global__ void embed_backward_kernel(const std::int32_t* ids, std::int64_t num_ids, std::int64_t cols,
                                      const T* grad_out, T* grad_table) {
  const std::int64_t j = thread_index();
  if (j >= cols) return;
  for (std::int64_t i = 0; i < num_ids; ++i) grad_table[ids[i] * cols + j] += grad_out[i * cols + j];
}

template <typename T>
__device__ T sigmoid(T x) {
  return T{1} / (T{1} + exp(-x));
}

/// A thread a unit of a sequence.
template <typename T>
__global__ void lstm_cell_kernel(std::int64_t count, std::int64_t units, T* gates, const T* previous_cell,
                                 T* cell, T* hidden) {
  const std::int64_t i = thread_index();
  if (i >= count) return;
  T* const own = gates + i / units * 4 * units + i % units;
  const T input = sigmoid(own[0]), forget = sigmoid(own[units]);
  const T fresh = tanh(own[2 * units]), output = sigmoid(own[3 * units]);
  own[0] = input;
  own[units] = forget;
  own[2 * units] = fresh;
  own[3 * units] = output;
  cell[i] = forget * previous_cell[i] + input * fresh;
  hidden[i] = output * tanh(cell[i]);
}

template <typename T>
struct LstmArrays {
  const T* gates;
  const T* previous_cell;
  const T* cell;
  const T* grad_hidden;
};

/// A thread a unit of a sequence.
template <typename T>
__global__ void lstm_cell_backward_kernel(std::int64_t count, std::int64_t units, LstmArrays<T> in,
                                          T* grad_cell, T* grad_gates) {
  const std::int64_t i = thread_index();
  if (i >= count) return;
  const std::int64_t first = i / units * 4 * units + i % units;
  const T input = in.gates[first], forget = in.gates[first + units];
  const T fresh = in.gates[first + 2 * units], output = in.gates[first + 3 * units];
  const T squashed = tanh(in.cell[i]);
  const T grad = grad_cell[i] + in.grad_hidden[i] * output * (T{1} - squashed * squashed);
  grad_gates[first] = grad * fresh * input * (T{1} - input);
  grad_gates[first + units] = grad * in.previous_cell[i] * forget * (T{1} - forget);
  grad_gates[first + 2 * units] = grad * input * (T{1} - fresh * fresh);
  grad_gates[first + 3 * units] = in.grad_hidden[i] * squashed * output * (T{1} - output);
  grad_cell[i] = grad * forget;
}

/// One block.
template <typename T>
__global__ void add_squares_kernel(const T* values, std::int64_t count, double* sum) {
  double own = 0;
  for (std::int64_t i = threadIdx.x; i < count; i += blockDim.x) {
    own += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  }
  const double all = block_sum(own, shared_memory<double>());
  if (threadIdx.x == 0) *sum += all;
}

template <typename T>
__global__ void clip_kernel(const double* sum, double max_norm, std::int64_t count, T* values) {
  const std::int64_t i = thread_index();
  const double norm = sqrt(*sum);
  if (i < count && norm > max_norm) values[i] *= static_cast<T>(max_norm / norm);
}

}  // namespace

void embed(const Context& context, const Tensor& table, std::span<const std::int32_t> ids, Tensor& out) {
  with_scalar(table.scalar(), [&](auto zero) {
    using T = decltype(zero);
    launch(&embed_kernel<T>, shape_for(context, out.size()), table.data<T>(), ids.data(), out.size(),
           out.cols(), out.data<T>());
  });
}

void embed_backward(const Context& context, std::span<const std::int32_t> ids, const Tensor& grad_out,
                    Tensor& grad_table) {
  with_scalar(grad_table.scalar(), [&](auto zero) {
    using T = decltype(zero);
    launch(&embed_backward_kernel<T>, shape_for(context, grad_table.cols(), kColumnThreads), ids.data(),
           static_cast<std::int64_t>(ids.size()), grad_table.cols(), grad_out.data<T>(), grad_table.data<T>());
  });
}

void lstm_cell(const Context& context, Tensor& gates, const Tensor& previous_cell, Tensor& cell,
               Tensor& hidden) {
  with_scalar(cell.scalar(), [&](auto zero) {
    using T = decltype(zero);
    launch(&lstm_cell_kernel<T>, shape_for(context, cell.size()), cell.size(), cell.cols(), gates.data<T>(),
           previous_cell.data<T>(), cell.data<T>(), hidden.data<T>());
  });
}

void lstm_cell_backward(const Context& context, const LstmCellPass& pass, Tensor& grad_cell,
                        Tensor& grad_gates) {
  with_scalar(pass.cell.scalar(), [&](auto zero) {
    using T = decltype(zero);
    const LstmArrays<T> in{.gates = pass.gates.data<T>(),
                           .previous_cell = pass.previous_cell.data<T>(),
                           .cell = pass.cell.data<T>(),
                           .grad_hidden = pass.grad_hidden.data<T>()};
    launch(&lstm_cell_backward_kernel<T>, shape_for(context, grad_cell.size()), grad_cell.size(),
           grad_cell.cols(), in, grad_cell.data<T>(), grad_gates.data<T>());
  });
}

void add_squares(const Context& context, const Tensor& x, Tensor& sum) {
  const LaunchShape one_block{.grid = dim3(1),
                              .block = dim3(kSumThreads),
                              .shared_bytes = kSumThreads * sizeof(double),
                              .stream = context.stream};
  with_scalar(x.scalar(), [&](auto zero) {
    using T = decltype(zero);
    launch(&add_squares_kernel<T>, one_block, x.data<T>(), x.size(), sum.data<double>());
  });
}

void clip(const Context& context, const Tensor& sum, double max_norm, Tensor& x) {
  with_scalar(x.scalar(), [&](auto zero) {
    using T = decltype(zero);
    launch(&clip_kernel<T>, shape_for(context, x.size()), sum.data<double>(), max_norm, x.size(), x.data<T>());
  });
}

}  // namespace kith::cuda
