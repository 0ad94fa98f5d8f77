#include "kernels/cpu/training.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/adam_step.h"
#include "kernels/cpu/multiversion.h"
#include "kernels/cpu/parallel.h"
#include "kernels/dispatch.h"

namespace kith::cpu {
namespace {

constexpr std::int64_t kLossTileRows = 128;  // fixes the shape of the sum of the losses
constexpr std::int64_t kAdamTileValues = 1 << 14;

/// One row: adds its loss to `result` and writes its gradient, scaled by `share`, if asked.
template <typename T>
void add_row_loss(const T* logits, std::int64_t classes, std::int32_t label, T share, T* gradient,
                  LossResult& result) {
  const T* const largest = std::max_element(logits, logits + classes);
  // Without the maximum the exponentials of large logits would overflow.
  double sum = 0;
  for (std::int64_t j = 0; j < classes; ++j) {
    const T term = std::exp(logits[j] - *largest);
    sum += static_cast<double>(term);
    if (gradient != nullptr) {
      gradient[j] = term;
    }
  }
  result.loss += std::log(sum) + static_cast<double>(*largest) - static_cast<double>(logits[label]);
  result.correct += largest - logits == label ? 1 : 0;
  ++result.counted;
  if (gradient != nullptr) {
    const T factor = share / static_cast<T>(sum);
    for (std::int64_t j = 0; j < classes; ++j) {
      gradient[j] *= factor;
    }
    gradient[label] -= share;
  }
}

template <typename T>
KITH_MULTIVERSION void adam_range(const AdamStep<T>& step, std::int64_t count, const T* __restrict gradient,
                                  T* __restrict value, T* __restrict first_moment,
                                  T* __restrict second_moment) {
  const AdamStep<T> s = step;
  for (std::int64_t i = 0; i < count; ++i) {
    const T g = gradient[i] + s.weight_decay * value[i];
    const T m = s.beta1 * first_moment[i] + (T{1} - s.beta1) * g;
    const T v = s.beta2 * second_moment[i] + (T{1} - s.beta2) * g * g;
    first_moment[i] = m;
    second_moment[i] = v;
    value[i] -= s.step_size * m / (std::sqrt(v) * s.inverse_root + s.epsilon);
  }
}

template <typename T>
KITH_MULTIVERSION void average_range(T share, std::int64_t count, const T* __restrict value,
                                     T* __restrict average) {
  for (std::int64_t i = 0; i < count; ++i) average[i] += share * (value[i] - average[i]);
}

template <typename T>
void adam_tile(const AdamStep<T>& step, const AdamParameter& p, std::int64_t first) {
  const std::int64_t count = std::min(kAdamTileValues, p.value->size() - first);
  adam_range<T>(step, count, p.gradient->data<T>() + first, p.value->data<T>() + first,
                p.first_moment->data<T>() + first, p.second_moment->data<T>() + first);
  if (p.average == nullptr) return;
  average_range<T>(step.average_share, count, p.value->data<T>() + first, p.average->data<T>() + first);
}

}  // namespace

LossResult softmax_cross_entropy(const Tensor& logits, std::span<const std::int32_t> labels, Tensor* gradient) {
  const std::int64_t classes = logits.cols();
  const auto unlabelled = std::count(labels.begin(), labels.end(), kNoLabel);
  const std::int64_t counted = logits.rows() - unlabelled;
  std::vector<LossResult> parts(static_cast<std::size_t>(count_tiles(logits.rows(), kLossTileRows)));
  with_scalar(logits.scalar(), [&](auto zero) {
    using T = decltype(zero);
    const T share = counted > 0 ? T{1} / static_cast<T>(counted) : T{0};
    for_tiles(logits.rows(), kLossTileRows, [&](std::int64_t tile, std::int64_t first, std::int64_t last) {
      LossResult part;
      for (std::int64_t i = first; i < last; ++i) {
        T* const row_gradient = gradient == nullptr ? nullptr : gradient->data<T>() + i * classes;
        if (labels[i] != kNoLabel) {
          add_row_loss<T>(logits.data<T>() + i * classes, classes, labels[i], share, row_gradient, part);
        } else if (row_gradient != nullptr) {
          std::fill_n(row_gradient, classes, T{0});
        }
      }
      parts[static_cast<std::size_t>(tile)] = part;
    });
  });
  LossResult total;
  for (const LossResult& part : parts) {
    total.loss += part.loss;
    total.correct += part.correct;
    total.counted += part.counted;
  }
  return total;
}

void adam(std::span<const AdamParameter> parameters, const AdamOptions& options, std::int64_t step) {
  struct Tile {
    const AdamParameter* parameter;
    std::int64_t first;
  };
  std::vector<Tile> tiles;
  for (const AdamParameter& parameter : parameters) {
    for (std::int64_t first = 0; first < parameter.value->size(); first += kAdamTileValues) {
      tiles.push_back({&parameter, first});
    }
  }
  const auto step32 = make_adam_step<float>(options, step);
  const auto step64 = make_adam_step<double>(options, step);
  tbb::parallel_for(std::size_t{0}, tiles.size(), [&](std::size_t i) {
    const AdamParameter& parameter = *tiles[i].parameter;
    if (parameter.value->scalar() == Scalar::f32) {
      adam_tile<float>(step32, parameter, tiles[i].first);
    } else {
      adam_tile<double>(step64, parameter, tiles[i].first);
    }
  });
}

}  // namespace kith::cpu
