// The picture of a sweep.
#pragma once

#include <string>
#include <vector>

#include "train/sweep.h"

namespace kith {

/// An SVG: test accuracy (mean over seeds, bars of one standard deviation) against seconds per epoch, one line
/// per p_intra, its points labelled with mix.
std::string plot_sweep(const std::vector<SweepCell>& cells);

}  // namespace kith
