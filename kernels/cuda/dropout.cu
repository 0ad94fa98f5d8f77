#include <Random123/philox.h>

#include <cstdint>

#include "kernels/cuda/dropout.h"
#include "kernels/cuda/threads.cuh"
#include "kernels/dispatch.h"
#include "kernels/dropout_mask.h"

namespace kith::cuda {
namespace {

static_assert(kThreads % kDropoutLanes == 0);

/// A bias a column, or none.
template <typename T>
struct Bias {
  const T* values;  ///< [cols], or null
  std::int32_t cols;

  __device__ T operator[](std::int64_t i) const { return values == nullptr ? T{0} : values[i % cols]; }
};

/// One thread a call of the generator: its 8 elements lie kDropoutLanes apart, so a warp reads whole lines.
template <typename T>
__global__ void relu_dropout_kernel(DropoutMask mask, T scale, Bias<T> bias, std::int64_t count, T* x) {
  const std::int64_t call = thread_index();
  const std::int64_t first = call / kDropoutLanes * kDropoutBlock + call % kDropoutLanes;
  if (first >= count) return;
  const r123::Philox4x32::ctr_type counter{{static_cast<std::uint32_t>(call),
                                            static_cast<std::uint32_t>(call >> 32) | mask.step_high, mask.step,
                                            mask.layer}};
  const r123::Philox4x32::key_type key{{mask.key[0], mask.key[1]}};
  const r123::Philox4x32::ctr_type words = r123::Philox4x32()(counter, key);
  for (int draw = 0; draw < 8; ++draw) {
    const std::int64_t i = first + draw * kDropoutLanes;
    if (i >= count) return;
    const std::uint32_t bits = draw % 2 == 0 ? words[draw / 2] & 0xffff : words[draw / 2] >> 16;
    const T scaled = (x[i] + bias[i]) * scale;
    const T positive = scaled <= T{0} ? T{0} : scaled;  // NaN stays NaN, so that a diverged run is seen
    x[i] = bits < mask.threshold ? T{0} : positive;
  }
}

template <typename T>
__global__ void relu_kernel(Bias<T> bias, std::int64_t count, T* x) {
  const std::int64_t i = thread_index();
  if (i >= count) return;
  const T value = x[i] + bias[i];
  x[i] = value <= T{0} ? T{0} : value;
}

template <typename T>
__global__ void backward_kernel(T scale, std::int64_t count, const T* y, T* grad) {
  const std::int64_t i = thread_index();
  if (i < count) grad[i] = y[i] > T{0} ? grad[i] * scale : T{0};
}

}  // namespace

void bias_relu_dropout(const Context& context, const Tensor* bias, const Dropout& dropout, Tensor& x) {
  with_scalar(x.scalar(), [&](auto zero) {
    using T = decltype(zero);
    const Bias<T> column_bias{.values = bias == nullptr ? nullptr : bias->data<T>(),
                              .cols = static_cast<std::int32_t>(x.cols())};
    if (dropout.rate == 0) {
      return launch(&relu_kernel<T>, shape_for(context, x.size()), column_bias, x.size(), x.data<T>());
    }
    const std::int64_t num_calls = ceil_div(x.size(), kDropoutBlock) * kDropoutLanes;
    launch(&relu_dropout_kernel<T>, shape_for(context, num_calls), make_dropout_mask(dropout),
           static_cast<T>(1 / (1 - dropout.rate)), column_bias, x.size(), x.data<T>());
  });
}

void relu_dropout_backward(const Context& context, const Dropout& dropout, const Tensor& y, Tensor& grad) {
  with_scalar(grad.scalar(), [&](auto zero) {
    using T = decltype(zero);
    launch(&backward_kernel<T>, shape_for(context, grad.size()), static_cast<T>(1 / (1 - dropout.rate)),
           grad.size(), y.data<T>(), grad.data<T>());
  });
}

}  // namespace kith::cuda
