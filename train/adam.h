// The Adam optimiser (Kingma & Ba 2015), weight decay as torch.optim.Adam, and Polyak's averages of what it
// makes.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/backend.h"
#include "train/layer.h"

namespace kith {

/// Owns the moments of one fixed list of parameters, and their averages if options.average_decay > 0.
class Adam {
 public:
  /// Throws InvalidArgument for an option out of range. Parameters must outlive it.
  Adam(Backend& backend, std::vector<Parameter*> parameters, const AdamOptions& options);

  /// Moves every parameter against its gradient.
  void step();

  /// Exchanges every parameter's value with its average; nothing if there are none. An even number of times
  /// before the next step.
  void swap_averages();

 private:
  Backend& backend_;
  AdamOptions options_;
  std::vector<Tensor> moments_;   ///< first and second moment of each parameter in turn
  std::vector<Tensor> averages_;  ///< of each parameter; or none
  std::vector<AdamParameter> parameters_;
  std::int64_t num_steps_ = 0;
};

}  // namespace kith
