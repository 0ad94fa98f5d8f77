// Neighbour sampling with a bias towards the community: COMM-RAND's second knob (arXiv 2504.18082), and
// LABOR-0.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "graph/communities.h"
#include "graph/types.h"
#include "graph/views.h"
#include "sampler/batch.h"
#include "sampler/sampler_options.h"

namespace kith {

struct DrawRow;
struct IntraSlice;
class ScratchPool;

/// Draws mini-batches. For a node with I neighbours inside its community and E outside, each draw takes an
/// unused neighbour in proportion to its weight; p_intra = 0.5 is exactly uniform. SamplerKind::labor draws
/// with the same probabilities, but lets the nodes of a hop agree on their neighbours.
///
/// Counter-based random numbers make a batch a pure function of (options, epoch, batch index, roots): any
/// number of threads gives the same bits. Keeps a view of `graph`, which must outlive it. sample() is safe to
/// call from several threads at once: each call takes a scratch (8 bytes a node) from a pool.
class NeighborSampler {
 public:
  /// Throws InvalidArgument for options out of range, the kind `cluster`, or communities of another size.
  /// Finds, for every node, the slice of its (sorted) row that lies inside its community: 8 bytes a node, once.
  NeighborSampler(CsrView graph, const Communities& communities, SamplerOptions options);
  ~NeighborSampler();

  /// roots: global ids without repeats. epoch: 0..2^24 - 1; batch_index: 0..2^32 - 1, which random numbers to
  /// use: batches of one epoch with one index draw alike. p_intra: in the place of the options', at no cost;
  /// the batch is that of a sampler with this p_intra. Throws InvalidArgument for an id or a p_intra out of
  /// range, a repeated root, or a batch of more than 2^31 - 1 edges.
  MiniBatch sample(std::span<const NodeId> roots, std::int32_t epoch, std::int64_t batch_index,
                   std::optional<double> p_intra = std::nullopt) const;

  const SamplerOptions& options() const { return options_; }

 private:
  class BatchBuilder;

  void prefetch_row(NodeId node) const;
  DrawRow row_of(NodeId node) const;

  CsrView graph_;
  SamplerOptions options_;
  std::vector<IntraSlice> intra_;  ///< [num_nodes]
  std::unique_ptr<ScratchPool> scratch_;
};

}  // namespace kith
