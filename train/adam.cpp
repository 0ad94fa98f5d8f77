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
  const bool has_averages = options.average_decay > 0;
  moments_.reserve(2 * parameters.size());
  if (has_averages) averages_.reserve(parameters.size());
  for (const Parameter* parameter : parameters) {
    const Tensor& value = parameter->value;
    moments_.push_back(backend.zeros(value.rows(), value.cols(), value.scalar()));
    moments_.push_back(backend.zeros(value.rows(), value.cols(), value.scalar()));
    if (has_averages) averages_.push_back(backend.clone(value));
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    parameters_.push_back({.value = &parameters[i]->value,
                           .gradient = &parameters[i]->gradient,
                           .first_moment = &moments_[2 * i],
                           .second_moment = &moments_[2 * i + 1],
                           .average = has_averages ? &averages_[i] : nullptr});
  }
}

void Adam::step() { backend_.adam(parameters_, options_, ++num_steps_); }

void Adam::swap_averages() {
  for (std::size_t i = 0; i < averages_.size(); ++i) std::swap(*parameters_[i].value, averages_[i]);
}

}  // namespace kith
