// A file that was prepared before, to be prepared again.
#pragma once

#include <memory>
#include <string>

#include "datasets/source.h"

namespace kith {

/// Source ids are the ids of the file; original_id passes through. A directed graph streams all its edges. In
/// an undirected one each edge stands in both directions: only u <= v is streamed and is_undirected() is true,
/// so that the graph stays undirected when it is prepared again. bf16 features come as f32.
std::unique_ptr<Source> open_kith_source(const std::string& path);

}  // namespace kith
