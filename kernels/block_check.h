// Checks a block that comes from outside, once; the kernels trust it then.
#pragma once

#include <string_view>

#include "graph/views.h"

namespace kith {

/// Throws InvalidArgument, beginning with `who`, unless offsets rise from 0 to the number of edges and every
/// source is in [0, num_sources). Destinations may outnumber sources: the graph may be bipartite.
void check_block(std::string_view who, BlockCsrView block);

}  // namespace kith
