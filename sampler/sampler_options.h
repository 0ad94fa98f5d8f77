// How the neighbours of a batch are drawn: the options that every sampler shares.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace kith {

/// Which neighbours a node gets.
enum class SamplerKind : std::uint8_t {
  neighbor,  ///< `fanout` of them, each node by draws of its own (GraphSAGE, arXiv 1706.02216)
  labor,     ///< as many, by draws that the nodes of a hop share (LABOR-0, arXiv 2210.13339)
  cluster,   ///< all that lie in the batch's communities (Cluster-GCN, arXiv 1905.07953)
  full,      ///< all
};

/// "neighbor", "labor", "cluster" or "full". Throws InvalidArgument for another name.
SamplerKind parse_sampler_kind(std::string_view name);
std::string_view name_of(SamplerKind kind);

/// What a node without any in-community neighbour gets at p_intra = 1.
enum class NoIntra : std::uint8_t {
  keep,  ///< uniform draws from outside
  drop,  ///< no neighbour, as DGL's edge-probability sampler does
};

/// Throws InvalidArgument for anything but "keep" and "drop".
NoIntra parse_no_intra(std::string_view name);
std::string_view name_of(NoIntra no_intra);

/// How neighbours are drawn. `cluster` reads of these the number of hops, keep_edges; `full` those and no more.
struct SamplerOptions {
  SamplerKind kind = SamplerKind::neighbor;
  std::vector<std::int32_t> fanouts = {15, 10,
                                       5};  ///< per hop from the roots outwards; -1 = all, 0 = none; 1..10 hops
  double p_intra = 0.9;              ///< weight of an edge inside a community against 1 - p_intra, 0.5..1
  NoIntra no_intra = NoIntra::keep;  ///< only matters at p_intra = 1
  bool with_replacement = false;     ///< the same neighbour may be drawn several times; not with `labor`
  bool is_unbiased = false;          ///< weigh edges so that biased draws keep the neighbourhood's mean
  bool keep_edges = false;           ///< fill MiniBatch::edges
  std::uint64_t seed = 0;

  bool operator==(const SamplerOptions&) const = default;
};

/// Throws InvalidArgument, naming the option, what is expected and what came.
void check_sampler_options(const SamplerOptions& options);

/// Throws InvalidArgument unless batches may be drawn with this p_intra in the place of options.p_intra.
void check_p_intra(const SamplerOptions& options, double p_intra);

}  // namespace kith
