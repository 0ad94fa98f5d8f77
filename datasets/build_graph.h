// Turns a stream of edges into a clean adjacency: sorted rows, no parallel edges.
#pragma once

#include <vector>

#include "datasets/source.h"
#include "graph/csr_graph.h"
#include "graph/types.h"

namespace kith {

/// How the edges of a source are cleaned.
struct BuildOptions {
  bool symmetrize = false;       ///< add v->u for every edge u->v that has no partner
  bool drop_self_loops = false;  ///< otherwise self-loops stay, one a node
  bool keep_edge_ids = false;    ///< remember where in the source each edge stands (8 bytes an edge)
};

/// What happened to the edges. edges of the graph = source_edges - duplicates_dropped - self_loops_dropped +
/// edges_added.
struct BuildCounts {
  EdgeOffset source_edges = 0;        ///< as stored
  EdgeOffset self_loops = 0;          ///< as stored, duplicates included
  EdgeOffset self_loops_dropped = 0;  ///< all of them or none
  EdgeOffset duplicates_dropped = 0;  ///< stored edges that repeat an earlier one
  EdgeOffset edges_added = 0;         ///< reverse edges that the source does not store
};

/// Example, edges 0->1, 0->1, 1->1 symmetrised: rows {1} and {0, 1}; 1 duplicate dropped, 1 edge added,
/// edge_id {0, 0, 2}: an added edge has the id of the edge that it reverses.
struct BuiltGraph {
  CsrGraph graph;
  std::vector<EdgeOffset> edge_id;  ///< [num_edges] position of the (first such) edge in the source, or empty
  BuildCounts counts;
};

/// Reads the edges twice: once to count, once to fill. Peak memory: 4 bytes an edge as stored (8 if
/// symmetrised) and 12 bytes a node; what cleaning frees goes back to the system. The same result for any
/// number of threads. Throws IoError if the source is damaged or changes between the passes.
BuiltGraph build_graph(Source& source, const BuildOptions& options);

}  // namespace kith
