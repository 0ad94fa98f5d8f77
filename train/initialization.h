// How parameters start: a pure function of (seed, parameter name).
#pragma once

#include <cstdint>
#include <string>

#include "kernels/backend.h"
#include "train/layer.h"

namespace kith {

/// Makes parameters whose values are drawn independently of one another and of the order they are made in.
struct ParameterFactory {
  Backend& backend;
  Scalar scalar;
  std::uint64_t seed;

  /// Values uniform in [-bound, bound]; bound 0 gives zeros. The gradient starts at 0.
  Parameter uniform(std::string name, std::int64_t rows, std::int64_t cols, double bound) const;
};

}  // namespace kith
