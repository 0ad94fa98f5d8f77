// Private to sampler/: the variates that LABOR's nodes share, many at a time.
#pragma once

#include <cstdint>
#include <span>

#include "graph/types.h"
#include "sampler/rng.h"

namespace kith {

/// Writes stream.first64(node) of every node to out: [nodes.size()].
void shared_variates(const RngStream& stream, std::span<const NodeId> nodes, std::uint64_t* out);

}  // namespace kith
