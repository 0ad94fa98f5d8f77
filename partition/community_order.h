// In which order the communities are numbered, so that near numbers are near in the graph.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "partition/quotient.h"

namespace kith {

/// One level of communities while they are being ordered.
struct Level {
  Quotient quotient;
  std::vector<char> is_isolated;  ///< [num_communities] all its nodes are without neighbours
  std::vector<std::int32_t>
      parent;  ///< [num_communities] its community at the next level; empty for the coarsest
};

/// The number of each community of each level. Siblings are numbered together, in the order of their parents;
/// inside a parent the community with the strongest connection to those numbered so far comes next. Isolated
/// ones come last.
std::vector<std::vector<std::int32_t>> order_communities(std::span<const Level> levels);

}  // namespace kith
