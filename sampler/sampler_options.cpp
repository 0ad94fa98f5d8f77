#include "sampler/sampler_options.h"

#include <algorithm>
#include <array>

#include "graph/errors.h"

namespace kith {
namespace {

constexpr std::int32_t kMaxFanout = 1'000'000;
constexpr std::size_t kMaxHops = 10;
/// In the order of SamplerKind.
constexpr std::array<std::string_view, 4> kKindNames = {"neighbor", "labor", "cluster", "full"};

}  // namespace

SamplerKind parse_sampler_kind(std::string_view name) {
  const auto found = std::find(kKindNames.begin(), kKindNames.end(), name);
  KITH_CHECK(found != kKindNames.end(), InvalidArgument,
             "sampler: expected neighbor, labor, cluster or full, got ", name);
  return static_cast<SamplerKind>(found - kKindNames.begin());
}

std::string_view name_of(SamplerKind kind) { return kKindNames[static_cast<std::size_t>(kind)]; }

NoIntra parse_no_intra(std::string_view name) {
  if (name == "keep") return NoIntra::keep;
  KITH_CHECK(name == "drop", InvalidArgument, "no_intra: expected keep or drop, got ", name);
  return NoIntra::drop;
}

std::string_view name_of(NoIntra no_intra) { return no_intra == NoIntra::keep ? "keep" : "drop"; }

void check_sampler_options(const SamplerOptions& options) {
  KITH_CHECK(!options.fanouts.empty() && options.fanouts.size() <= kMaxHops, InvalidArgument,
             "NeighborSampler: fanouts must list 1 to ", kMaxHops, " hops, got ", options.fanouts.size());
  for (const std::int32_t fanout : options.fanouts) {
    KITH_CHECK(fanout >= -1, InvalidArgument, "NeighborSampler: fanout must be >= -1, got ", fanout);
    KITH_CHECK(fanout <= kMaxFanout, InvalidArgument, "NeighborSampler: fanout is too large (at most ",
               kMaxFanout, "; -1 takes all neighbours), got ", fanout);
  }
  check_p_intra(options, options.p_intra);
  KITH_CHECK(!options.is_unbiased || options.no_intra == NoIntra::keep, InvalidArgument,
             "NeighborSampler: unbiased needs no_intra = keep, got drop");
  KITH_CHECK(!options.with_replacement || options.kind == SamplerKind::neighbor, InvalidArgument,
             "NeighborSampler: only the sampler neighbor draws with replacement, got ", name_of(options.kind));
  KITH_CHECK(
      !options.is_unbiased || options.kind == SamplerKind::neighbor || options.kind == SamplerKind::labor,
      InvalidArgument, "NeighborSampler: the sampler ", name_of(options.kind),
      " has no biased draws that unbiased could weigh");
}

void check_p_intra(const SamplerOptions& options, double p_intra) {
  KITH_CHECK(p_intra >= 0.5 && p_intra <= 1, InvalidArgument,
             "NeighborSampler: p_intra must be in [0.5, 1], got ", p_intra);
  const bool has_fanout_1 = std::ranges::find(options.fanouts, 1) != options.fanouts.end();
  KITH_CHECK(!options.is_unbiased || p_intra < 1 || !has_fanout_1, InvalidArgument,
             "NeighborSampler: unbiased needs a fanout of at least 2 at p_intra = 1, got 1");
}

}  // namespace kith
