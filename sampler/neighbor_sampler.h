// Neighbour sampling with a bias towards the community: COMM-RAND's second knob (arXiv 2504.18082).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "graph/communities.h"
#include "graph/types.h"
#include "graph/views.h"
#include "sampler/batch.h"

namespace kith {

struct DrawRow;

/// What a node without any in-community neighbour gets at p_intra = 1.
enum class NoIntra : std::uint8_t {
  keep,  ///< uniform draws from outside
  drop,  ///< no neighbour, as DGL's edge-probability sampler does
};

/// Throws InvalidArgument for anything but "keep" and "drop".
NoIntra parse_no_intra(std::string_view name);

/// How neighbours are drawn.
struct NeighborSamplerOptions {
  std::vector<std::int32_t> fanouts = {15, 10,
                                       5};  ///< per hop from the roots outwards; -1 = all, 0 = none; 1..10 hops
  double p_intra = 0.9;              ///< weight of an edge inside a community against 1 - p_intra, 0.5..1
  NoIntra no_intra = NoIntra::keep;  ///< only matters at p_intra = 1
  bool with_replacement = false;     ///< the same neighbour may be drawn several times
  bool keep_edges = false;           ///< fill MiniBatch::edges
  std::uint64_t seed = 0;
};

/// Draws mini-batches. For a node with I neighbours inside its community and E outside, each draw takes an
/// unused neighbour in proportion to its weight; p_intra = 0.5 is exactly uniform. Counter-based random numbers
/// make a batch a pure function of (options, epoch, batch index, roots): any number of threads gives the same
/// bits. Keeps a view of `graph`, which must outlive it. sample() is safe to call from several threads at once:
/// each call takes a scratch (8 bytes a node) from a pool.
class NeighborSampler {
 public:
  /// Throws InvalidArgument for options out of range or communities of another size. Finds, for every node, the
  /// slice of its (sorted) row that lies inside its community: 8 bytes a node, once.
  NeighborSampler(CsrView graph, const Communities& communities, NeighborSamplerOptions options);
  ~NeighborSampler();

  /// roots: global ids without repeats. epoch: 0..2^24 - 1; batch_index: 0..2^32 - 1. Throws InvalidArgument
  /// for an id out of range, a repeated root, or a batch of more than 2^31 - 1 edges.
  MiniBatch sample(std::span<const NodeId> roots, std::int32_t epoch, std::int64_t batch_index) const;

  const NeighborSamplerOptions& options() const { return options_; }

 private:
  /// Where a (sorted) row lies inside its node's community.
  struct IntraSlice {
    std::int32_t begin = 0;  ///< relative to the row
    std::int32_t count = 0;
  };
  struct Scratch;
  class ScratchPool;
  class BatchBuilder;

  void prefetch_row(NodeId node) const;
  DrawRow row_of(NodeId node) const;

  CsrView graph_;
  NeighborSamplerOptions options_;
  std::vector<IntraSlice> intra_;  ///< [num_nodes]
  std::unique_ptr<ScratchPool> scratch_;
};

}  // namespace kith
