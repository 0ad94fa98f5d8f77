// What a sampler returns: the nodes and edges of one mini-batch, with ids local to it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/communities.h"
#include "graph/types.h"
#include "graph/views.h"

namespace kith {

/// One mini-batch, complete when built. A node is expanded once, in the hop that reaches it first, and keeps
/// those neighbours in every layer (as in PyG), so the blocks of all hops are prefixes of one adjacency.
///
/// Example, fanouts {2, 2}, root 7 with in-neighbours 3 and 9; 3 hears from 7, and 9 from nobody:
///   input_nodes = [7, 3, 9]      local ids 0, 1, 2: roots first, then by hop in order of first appearance
///   hop_bounds  = [1, 3, 3]      nodes known before hop 1, after hop 1, after hop 2
///   offsets = [0, 2, 3, 3], sources = [1, 2, 0]
///   block(1), next to the roots: destinations {7}, sources {7, 3, 9}
///   block(0), the outermost: destinations {7, 3, 9}, sources {7, 3, 9}
struct MiniBatch {
  std::vector<NodeId> input_nodes;       ///< [num_inputs] global ids
  std::vector<std::int32_t> hop_bounds;  ///< [num_hops + 1], from the number of roots to num_inputs
  std::vector<std::int32_t> offsets;     ///< [hop_bounds[num_hops - 1] + 1]
  std::vector<std::int32_t> sources;     ///< [num_edges] local ids
  std::vector<float> weights =
      {};  ///< [num_edges] of an unbiased mean over the whole row; empty = equal shares
  std::vector<EdgeOffset>
      edges;  ///< [num_edges] positions in the graph's neighbour array; empty unless asked for
  std::int64_t num_intra_edges = 0;  ///< edges whose ends share a community of the sampler's level

  std::int32_t num_hops() const { return static_cast<std::int32_t>(hop_bounds.size()) - 1; }
  std::int32_t num_roots() const { return hop_bounds.front(); }
  std::span<const NodeId> roots() const { return {input_nodes.data(), static_cast<std::size_t>(num_roots())}; }

  /// The block that layer `layer` aggregates over; 0 is the outermost (input) layer, num_hops() - 1 ends at the
  /// roots.
  BlockCsrView block(std::int32_t layer) const;
};

/// Locality accounts of one batch, or (added up) of an epoch.
struct BatchStats {
  std::int64_t batches = 0;
  std::int64_t roots = 0;
  std::int64_t input_nodes = 0;         ///< unique feature rows read
  std::int64_t reused_input_nodes = 0;  ///< of them, those that the batch before had too (LocalityMeter)
  std::int64_t pages = 0;               ///< 4 KiB pages of the feature table touched (LocalityMeter)
  std::int64_t edges = 0;               ///< edges over all hops, as drawn (each once)
  std::int64_t intra_edges = 0;         ///< of them, those inside a community of the sampler's level
  std::int64_t communities = 0;         ///< distinct communities among the roots
  double label_entropy_bits = 0;        ///< of the roots' labels; sums over batches, divide by `batches`

  BatchStats& operator+=(const BatchStats& other);
};

/// Counts one batch's roots: roots, communities, label_entropy_bits. labels: [num_nodes] or empty (then the
/// entropy is 0).
BatchStats describe_roots(std::span<const NodeId> roots, const Communities& communities,
                          std::span<const std::int32_t> labels);

/// The same, and its input nodes and edges.
BatchStats describe(const MiniBatch& batch, const Communities& communities,
                    std::span<const std::int32_t> labels);

}  // namespace kith
