#include "train/tune_candidates.h"

#include <cstddef>
#include <utility>

#include "graph/errors.h"

namespace kith {
namespace {

struct Knobs {
  double mix;
  double p_intra;
  std::int32_t level = 0;
  bool is_unbiased = false;
};

// Where communities hold most edges the strongest structure loses nothing; where they do not, the neighbours
// must stay uniform, or be weighed, and groups be coarse.
constexpr Knobs kCandidates[] = {
    {.mix = 0, .p_intra = 0.9},     {.mix = 0, .p_intra = 1},
    {.mix = 0.125, .p_intra = 0.9}, {.mix = 0, .p_intra = 0.5, .level = 1},
    {.mix = 0.02, .p_intra = 0.9},  {.mix = 0, .p_intra = 0.9, .is_unbiased = true},
    {.mix = 0.125, .p_intra = 0.5},
};

LoaderOptions with(LoaderOptions options, const Knobs& knobs) {
  options.set_mix({knobs.mix, knobs.mix});
  options.plan.group = 0;
  options.plan.mixing = Mixing::communities;
  options.is_group_auto = false;
  options.set_p_intra({knobs.p_intra, knobs.p_intra});
  options.sampler.is_unbiased = knobs.is_unbiased;
  options.level = options.bias_level = knobs.level;
  return options;
}

}  // namespace

LoaderOptions random_batches(LoaderOptions options) {
  return with(std::move(options), {.mix = 1, .p_intra = 0.5});
}

bool are_random(const LoaderOptions& options) {
  return !options.has_schedule() && options.plan.mix == 1 && options.plan.group == 0 &&
         !options.is_group_auto && options.sampler.p_intra == 0.5 &&
         options.sampler.kind != SamplerKind::cluster;
}

std::vector<LoaderOptions> tune_candidates(const Dataset& dataset, const LoaderOptions& options) {
  std::vector<LoaderOptions> out;
  const bool has_weights = options.sampler.no_intra == NoIntra::keep && !options.sampler.with_replacement;
  for (const Knobs& knobs : kCandidates) {
    if (knobs.is_unbiased && !has_weights) continue;
    if (static_cast<std::size_t>(knobs.level) < dataset.levels.size()) out.push_back(with(options, knobs));
  }
  return out;
}

std::string knobs_of(const LoaderOptions& options) {
  std::string text = concat("--mix ", options.plan.mix, " --p-intra ", options.sampler.p_intra);
  if (options.level > 0) text += concat(" --level ", options.level);
  if (options.sampler.is_unbiased) text += " --unbiased";
  return text;
}

}  // namespace kith
