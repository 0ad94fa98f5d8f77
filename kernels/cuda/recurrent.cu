#include <cmath>
#include <cstdint>

#include "kernels/cuda/aggregate.h"
#include "kernels/cuda/block_sum.cuh"
#include "kernels/cuda/check.h"
#include "kernels/cuda/dense.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/recurrent.h"
#include "kernels/dispatch.h"

namespace kith::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kNormThreads = 512;  // one block a tensor: fixes the order of the sum

LaunchShape one_thread_each(const Context& context, std::int64_t count) {
  return {.grid = dim3(static_cast<unsigned>(ceil_div(count, kThreads))),
          .block = dim3(kThreads),
          .stream = context.stream};
}

__global__ void number_kernel(std::int64_t count, std::int32_t* out) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < count) out[i] = static_cast<std::int32_t>(i);
}

template <typename T>
__device__ T sigmoid(T x) {
  return T{1} / (T{1} + exp(-x));
}

/// One unit a thread. gates: the sums of i, f, g, o of a row, one after another; their activations afterwards.
template <typename T>
__global__ void lstm_cell_kernel(std::int64_t count, std::int32_t units, T* gates, const T* previous_cell,
                                 T* cell, T* hidden) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  T* const row = gates + i / units * 4 * units + i % units;
  const T input = sigmoid(row[0]);
  const T forget = sigmoid(row[units]);
  const T fresh = tanh(row[2 * units]);
  const T output = sigmoid(row[3 * units]);
  row[0] = input;
  row[units] = forget;
  row[2 * units] = fresh;
  row[3 * units] = output;
  const T next = forget * previous_cell[i] + input * fresh;
  cell[i] = next;
  hidden[i] = output * tanh(next);
}

/// The arrays of one step backwards.
template <typename T>
struct BackwardCall {
  const T* gates;
  const T* previous_cell;
  const T* cell;
  const T* grad_hidden;
  T* grad_cell;
  T* grad_gates;
};

template <typename T>
__global__ void lstm_cell_backward_kernel(std::int64_t count, std::int32_t units, BackwardCall<T> call) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const std::int64_t at = i / units * 4 * units + i % units;
  const T* const row = call.gates + at;
  T* const grad_row = call.grad_gates + at;
  const T input = row[0], forget = row[units], fresh = row[2 * units], output = row[3 * units];
  const T squashed = tanh(call.cell[i]);
  const T grad = call.grad_cell[i] + call.grad_hidden[i] * output * (T{1} - squashed * squashed);
  grad_row[0] = grad * fresh * input * (T{1} - input);
  grad_row[units] = grad * call.previous_cell[i] * forget * (T{1} - forget);
  grad_row[2 * units] = grad * input * (T{1} - fresh * fresh);
  grad_row[3 * units] = call.grad_hidden[i] * squashed * output * (T{1} - output);
  call.grad_cell[i] = grad * forget;
}

/// *sum += the squares of x. One block.
template <typename T>
__global__ void add_squares_kernel(const T* x, std::int64_t count, double* sum) {
  double own = 0;
  for (std::int64_t i = threadIdx.x; i < count; i += blockDim.x) {
    own += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
  const double all = block_sum(own, shared_memory<double>());
  if (threadIdx.x == 0) *sum += all;
}

}  // namespace

void embed_backward(const Context& context, std::span<const std::int32_t> ids, const Tensor& grad_out,
                    Tensor& grad_table) {
  // A block in which row i hears from ids[i] alone: its mean is the row, and its gradient adds in the order of
  // i.
  const auto count = static_cast<std::int64_t>(ids.size()) + 1;
  const Tensor::Buffer offsets = context.memory.acquire_array<std::int32_t>(count);
  launch(&number_kernel, one_thread_each(context, count), count, array_of<std::int32_t>(offsets));
  const BlockCsrView block{.num_sources = static_cast<std::int32_t>(grad_table.rows()),
                           .offsets = {array_of<std::int32_t>(offsets), static_cast<std::size_t>(count)},
                           .sources = ids};
  aggregate_backward(context, block, {}, grad_out, grad_table);
}

void lstm_cell(const Context& context, Tensor& gates, const Tensor& previous_cell, Tensor& cell,
               Tensor& hidden) {
  with_scalar(cell.scalar(), [&](auto zero) {
    using T = decltype(zero);
    launch(&lstm_cell_kernel<T>, one_thread_each(context, cell.size()), cell.size(),
           static_cast<std::int32_t>(cell.cols()), gates.data<T>(), previous_cell.data<T>(), cell.data<T>(),
           hidden.data<T>());
  });
}

void lstm_cell_backward(const Context& context, const LstmCellPass& pass, Tensor& grad_cell,
                        Tensor& grad_gates) {
  with_scalar(pass.cell.scalar(), [&](auto zero) {
    using T = decltype(zero);
    launch(&lstm_cell_backward_kernel<T>, one_thread_each(context, pass.cell.size()), pass.cell.size(),
           static_cast<std::int32_t>(pass.cell.cols()),
           BackwardCall<T>{.gates = pass.gates.data<T>(),
                           .previous_cell = pass.previous_cell.data<T>(),
                           .cell = pass.cell.data<T>(),
                           .grad_hidden = pass.grad_hidden.data<T>(),
                           .grad_cell = grad_cell.data<T>(),
                           .grad_gates = grad_gates.data<T>()});
  });
}

double clip_gradients(const Context& context, std::span<Tensor* const> gradients, double max_norm) {
  Tensor sum = context.memory.acquire(1, 1, Scalar::f64);
  fill(context, 0, sum);
  for (const Tensor* const gradient : gradients) {
    with_scalar(gradient->scalar(), [&](auto zero) {
      using T = decltype(zero);
      launch(&add_squares_kernel<T>,
             LaunchShape{.grid = dim3(1),
                         .block = dim3(kNormThreads),
                         .shared_bytes = kNormThreads * sizeof(double),
                         .stream = context.stream},
             gradient->data<T>(), gradient->size(), sum.data<double>());
    });
  }
  double squares = 0;
  CUDA_CHECK(
      cudaMemcpyAsync(&squares, sum.data<double>(), sizeof squares, cudaMemcpyDeviceToHost, context.stream));
  CUDA_CHECK(cudaStreamSynchronize(context.stream));
  const double norm = std::sqrt(squares);
  if (norm > max_norm) {
    for (Tensor* const gradient : gradients) scale(context, max_norm / norm, *gradient);
  }
  return norm;
}

}  // namespace kith::cuda
