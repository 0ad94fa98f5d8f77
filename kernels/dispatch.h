// From a run-time scalar type to a template argument.
#pragma once

#include "kernels/tensor.h"

namespace kith {

/// Calls body(T{}) with T = float or double.
template <typename Body>
auto with_scalar(Scalar scalar, const Body& body) {
  return scalar == Scalar::f32 ? body(float{}) : body(double{});
}

}  // namespace kith
