// A dataset from arrays in memory: what kith.Dataset.from_arrays does.
#pragma once

#include <cstdint>
#include <span>

#include "graph/dataset.h"
#include "graph/feature_store.h"
#include "graph/types.h"
#include "partition/partition.h"

namespace kith {

/// A graph as its user holds it: nodes in the user's order, edges as two columns. Nothing is owned but labels
/// and splits.
struct ArrayGraph {
  NodeId num_nodes = 0;
  std::span<const std::int64_t> sources;       ///< [num_edges] in [0, num_nodes)
  std::span<const std::int64_t> targets;       ///< [num_edges] in [0, num_nodes)
  FeatureView features;                        ///< num_nodes rows, or none
  Labels labels;                               ///< of num_nodes nodes, or empty
  Splits splits;                               ///< node ids without repeats, in any order
  std::span<const std::int32_t> community_of;  ///< [num_nodes] any numbers >= 0; empty = find them
};

/// How the arrays become a dataset.
struct FromArraysOptions {
  bool symmetrize = false;     ///< add v->u for every edge u->v that has no partner
  PartitionOptions partition;  ///< num_communities and method are not used if communities are given
};

/// Builds the adjacency (repeated edges count once), finds the communities or takes those given, and renumbers
/// everything to community order. In the result original_id is the position in the arrays, and edge_id the
/// position of the (first such) edge among them; an added edge has the id of the edge that it reverses.
/// Features are copied into the new order. Throws InvalidArgument for arrays that do not fit each other, ids
/// out of range, and feature values that are not finite.
///
/// Example, edges 0->1, 2->1 with communities {7, 3, 7}: nodes 0 and 2 get neighbouring new ids.
Dataset dataset_from_arrays(ArrayGraph arrays, const FromArraysOptions& options);

}  // namespace kith
