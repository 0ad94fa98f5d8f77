// Element types that every folder shares.
#pragma once

#include <cstdint>

namespace kith {

/// A node. Global ids run over [0, num_nodes); block-local ids over the nodes of one batch.
using NodeId = std::int32_t;

/// A position in the neighbour array of a whole graph; 64 bits, since graphs pass 2^31 edges.
using EdgeOffset = std::int64_t;

/// Marks a node without a label.
inline constexpr std::int32_t kNoLabel = -1;

}  // namespace kith
