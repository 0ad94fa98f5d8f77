// The picture of a sweep.
#pragma once

#include <string>
#include <vector>

#include "train/sweep_table.h"

namespace kith {

/// Test accuracy against seconds per epoch as an SVG, a panel for each graph and model: one line for each
/// p_intra (level, and unbiased) of comm-rand through its values of mix, and a point for every other sampler;
/// averages over seeds with one standard deviation. No panel for no rows.
std::string plot_sweep(const std::vector<SweepRow>& rows);

}  // namespace kith
