#include <algorithm>
#include <cmath>
#include <cstdint>

#include "graph/types.h"
#include "kernels/adam_step.h"
#include "kernels/cuda/block_sum.cuh"
#include "kernels/cuda/threads.cuh"
#include "kernels/cuda/training.h"
#include "kernels/dispatch.h"

namespace kith::cuda {
namespace {

constexpr int kLossThreads = 256;   // a warp a row
constexpr int kTotalThreads = 512;  // one block sums all rows: fixes the order
constexpr int kAdamThreads = 256;
constexpr int kAdamValuesPerThread = 4;
constexpr int kMaxAdamTensors = 32;  // a launch's arguments hold 4 KiB

/// What one row adds to the totals.
struct RowLoss {
  double loss = 0;
  std::int32_t correct = 0;
  std::int32_t counted = 0;
};

/// counted = labels that are a class. One block.
__global__ void count_labels_kernel(const std::int32_t* labels, std::int64_t count, double* counted) {
  double own = 0;
  for (std::int64_t i = threadIdx.x; i < count; i += blockDim.x) own += labels[i] == kNoLabel ? 0 : 1;
  const double sum = block_sum(own, shared_memory<double>());
  if (threadIdx.x == 0) *counted = sum;
}

template <typename T>
__device__ T warp_sum(T value) {
  for (int offset = kWarpSize / 2; offset > 0; offset /= 2) value += __shfl_xor_sync(kFullWarp, value, offset);
  return value;
}

/// The largest logit of a row and the first place where it is.
template <typename T>
struct Largest {
  T value;
  std::int32_t at;
};

template <typename T>
__device__ Largest<T> warp_largest(const T* row, std::int32_t classes, int lane) {
  Largest<T> best{.value = -INFINITY, .at = classes};
  for (std::int32_t j = lane; j < classes; j += kWarpSize) {
    if (row[j] > best.value || best.at == classes) best = {.value = row[j], .at = j};
  }
  for (int offset = kWarpSize / 2; offset > 0; offset /= 2) {
    const T value = __shfl_xor_sync(kFullWarp, best.value, offset);
    const std::int32_t at = __shfl_xor_sync(kFullWarp, best.at, offset);
    const bool is_better =
        at < classes && (value > best.value || (value == best.value && at < best.at) || best.at == classes);
    if (is_better) best = {.value = value, .at = at};
  }
  return best;
}

/// Loss and gradient of one row a warp. counted: rows with a label; gradient: may be null.
template <typename T>
__global__ void loss_kernel(const T* logits, const std::int32_t* labels, std::int64_t rows,
                            std::int32_t classes, const double* counted, T* gradient, RowLoss* losses) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const std::int64_t i = thread_index() / kWarpSize;
  if (i >= rows) return;
  const std::int32_t label = labels[i];
  const T* const row = logits + i * classes;
  T* const row_gradient = gradient == nullptr ? nullptr : gradient + i * classes;
  if (label == kNoLabel) {
    for (std::int32_t j = lane; row_gradient != nullptr && j < classes; j += kWarpSize) row_gradient[j] = 0;
    if (lane == 0) losses[i] = {};
    return;
  }
  const Largest<T> largest = warp_largest(row, classes, lane);
  double sum = 0;
  for (std::int32_t j = lane; j < classes; j += kWarpSize)
    sum += static_cast<double>(exp(row[j] - largest.value));
  sum = warp_sum(sum);
  if (row_gradient != nullptr) {
    const T share = T{1} / static_cast<T>(*counted);
    const T factor = share / static_cast<T>(sum);
    for (std::int32_t j = lane; j < classes; j += kWarpSize) {
      row_gradient[j] = exp(row[j] - largest.value) * factor - (j == label ? share : T{0});
    }
  }
  if (lane == 0) {
    losses[i] = {.loss = log(sum) + static_cast<double>(largest.value) - static_cast<double>(row[label]),
                 .correct = largest.at == label ? 1 : 0,
                 .counted = 1};
  }
}

/// totals[0:3] += the sums over the rows. One block.
__global__ void add_losses_kernel(const RowLoss* losses, std::int64_t rows, double* totals) {
  double* const shared = shared_memory<double>();
  double own[3] = {0, 0, 0};
  for (std::int64_t i = threadIdx.x; i < rows; i += blockDim.x) {
    own[0] += losses[i].loss;
    own[1] += losses[i].correct;
    own[2] += losses[i].counted;
  }
  for (int which = 0; which < 3; ++which) {
    const double sum = block_sum(own[which], shared);
    if (threadIdx.x == 0) totals[which] += sum;
  }
}

/// The tensors of one Adam launch.
template <typename T>
struct AdamTensors {
  struct One {
    T* value;
    const T* gradient;
    T* first_moment;
    T* second_moment;
    T* average;  ///< or null
    std::int64_t size;
  };
  One tensors[kMaxAdamTensors];
  int count = 0;
};

/// blockIdx.y: which tensor.
template <typename T>
__global__ void adam_kernel(AdamTensors<T> tensors, AdamStep<T> s) {
  const typename AdamTensors<T>::One& p = tensors.tensors[blockIdx.y];
  const std::int64_t first =
      static_cast<std::int64_t>(blockIdx.x) * kAdamThreads * kAdamValuesPerThread + threadIdx.x;
  for (int k = 0; k < kAdamValuesPerThread; ++k) {
    const std::int64_t i = first + k * kAdamThreads;
    if (i >= p.size) return;
    const T g = p.gradient[i] + s.weight_decay * p.value[i];
    const T m = s.beta1 * p.first_moment[i] + (T{1} - s.beta1) * g;
    const T v = s.beta2 * p.second_moment[i] + (T{1} - s.beta2) * g * g;
    p.first_moment[i] = m;
    p.second_moment[i] = v;
    const T value = p.value[i] - s.step_size * m / (sqrt(v) * s.inverse_root + s.epsilon);
    p.value[i] = value;
    if (p.average != nullptr) p.average[i] += s.average_share * (value - p.average[i]);
  }
}

template <typename T>
void adam_typed(const Context& context, std::span<const AdamParameter> parameters, const AdamStep<T>& step) {
  constexpr std::int64_t kBlockValues = kAdamThreads * kAdamValuesPerThread;
  AdamTensors<T> tensors;
  std::int64_t largest = 0;
  const auto flush = [&] {
    const LaunchShape shape{.grid = dim3(static_cast<unsigned>(ceil_div(largest, kBlockValues)),
                                         static_cast<unsigned>(tensors.count)),
                            .block = dim3(kAdamThreads),
                            .stream = context.stream};
    launch(&adam_kernel<T>, shape, tensors, step);
    tensors.count = 0;
    largest = 0;
  };
  constexpr Scalar kScalar = sizeof(T) == sizeof(float) ? Scalar::f32 : Scalar::f64;
  for (const AdamParameter& p : parameters) {
    if (p.value->scalar() != kScalar) continue;
    tensors.tensors[tensors.count++] = {.value = p.value->data<T>(),
                                        .gradient = p.gradient->data<T>(),
                                        .first_moment = p.first_moment->data<T>(),
                                        .second_moment = p.second_moment->data<T>(),
                                        .average = p.average == nullptr ? nullptr : p.average->data<T>(),
                                        .size = p.value->size()};
    largest = std::max(largest, p.value->size());
    if (tensors.count == kMaxAdamTensors) flush();
  }
  flush();
}

}  // namespace

