// Edge lists as SNAP has them: two node ids a line, plain or gzip.
#pragma once

#include <memory>
#include <string>

#include "datasets/source.h"

namespace kith {

/// Lines hold source and target, with white space or a comma between, and anything after them is passed over.
/// Lines that start with # or % are comments; one line of column names may come first. Ids are any non-negative
/// 64-bit numbers: they become 0..n-1 in ascending order, and original_id keeps them. Directed. Reads the file
/// once to find the ids.
std::unique_ptr<Source> open_edgelist_source(const std::string& path);

}  // namespace kith
