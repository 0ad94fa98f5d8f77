// MatrixMarket files, coordinate format: entry (i, j) of a square matrix is the edge i -> j.
#pragma once

#include <memory>
#include <string>

#include "datasets/source.h"

namespace kith {

/// Values are passed over, so a stored zero is an edge. Symmetric, skew-symmetric and hermitian matrices are
/// undirected. Throws IoError for the array (dense) format, for a matrix that is not square and for a wrong
/// number of entries.
std::unique_ptr<Source> open_mtx_source(const std::string& path);

}  // namespace kith
