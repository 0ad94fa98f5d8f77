#include "train/loader.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "graph/errors.h"
#include "graph/huge_pages.h"
#include "train/stopwatch.h"

namespace kith {
namespace {

constexpr std::int64_t kFallbackCacheBytes = 32 << 20;

/// Communities whose feature rows fill the last-level cache together.
std::int32_t cache_sized_group(const Dataset& dataset, const Communities& communities) {
  const long reported = sysconf(_SC_LEVEL3_CACHE_SIZE);
  const std::int64_t cache_bytes = reported > 0 ? reported : kFallbackCacheBytes;
  const auto row_bytes = static_cast<double>(std::max<std::size_t>(dataset.features.view().row_bytes(), 1));
  const double mean_size =
      static_cast<double>(dataset.num_nodes()) / std::max<std::int32_t>(communities.num_communities(), 1);
  const double group = static_cast<double>(cache_bytes) / (row_bytes * std::max(mean_size, 1.0));
  return static_cast<std::int32_t>(std::clamp(group, 1.0, std::max(1.0, communities.num_communities() * 1.0)));
}

void check_schedule(const LoaderOptions& options) {
  const auto at_end = [](double mix) { return mix >= 0 && mix <= 1; };
  KITH_CHECK(!options.last_mix || at_end(*options.last_mix), InvalidArgument,
             "Loader: mix must be in [0, 1] at the end of its schedule too, got ", *options.last_mix);
  if (options.last_p_intra) check_p_intra(options.sampler, *options.last_p_intra);
  KITH_CHECK(!options.has_schedule() || options.schedule.epochs >= 2, InvalidArgument,
             "Loader: a schedule of mix or p_intra takes 2 epochs or more, got schedule epochs ",
             options.schedule.epochs);
  KITH_CHECK(!options.last_mix || (options.plan.group == 0 && !options.is_group_auto), InvalidArgument,
             "Loader: group takes the place of mix, which has a schedule (", options.mix().name(), ")");
  KITH_CHECK(!options.last_mix || options.sampler.kind != SamplerKind::cluster, InvalidArgument,
             "Loader: the sampler cluster needs the same mix in every epoch, got ", options.mix().name());
}

LoaderOptions resolve(LoaderOptions options, const Dataset& dataset) {
  KITH_CHECK(options.prefetch_depth >= 0 && options.prefetch_depth <= 1024, InvalidArgument,
             "Loader: prefetch depth must be in [0, 1024], got ", options.prefetch_depth);
  KITH_CHECK(options.dependency > 0, InvalidArgument, "Loader: dependency must be > 0, got ",
             options.dependency);
  KITH_CHECK(options.bias_level >= -1, InvalidArgument, "Loader: bias level must be >= -1, got ",
             options.bias_level);
  check_schedule(options);
  options.plan.seed = options.seed;
  options.sampler.seed = options.seed;
  options.plan.is_batch_per_run = options.sampler.kind == SamplerKind::cluster;
  // Cluster-GCN's batches are the plan's super-communities.
  if (options.bias_level < 0 || options.plan.is_batch_per_run) options.bias_level = options.level;
  if (options.is_group_auto) {
    options.plan.group = cache_sized_group(dataset, dataset.communities(options.level));
  }
  return options;
}

std::span<const Communities> levels_from(const Dataset& dataset, std::int32_t level) {
  dataset.communities(level);  // throws if there is no such level
  return std::span(dataset.levels).subspan(static_cast<std::size_t>(level));
}

}  // namespace

void LoaderOptions::set_mix(const Knob& knob) {
  plan.mix = knob.first;
  last_mix = knob.is_constant() ? std::nullopt : std::optional(knob.last);
}

void LoaderOptions::set_p_intra(const Knob& knob) {
  sampler.p_intra = knob.first;
  last_p_intra = knob.is_constant() ? std::nullopt : std::optional(knob.last);
}

Loader::Loader(const Dataset& dataset, std::vector<NodeId> roots, LoaderOptions options)
    : dataset_(dataset),
      levels_(levels_from(dataset, options.level)),
      roots_(std::move(roots)),
      options_(resolve(std::move(options), dataset)),
      sampler_(dataset.graph.view(), dataset.communities(options_.bias_level), options_.sampler),
      num_batches_(plan(0).size()) {
  // Looked up once a drawn edge, at random.
  if (options_.sampler.keep_edges) use_huge_pages(std::span(dataset.edge_id));
}

Plan Loader::plan(std::int32_t epoch) const {
  PlanOptions options = options_.plan;
  options.epoch = epoch;
  options.mix = options_.schedule.at(options_.mix(), epoch);
  return make_plan(roots_, levels_, options);
}

std::int64_t Loader::draws(const Plan& plan, std::size_t index) const {
  return options_.dependency == 1 ? plan.id(index) : static_cast<std::int64_t>(index) / options_.dependency;
}

SampledBatch Loader::sample(const Plan& plan, std::int32_t epoch, std::size_t index) const {
  const Stopwatch watch;
  SampledBatch out{.index = index, .batch = {}, .stats = {}, .sample_seconds = 0};
  out.batch = sampler_.sample(plan[index], epoch, draws(plan, index), p_intra(epoch));
  out.stats = describe(out.batch, communities(), dataset_.labels.of_node);
  out.sample_seconds = watch.seconds();
  return out;
}

std::unique_ptr<Prefetcher<SampledBatch>> Loader::stream(const Plan& plan, std::int32_t epoch,
                                                         std::size_t first) const {
  return std::make_unique<Prefetcher<SampledBatch>>(
      std::min(first, plan.size()), plan.size(), static_cast<std::size_t>(options_.prefetch_depth),
      [this, &plan, epoch](std::size_t i) { return sample(plan, epoch, i); });
}

}  // namespace kith
