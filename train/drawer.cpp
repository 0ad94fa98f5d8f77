#include "train/drawer.h"

#include <algorithm>
#include <span>
#include <utility>

#include "graph/errors.h"
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

class HostDrawer final : public Drawer {
 public:
  HostDrawer(const Dataset& dataset, ModelKind kind) : dataset_(dataset), kind_(kind) {}

  Drawn draw(const Loader& loader, const Plan& plan, std::int32_t epoch, std::size_t index) override {
    SampledBatch sampled = loader.sample(plan, epoch, index);
    const Stopwatch watch;
    Drawn out;
    StagedBatch& staged = out.staged;
    staged.adjacency = make_adjacency(kind_, sampled.batch, dataset_.graph.view());
    look_up_labels(dataset_, sampled.batch.roots(), staged);
    staged.input_nodes = std::move(sampled.batch.input_nodes);
    staged.stats = sampled.stats;
    staged.sample_seconds = sampled.sample_seconds;
    staged.stage_seconds = watch.seconds();
    return out;
  }
  bool is_on_device() const override { return false; }

 private:
  const Dataset& dataset_;
  ModelKind kind_;
};

/// Keeps its sampler as long as loaders sample alike: its tables are as large as the graph.
class DeviceDrawer final : public Drawer {
 public:
  DeviceDrawer(Backend& backend, const Dataset& dataset, CsrView graph)
      : backend_(backend), dataset_(dataset), graph_(graph) {}

  Drawn draw(const Loader& loader, const Plan& plan, std::int32_t epoch, std::size_t index) override {
    if (!sampler_ || options_ != loader.options().sampler || bias_level_ != loader.options().bias_level) {
      begin(loader);
    }
    const Stopwatch watch;
    Drawn out;
    const std::span<const NodeId> roots = plan[index];
    out.sample = sampler_->sample(roots, epoch, loader.draws(plan, index), loader.p_intra(epoch));
    BatchStats& stats = out.staged.stats;
    stats = describe_roots(roots, loader.communities(), dataset_.labels.of_node);
    stats.input_nodes = out.sample.hop_bounds.back();
    stats.edges = out.sample.edge_bounds.back();
    stats.intra_edges = out.sample.num_intra_edges;
    out.staged.sample_seconds = watch.seconds();
    look_up_labels(dataset_, roots, out.staged);
    return out;
  }
  bool is_on_device() const override { return true; }

 private:
  void begin(const Loader& loader) {
    sampler_.reset();  // before the next one takes its memory
    options_ = loader.options().sampler;
    bias_level_ = loader.options().bias_level;
    sampler_ = make_device_sampler(backend_, dataset_.graph.view(), dataset_.communities(bias_level_), options_,
                                   graph_);
  }

  Backend& backend_;
  const Dataset& dataset_;
  CsrView graph_;  ///< on the device: evaluation reads it too
  SamplerOptions options_;
  std::int32_t bias_level_ = 0;
  std::unique_ptr<DeviceSampler> sampler_;
};

}  // namespace

std::unique_ptr<Drawer> make_host_drawer(const Dataset& dataset, ModelKind kind) {
  return std::make_unique<HostDrawer>(dataset, kind);
}

std::unique_ptr<Drawer> make_device_drawer(Backend& backend, const Dataset& dataset, DeviceData& data,
                                           ModelKind kind) {
  KITH_CHECK(kind == ModelKind::sage, InvalidArgument,
             "--sample-on device: expected --model sage, whose layers take a batch as it is drawn, got ",
             name_of(kind));
  return std::make_unique<DeviceDrawer>(backend, dataset, data.structure());
}

}  // namespace kith
