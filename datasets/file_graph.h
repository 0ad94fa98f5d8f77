// A graph in files: cleaned, made simple and renumbered by external sorts, to the bits that build_graph and
// renumber give in memory.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "datasets/build_graph.h"
#include "datasets/source.h"
#include "graph/append_file.h"
#include "graph/scratch.h"
#include "graph/types.h"

namespace kith {

/// Where the arrays of a graph go.
struct GraphPaths {
  std::string neighbors;
  std::string edge_id;  ///< empty = without
};

/// Its offsets are in memory, 8 bytes a node, its edges in files of raw values.
struct FileGraph {
  GraphPaths paths;
  std::vector<EdgeOffset> offsets;  ///< [num_nodes + 1]
  FileSeal neighbors;               ///< i32 [num_edges], sorted in each row
  FileSeal edge_id;                 ///< i64 [num_edges], or nothing

  NodeId num_nodes() const { return static_cast<NodeId>(offsets.size()) - 1; }
  EdgeOffset num_edges() const { return offsets.back(); }
};

/// build_graph without the edges in memory; reads the source once. Edge ids are kept if paths name a file for
/// them. Throws IoError, or EnvironmentError if the disk is full; the files are then left as far as they came.
FileGraph clean_to_files(Source& source, const BuildOptions& options, const GraphPaths& paths, Scratch& scratch,
                         BuildCounts& counts);

/// The symmetric simple graph behind `graph`, as SimpleGraph makes it. is_symmetric: every edge has its
/// reverse.
FileGraph simple_to_file(const FileGraph& graph, bool is_symmetric, const std::string& path, Scratch& scratch);

/// The graph under new numbers; edge ids are carried along. old_of_new: [num_nodes] permutation.
FileGraph renumber_to_files(const FileGraph& graph, std::span<const NodeId> old_of_new, const GraphPaths& paths,
                            Scratch& scratch);

}  // namespace kith