void softmax_cross_entropy(const Context& context, const Tensor& logits, std::span<const std::int32_t> labels,
                           Tensor* gradient, Tensor& totals) {
  const std::int64_t rows = logits.rows();
  const LaunchShape one_block{.grid = dim3(1),
                              .block = dim3(kTotalThreads),
                              .shared_bytes = kTotalThreads * sizeof(double),
                              .stream = context.stream};
  const Tensor::Buffer counted = context.memory.acquire_array<double>(1);
  const Tensor::Buffer losses = context.memory.acquire_array<RowLoss>(rows);
  launch(&count_labels_kernel, one_block, labels.data(), rows, array_of<double>(counted));
  with_scalar(logits.scalar(), [&](auto zero) {
    using T = decltype(zero);
    const LaunchShape shape{.grid = dim3(static_cast<unsigned>(ceil_div(rows * kWarpSize, kLossThreads))),
                            .block = dim3(kLossThreads),
                            .stream = context.stream};
    launch(&loss_kernel<T>, shape, logits.data<T>(), labels.data(), rows,
           static_cast<std::int32_t>(logits.cols()), array_of<double>(counted),
           gradient == nullptr ? nullptr : gradient->data<T>(), array_of<RowLoss>(losses));
  });
  launch(&add_losses_kernel, one_block, array_of<RowLoss>(losses), rows, totals.data<double>());
}

void adam(const Context& context, std::span<const AdamParameter> parameters, const AdamOptions& options,
          std::int64_t step) {
  adam_typed<float>(context, parameters, make_adam_step<float>(options, step));
  adam_typed<double>(context, parameters, make_adam_step<double>(options, step));
}

}  // namespace kith::cuda
