// The knobs that a search for the best ones tries.
#pragma once

#include <string>
#include <vector>

#include "graph/dataset.h"
#include "train/loader.h"

namespace kith {

/// Neither knob: uniformly random roots and neighbours. Everything else as in `options`.
LoaderOptions random_batches(LoaderOptions options);

/// Whether `options` are random_batches(options).
bool are_random(const LoaderOptions& options);

/// From much structure to little, those most worth a try first. Coarser levels as far as the dataset has them.
std::vector<LoaderOptions> tune_candidates(const Dataset& dataset, const LoaderOptions& options);

/// "--mix 0 --p-intra 1", and the level and weights where they are not the default.
std::string knobs_of(const LoaderOptions& options);

}  // namespace kith
