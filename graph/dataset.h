// A prepared graph: adjacency, features, labels, splits and communities, in community order.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "graph/communities.h"
#include "graph/csr_graph.h"
#include "graph/feature_store.h"
#include "graph/types.h"

namespace kith {

/// Labels of all nodes: one class a node, or any number of classes a node (multi-label).
struct Labels {
  std::vector<std::int32_t> of_node;    ///< [num_nodes], kNoLabel = none; empty if multi-label or unlabelled
  std::vector<std::uint8_t> indicator;  ///< [num_nodes x num_classes] of 0/1; empty unless multi-label
  std::int32_t num_classes = 0;

  bool is_multi_label() const { return !indicator.empty(); }
  bool empty() const { return of_node.empty() && indicator.empty(); }
};

/// Node ids (global, ascending, no repeats) of the three usual parts.
struct Splits {
  std::vector<NodeId> train, valid, test;

  bool empty() const { return train.empty() && valid.empty() && test.empty(); }

  /// "train", "valid" (or "val") or "test". Throws InvalidArgument for any other name.
  const std::vector<NodeId>& named(std::string_view name) const;
};

/// Where a dataset came from; stored as attributes of the file's root.
struct Provenance {
  std::string source;  ///< what the user named, file name only
  std::string method;  ///< how the communities were found: "metis", "lpa", "file", "planted", "none"
  std::uint64_t seed = 0;
  bool directed = false;  ///< false: for every edge u->v there is v->u
  std::string created;    ///< UTC, ISO 8601; empty = now
};

/// Owns everything a training run reads. Nodes are numbered so that every community of every level is
/// one contiguous range. Check with check_dataset after building one by hand.
struct Dataset {
  CsrGraph graph;
  FeatureStore features;  ///< no rows if the graph has no features
  Labels labels;
  Splits splits;
  std::vector<Communities> levels;        ///< finest first, at least one
  std::vector<std::int64_t> original_id;  ///< [num_nodes] id in the source
  std::vector<std::int64_t> edge_id;      ///< [num_edges] position in the source, or empty
  Provenance provenance;

  NodeId num_nodes() const { return graph.num_nodes(); }

  /// The communities of `level` (0 = finest). Throws InvalidArgument if there is no such level.
  const Communities& communities(std::int32_t level) const;
};

/// Throws InvalidArgument, naming `who`, unless there is one valid label (or row of 0/1) a node, or none at
/// all.
void check_labels(const Labels& labels, NodeId num_nodes, const char* who);

/// Throws InvalidArgument, naming `who`, unless each split is ascending, without repeats, in [0, num_nodes).
void check_splits(const Splits& splits, NodeId num_nodes, const char* who);

/// Throws InvalidArgument, naming `who`, unless all parts agree in size and every id and label is in
/// range. Costs one pass over labels and splits; adjacency was checked when it was built.
void check_dataset(const Dataset& dataset, const char* who);

}  // namespace kith
