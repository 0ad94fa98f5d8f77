// The Adam optimiser (Kingma & Ba 2015), weight decay as torch.optim.Adam.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/backend.h"
#include "train/layer.h"

namespace kith {

/// Owns the moments of one fixed list of parameters.
class Adam {
 public:
  /// Throws InvalidArgument for a learning rate or weight decay out of range. Parameters must outlive it.
  Adam(Backend& backend, std::vector<Parameter*> parameters, const AdamOptions& options);

  /// Moves every parameter against its gradient.
  void step();

 private:
  Backend& backend_;
  AdamOptions options_;
  std::vector<Tensor> moments_;  ///< first and second moment of each parameter in turn
  std::vector<AdamParameter> parameters_;
  std::int64_t num_steps_ = 0;
};

}  // namespace kith
