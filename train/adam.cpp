#include "train/adam.h"

#include <cmath>
#include <utility>

#include "graph/errors.h"

namespace kith {

Adam::Adam(Backend& backend, std::vector<Parameter*> parameters, const AdamOptions& options)
    : backend_(backend), options_(options) {
  KITH_CHECK(options.lr > 0 && std::isfinite(options.lr), InvalidArgument, "Adam: lr must be > 0, got ",
             options.lr);
  KITH_CHECK(options.weight_decay >= 0 && std::isfinite(options.weight_decay), InvalidArgument,
             "Adam: weight decay must be >= 0, got ", options.weight_decay);
  KITH_CHECK(options.average_decay >= 0 && options.average_decay < 1, InvalidArgument,
             "Adam: the decay of averages must be in [0, 1), got ", options.average_decay);
  const std::size_t stride = state_per_parameter();
  state_.reserve(stride * parameters.size());
  for (const Parameter* parameter : parameters) {
    const Tensor& value = parameter->value;
    state_.push_back(backend.zeros(value.rows(), value.cols(), value.scalar()));
    state_.push_back(backend.zeros(value.rows(), value.cols(), value.scalar()));
    if (stride == 3) state_.push_back(backend.clone(value));
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    Tensor* const state = &state_[stride * i];
    parameters_.push_back({.value = &parameters[i]->value,
                           .gradient = &parameters[i]->gradient,
                           .first_moment = &state[0],
                           .second_moment = &state[1],
                           .average = stride == 3 ? &state[2] : nullptr});
  }
}

void Adam::step() { backend_.adam(parameters_, options_, ++num_steps_); }

void Adam::swap_averages() {
  for (const AdamParameter& parameter : parameters_) {
    if (parameter.average != nullptr) std::swap(*parameter.value, *parameter.average);
  }
}

}  // namespace kith
