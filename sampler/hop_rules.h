// Private to sampler/: what a neighbour sampler checks and works out before it draws, on every device alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "graph/communities.h"
#include "graph/types.h"
#include "graph/views.h"
#include "sampler/draw.h"
#include "sampler/rng.h"
#include "sampler/sampler_options.h"

namespace kith {

/// Where a (sorted) row lies inside its node's community.
struct IntraSlice {
  std::int32_t begin = 0;  ///< relative to the row
  std::int32_t count = 0;
};

/// [num_nodes]. Throws InvalidArgument for a row of more than 2^31 - 1 neighbours.
std::vector<IntraSlice> find_intra_slices(CsrView graph, const Communities& communities);

/// Throws InvalidArgument for options out of range, the kind `cluster`, or communities of another size.
void check_neighbor_sampler(CsrView graph, const Communities& communities, const SamplerOptions& options);

/// What sample() is given besides the ids of the roots.
struct BatchKey {
  std::int32_t epoch = 0;
  std::int64_t batch_index = 0;
  std::optional<double> p_intra;  ///< in the place of the options'
};

/// Throws InvalidArgument for an epoch, a batch index or a p_intra out of range, or more roots than nodes.
void check_batch(const SamplerOptions& options, const BatchKey& key, std::size_t num_roots, NodeId num_nodes);

/// Throws InvalidArgument if the edges of one batch pass 2^31 - 1.
void check_num_edges(std::int64_t num_edges);

/// How a hop draws; hop 0 is next to the roots.
DrawRule rule_of(const SamplerOptions& options, const BatchKey& key, std::size_t hop);

/// The random numbers of one hop.
struct HopStreams {
  RngStream own;     ///< of each node
  RngStream shared;  ///< variates of the neighbours, the same for every node of the hop
};
HopStreams streams_of(const SamplerOptions& options, const BatchKey& key, std::size_t hop);

}  // namespace kith
