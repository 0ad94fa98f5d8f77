// The self-loops and the weights of edges that a layer kind needs, for one batch and for the whole graph.
#pragma once

#include <span>
#include <vector>

#include "graph/csr_graph.h"
#include "graph/types.h"
#include "graph/views.h"
#include "sampler/batch.h"

namespace kith {

/// The adjacency of one batch as the layers use it: the batch's own for a mean, or with self-loops (GCN, GIN,
/// GAT) and weights (GCN, GIN). Like the batch's, the blocks of all layers are prefixes of it.
struct BatchAdjacency {
  std::vector<std::int32_t> hop_bounds;
  std::vector<std::int32_t> offsets;
  std::vector<std::int32_t> sources;
  std::vector<float> weights;  ///< [num_edges], or empty for a mean and for attention
};

/// Takes the batch's adjacency over, for mean aggregation (by the batch's weights if it has some). Leaves
/// batch.offsets, batch.sources and batch.weights empty.
BatchAdjacency take_mean_adjacency(MiniBatch& batch);

/// Adds a self-loop to every destination v and the weights (deg = in-degree in the whole graph, s_v =
/// neighbours drawn)
///   of an edge u -> v: (deg_v / s_v) / sqrt((deg_u + 1) (deg_v + 1)),   of the loop: 1 / (deg_v + 1),
/// so that under uniform sampling the sum is an unbiased estimate of GCN's (Kipf & Welling 2017, eq. 2). The
/// batch's weights, if it has some, take the place of 1 / s_v.
BatchAdjacency make_gcn_adjacency(const MiniBatch& batch, CsrView graph);

/// The same with the weights of GIN's sum (arXiv 1810.00826, eq. 4.1, epsilon 0): deg_v / s_v on an edge, so
/// that the sum does not depend on the fanout, and 1 on the loop. A self-loop of the graph counts as an edge
/// too, as in PyG.
BatchAdjacency make_gin_adjacency(const MiniBatch& batch, CsrView graph);

/// One self-loop a destination, first in its row, for attention (GAT, arXiv 1710.10903); loops that were drawn
/// go, as in PyG. No weights: throws InvalidArgument if the batch has some (unbiased draws), as attention has
/// no use for them.
BatchAdjacency make_gat_adjacency(const MiniBatch& batch);

/// The whole graph with self-loops and weights, for layer-wise evaluation: what a batch that drew everything
/// carries.
struct WeightedGraph {
  CsrGraph graph;
  std::vector<float> weights;  ///< [graph.num_edges()], or empty (GAT)
};
WeightedGraph make_gcn_graph(CsrView graph);
WeightedGraph make_gin_graph(CsrView graph);
WeightedGraph make_gat_graph(CsrView graph);

}  // namespace kith
