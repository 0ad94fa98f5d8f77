// Cluster-GCN's batches (Chiang et al., KDD 2019, arXiv 1905.07953): the sub-graph induced by a few
// communities.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "graph/communities.h"
#include "graph/types.h"
#include "graph/views.h"
#include "sampler/batch.h"
#include "sampler/sampler_options.h"

namespace kith {

class ScratchPool;

/// Makes mini-batches of all nodes of the roots' communities and the edges between them. Nothing is drawn, so a
/// batch depends on its roots alone. Keeps views of `graph` and `communities`, which must outlive it. sample()
/// is safe to call from several threads at once: each call takes a scratch (8 bytes a node) from a pool.
class ClusterSampler {
 public:
  /// Of the options, the number of fanouts (hops) and keep_edges count. Throws InvalidArgument for options out
  /// of range or communities of another size.
  ClusterSampler(CsrView graph, const Communities& communities, SamplerOptions options);
  ~ClusterSampler();

  /// Roots first, then the other nodes of their communities, ascending; every hop covers all of them. Throws
  /// InvalidArgument for an id out of range, a repeated root, or a batch of more than 2^31 - 1 edges.
  MiniBatch sample(std::span<const NodeId> roots) const;

  const SamplerOptions& options() const { return options_; }

 private:
  CsrView graph_;
  const Communities& communities_;
  SamplerOptions options_;
  std::unique_ptr<ScratchPool> scratch_;
};

}  // namespace kith
