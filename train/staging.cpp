#include "train/staging.h"

#include <algorithm>
#include <utility>

#include "graph/errors.h"
#include "sampler/device_sampler.h"
#include "train/model_adjacency.h"
#include "train/stopwatch.h"

namespace kith {
namespace {

/// Sets the labels of the roots.
void look_up_labels(const Dataset& dataset, std::span<const NodeId> roots, StagedBatch& out) {
  out.labels.reserve(roots.size());
  for (const NodeId root : roots) out.labels.push_back(dataset.labels.of_node[root]);
  out.has_labels = std::ranges::any_of(out.labels, [](std::int32_t label) { return label != kNoLabel; });
}

class ResidentStaging final : public Staging {
 public:
  ResidentStaging(Backend& backend, const Dataset& dataset, FeatureView features, ModelKind kind)
      : backend_(backend), dataset_(dataset), features_(features), kind_(kind) {}

  StagedBatch make(const Loader& loader, const Plan& plan, std::int32_t epoch, std::size_t index) override {
    SampledBatch sampled = loader.sample(plan, epoch, index);
    const Stopwatch watch;
    StagedBatch out;
    out.adjacency = make_adjacency(kind_, sampled.batch, dataset_.graph.view());
    look_up_labels(dataset_, sampled.batch.roots(), out);
    out.input_nodes = std::move(sampled.batch.input_nodes);
    out.batch = to_device(backend_, out.adjacency, features_, out.input_nodes, out.labels);
    out.stats = sampled.stats;
    out.sample_seconds = sampled.sample_seconds;
    out.stage_seconds = watch.seconds();
    return out;
  }

 private:
  Backend& backend_;
  const Dataset& dataset_;
  FeatureView features_;
  ModelKind kind_;
};

/// Keeps the sampler of the loader that it saw last: its tables are as large as the graph.
class DeviceSampledStaging final : public Staging {
 public:
  DeviceSampledStaging(Backend& backend, const Dataset& dataset, FeatureView features)
      : backend_(backend), dataset_(dataset), features_(features) {}

  StagedBatch make(const Loader& loader, const Plan& plan, std::int32_t epoch, std::size_t index) override {
    if (loader_ != &loader) begin(loader);
    const Stopwatch watch;
    StagedBatch out;
    const std::span<const NodeId> roots = plan[index];
    DeviceSample sample = sampler_->sample(roots, epoch, loader.draws(plan, index));
    out.stats = describe_roots(roots, loader.communities(), dataset_.labels.of_node);
    out.stats.input_nodes = sample.hop_bounds.back();
    out.stats.edges = sample.edge_bounds.back();
    out.stats.intra_edges = sample.num_intra_edges;
    out.sample_seconds = watch.seconds();
    look_up_labels(dataset_, roots, out);
    out.batch = to_device(backend_, std::move(sample), features_, out.labels);
    out.stage_seconds = watch.seconds() - out.sample_seconds;
    return out;
  }

 private:
  void begin(const Loader& loader) {
    sampler_.reset();  // before the next one takes its memory
    sampler_ = make_device_sampler(backend_, dataset_.graph.view(),
                                   dataset_.communities(loader.options().bias_level), loader.options().sampler);
    loader_ = &loader;
  }

  Backend& backend_;
  const Dataset& dataset_;
  FeatureView features_;
  const Loader* loader_ = nullptr;
  std::unique_ptr<DeviceSampler> sampler_;
};

}  // namespace

std::unique_ptr<Staging> make_resident_staging(Backend& backend, const Dataset& dataset, FeatureView features,
                                               ModelKind kind) {
  return std::make_unique<ResidentStaging>(backend, dataset, features, kind);
}

std::unique_ptr<Staging> make_device_sampled_staging(Backend& backend, const Dataset& dataset,
                                                     FeatureView features, ModelKind kind) {
  KITH_CHECK(kind == ModelKind::sage, InvalidArgument,
             "--sample-on device: expected --model sage, whose layers take a batch as it is drawn, got ",
             name_of(kind));
  return std::make_unique<DeviceSampledStaging>(backend, dataset, features);
}

}  // namespace kith
