// The one door to every sampler.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <variant>

#include "sampler/cluster_sampler.h"
#include "sampler/neighbor_sampler.h"

namespace kith {

/// Makes mini-batches as options.kind says. Keeps views of both arguments, which must outlive it. Safe to call
/// from several threads at once.
class Sampler {
 public:
  /// communities: of the level that p_intra, or the sampler `cluster`, speaks of. Throws as the sampler does.
  Sampler(CsrView graph, const Communities& communities, const SamplerOptions& options)
      : sampler_(make(graph, communities, options)) {}

  /// See NeighborSampler::sample and ClusterSampler::sample.
  MiniBatch sample(std::span<const NodeId> roots, std::int32_t epoch, std::int64_t batch_index,
                   std::optional<double> p_intra = std::nullopt) const {
    if (const auto* cluster = std::get_if<ClusterSampler>(&sampler_)) return cluster->sample(roots);
    return std::get<NeighborSampler>(sampler_).sample(roots, epoch, batch_index, p_intra);
  }

 private:
  using Any = std::variant<NeighborSampler, ClusterSampler>;

  static Any make(CsrView graph, const Communities& communities, const SamplerOptions& options) {
    if (options.kind == SamplerKind::cluster) {
      return Any(std::in_place_type<ClusterSampler>, graph, communities, options);
    }
    return Any(std::in_place_type<NeighborSampler>, graph, communities, options);
  }

  Any sampler_;
};

}  // namespace kith
