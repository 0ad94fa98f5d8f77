// What one step of Adam does to every value alike, on every device.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/backend.h"

namespace kith {

/// Factors of one step that are the same for every value.
template <typename T>
struct AdamStep {
  T beta1, beta2, epsilon, weight_decay;
  T step_size;      ///< lr / (1 - beta1^step)
  T inverse_root;   ///< 1 / sqrt(1 - beta2^step)
  T average_share;  ///< that an average takes over from the new value
};

/// step counts from 1.
template <typename T>
AdamStep<T> make_adam_step(const AdamOptions& options, std::int64_t step) {
  const double correction1 = 1 - std::pow(options.beta1, static_cast<double>(step));
  const double correction2 = 1 - std::pow(options.beta2, static_cast<double>(step));
  // The start, which is random, is to be forgotten soon.
  const double decay =
      std::min(options.average_decay, (1.0 + static_cast<double>(step)) / (10.0 + static_cast<double>(step)));
  return {.beta1 = static_cast<T>(options.beta1),
          .beta2 = static_cast<T>(options.beta2),
          .epsilon = static_cast<T>(options.epsilon),
          .weight_decay = static_cast<T>(options.weight_decay),
          .step_size = static_cast<T>(options.lr / correction1),
          .inverse_root = static_cast<T>(1 / std::sqrt(correction2)),
          .average_share = static_cast<T>(1 - decay)};
}

}  // namespace kith
