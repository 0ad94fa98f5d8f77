#include <algorithm>
#include <cstdint>

#include "kernels/cuda/check.h"
#include "kernels/cuda/column_sums.cuh"
#include "kernels/cuda/dense.h"
#include "kernels/cuda/threads.cuh"
#include "kernels/dispatch.h"

namespace kith::cuda {
namespace {

template <typename T>
__global__ void fill_kernel(T value, std::int64_t count, T* out) {
  const std::int64_t i = thread_index();
  if (i < count) out[i] = value;
}

template <typename T>
__global__ void scale_kernel(T factor, std::int64_t count, T* x) {
  const std::int64_t i = thread_index();
  if (i < count) x[i] *= factor;
}

template <typename T>
__global__ void add_bias_kernel(const T* bias, std::int64_t count, std::int32_t cols, T* x) {
  const std::int64_t i = thread_index();
  if (i < count) x[i] += bias[i % cols];
}

}  // namespace

void fill(const Context& context, double value, Tensor& x) {
  if (x.empty()) return;
  if (value == 0) {
    const std::size_t bytes = static_cast<std::size_t>(x.size()) * size_of(x.scalar());
    CUDA_CHECK(cudaMemsetAsync(x.data<std::byte>(), 0, bytes, context.stream));
    return;
  }
  with_scalar(x.scalar(), [&](auto zero) {
    using T = decltype(zero);
    launch(&fill_kernel<T>, shape_for(context, x.size()), static_cast<T>(value), x.size(), x.data<T>());
  });
}

void scale(const Context& context, double factor, Tensor& x) {
  if (factor == 0) return fill(context, 0, x);
  with_scalar(x.scalar(), [&](auto zero) {
    using T = decltype(zero);
    launch(&scale_kernel<T>, shape_for(context, x.size()), static_cast<T>(factor), x.size(), x.data<T>());
  });
}

void add_bias(const Context& context, const Tensor& bias, Tensor& x) {
  with_scalar(x.scalar(), [&](auto zero) {
    using T = decltype(zero);
    launch(&add_bias_kernel<T>, shape_for(context, x.size()), bias.data<T>(), x.size(),
           static_cast<std::int32_t>(x.cols()), x.data<T>());
  });
}

void bias_gradient(const Context& context, const Tensor& grad, Tensor& grad_bias) {
  with_scalar(grad.scalar(), [&](auto zero) {
    using T = decltype(zero);
    const auto cols = static_cast<std::int32_t>(grad.cols());
    column_sums(context, StoredValues<T>{.values = grad.data<T>(), .cols = cols}, grad.rows(), cols,
                grad_bias.data<T>());
  });
}

}  // namespace kith::cuda
