// METIS graph files: a header "nodes edges [fmt [ncon]]", then one line of neighbours a node, counted from 1.
#pragma once

#include <memory>
#include <string>

#include "datasets/source.h"

namespace kith {

/// Sizes and weights of nodes and weights of edges are passed over; % starts a comment; an empty line is an
/// isolated node. Undirected: every edge stands in the lists of both its ends and is streamed twice, as stored.
/// for_each_edges throws IoError if lines are missing or left over, the number of edges is not the header's, or
/// an edge lacks its reverse.
std::unique_ptr<Source> open_metis_source(const std::string& path);

}  // namespace kith
