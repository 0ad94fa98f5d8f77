// A split for data that come without one.
#pragma once

#include <cstdint>
#include <string_view>

#include "graph/dataset.h"

namespace kith {

/// Shares of the labelled nodes; the rest is for testing.
struct SplitShares {
  double train = 0;
  double valid = 0;

  /// "0.6,0.2". Throws InvalidArgument unless both are >= 0, train > 0 and their sum <= 1.
  static SplitShares parse(std::string_view text);
};

/// Draws training and validation nodes among those that have a label; the same for the same seed. Throws
/// InvalidArgument if none has.
Splits random_split(const Labels& labels, std::int64_t num_nodes, const SplitShares& shares,
                    std::uint64_t seed);

}  // namespace kith
