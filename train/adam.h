// The Adam optimiser (Kingma & Ba 2015), weight decay as torch.optim.Adam, and Polyak's averages of what it
// makes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
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

  /// First and second moment, and the average if there is one, of each parameter in turn; with num_steps, all
  /// that it remembers.
  std::span<Tensor> state() { return state_; }
  std::size_t state_per_parameter() const { return options_.average_decay > 0 ? 3 : 2; }
  std::int64_t num_steps() const { return num_steps_; }
  void set_num_steps(std::int64_t num_steps) { num_steps_ = num_steps; }

 private:
  Backend& backend_;
  AdamOptions options_;
  std::vector<Tensor> state_;  ///< first and second moment, and the average if there is one, of each parameter
  std::vector<AdamParameter> parameters_;
  std::int64_t num_steps_ = 0;
};

}  // namespace kith
