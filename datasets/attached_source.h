// A graph in one file, what is known of its nodes in another: edges as text, features and labels from NumPy.
#pragma once

#include <memory>
#include <string>

#include "datasets/source.h"

namespace kith {

/// `graph` with features, labels and splits from the .npz file `path`, by the keys of open_npz_source; row v is
/// the node whose id in the graph's file is v, and a row that no edge speaks of is a node without edges.
/// graph_path: for messages. Throws InvalidArgument if the graph has node data of its own, IoError for a file
/// that does not fit it.
std::unique_ptr<Source> attach_node_data(std::unique_ptr<Source> graph, const std::string& graph_path,
                                         const std::string& path);

}  // namespace kith
