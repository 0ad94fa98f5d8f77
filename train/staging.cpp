#include "train/staging.h"

#include <algorithm>
#include <deque>
#include <numeric>
#include <utility>

#include "graph/errors.h"
#include "sampler/device_sampler.h"
#include "train/model_adjacency.h"
#include "train/staging/tiered_features.h"
#include "train/stopwatch.h"

namespace kith {
namespace {

/// Sets the labels of the roots.
void look_up_labels(const Dataset& dataset, std::span<const NodeId> roots, StagedBatch& out) {
  out.labels.reserve(roots.size());
  for (const NodeId root : roots) out.labels.push_back(dataset.labels.of_node[root]);
  out.has_labels = std::ranges::any_of(out.labels, [](std::int32_t label) { return label != kNoLabel; });
}

/// All of a batch that was sampled on the host, but the way to its rows.
StagedBatch take(const Dataset& dataset, ModelKind kind, SampledBatch& sampled) {
  StagedBatch out;
  out.adjacency = make_adjacency(kind, sampled.batch, dataset.graph.view());
  look_up_labels(dataset, sampled.batch.roots(), out);
  out.input_nodes = std::move(sampled.batch.input_nodes);
  out.stats = sampled.stats;
  out.sample_seconds = sampled.sample_seconds;
  return out;
}

class ResidentStaging final : public Staging {
 public:
  ResidentStaging(Backend& backend, const Dataset& dataset, FeatureView features, ModelKind kind)
      : backend_(backend), dataset_(dataset), features_(features), kind_(kind) {}

  StagedBatch make(const Loader& loader, const Plan& plan, std::int32_t epoch, std::size_t index) override {
    SampledBatch sampled = loader.sample(plan, epoch, index);
    const Stopwatch watch;
    StagedBatch out = take(dataset_, kind_, sampled);
    out.batch = to_device(backend_, out.adjacency, features_, out.input_nodes, out.labels);
    out.stage_seconds = watch.seconds();
    return out;
  }

 private:
  Backend& backend_;
  const Dataset& dataset_;
  FeatureView features_;
  ModelKind kind_;
};

/// Reads the rows of the next batch while those of the present one are waited for, so that the disk never waits
/// for sampling or copying.
class TieredStaging final : public Staging {
 public:
  TieredStaging(Backend& backend, const Dataset& dataset, const Loader& loader, ModelKind kind,
                const StagingOptions& options)
      : backend_(backend),
        dataset_(dataset),
        kind_(kind),
        num_ahead_(loader.options().prefetch_depth > 0 ? 1 : 0),
        tiers_(dataset, loader, options) {}

  StagedBatch make(const Loader& loader, const Plan& plan, std::int32_t epoch, std::size_t index) override {
    // Batches may be asked for until somebody hears of one that failed.
    KITH_CHECK(!has_failed_, EnvironmentError, "staging: an earlier batch failed");
    has_failed_ = true;  // until this one is done
    if (index != next_index_ || epoch != epoch_) go_to(epoch, index);
    ++next_index_;
    const std::size_t end = std::min(plan.size(), index + 1 + num_ahead_);
    while (index + begun_.size() < end) begin_next(loader, plan, epoch);
    StagedBatch out = std::move(begun_.front());
    begun_.pop_front();
    const Stopwatch watch;
    out.traffic = tiers_.finish();
    out.batch = to_device(backend_, out.adjacency, features_of(out), out.staged_ids, out.labels);
    out.stage_seconds += watch.seconds();
    has_failed_ = false;
    return out;
  }

 private:
  /// Serves what an epoch that was left in the middle had revealed: the tiers keep the order.
  void go_to(std::int32_t epoch, std::size_t index) {
    for (; !begun_.empty(); begun_.pop_front()) tiers_.finish();
    for (; !ahead_.empty(); ahead_.pop_front()) {
      StagedBatch unused;
      unused.input_nodes = std::move(ahead_.front().batch.input_nodes);
      begin_rows(unused);
      tiers_.finish();
    }
    epoch_ = epoch;
    next_index_ = num_sampled_ = index;
  }

  /// Of the batches that are not begun, the first one.
  void begin_next(const Loader& loader, const Plan& plan, std::int32_t epoch) {
    const std::size_t index = num_sampled_ - ahead_.size();
    const std::size_t end = std::min(plan.size(), index + 1 + static_cast<std::size_t>(tiers_.lookahead()));
    for (; num_sampled_ < end; ++num_sampled_) {
      ahead_.push_back(loader.sample(plan, epoch, num_sampled_));
      tiers_.reveal(ahead_.back().batch);
    }
    SampledBatch sampled = std::move(ahead_.front());
    ahead_.pop_front();
    const Stopwatch watch;
    begun_.emplace_back();  // first: once its rows are under way, it must not go
    try {
      begun_.back() = take(dataset_, kind_, sampled);
      begin_rows(begun_.back());
    } catch (...) {
      begun_.pop_back();
      throw;
    }
    begun_.back().stage_seconds = watch.seconds();
  }

  void begin_rows(StagedBatch& out) {
    const auto num_rows = static_cast<std::int64_t>(out.input_nodes.size());
    // A reused buffer of the backend's: fresh memory would cost more to touch than to fill.
    const std::size_t row_bytes = dataset_.features.view().row_bytes();
    const auto row_values = static_cast<std::int64_t>((row_bytes + sizeof(float) - 1) / sizeof(float));
    out.staged_rows = backend_.empty(num_rows, row_values, Scalar::f32);
    out.staged_ids.resize(out.input_nodes.size());
    std::iota(out.staged_ids.begin(), out.staged_ids.end(), NodeId{0});
    tiers_.begin(out.input_nodes, reinterpret_cast<std::byte*>(out.staged_rows.data<float>()));
  }

  FeatureView features_of(const StagedBatch& staged) const {
    FeatureView rows = dataset_.features.view();
    rows.data = reinterpret_cast<const std::byte*>(staged.staged_rows.data<float>());
    rows.num_rows = static_cast<std::int64_t>(staged.input_nodes.size());
    return rows;
  }

  Backend& backend_;
  const Dataset& dataset_;
  ModelKind kind_;
  std::size_t num_ahead_;           ///< batches begun beyond the one that is asked for
  std::deque<SampledBatch> ahead_;  ///< revealed and not begun
  std::deque<StagedBatch> begun_;   ///< their rows are on the way
  TieredFeatures tiers_;            ///< stops before what it writes to goes
  bool has_failed_ = false;
  std::int32_t epoch_ = -1;      ///< the present one
  std::size_t next_index_ = 0;   ///< of its batches, to be asked for
  std::size_t num_sampled_ = 0;  ///< index of the next one to reveal
};

/// Keeps its sampler as long as loaders sample alike: its tables are as large as the graph.
class DeviceSampledStaging final : public Staging {
 public:
  DeviceSampledStaging(Backend& backend, const Dataset& dataset, DeviceData& data)
      : backend_(backend), dataset_(dataset), features_(data.features()), graph_(data.structure()) {}

  StagedBatch make(const Loader& loader, const Plan& plan, std::int32_t epoch, std::size_t index) override {
    if (!sampler_ || options_ != loader.options().sampler || bias_level_ != loader.options().bias_level) {
      begin(loader);
    }
    const Stopwatch watch;
    StagedBatch out;
    const std::span<const NodeId> roots = plan[index];
    DeviceSample sample = sampler_->sample(roots, epoch, loader.draws(plan, index), loader.p_intra(epoch));
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
    options_ = loader.options().sampler;
    bias_level_ = loader.options().bias_level;
    sampler_ = make_device_sampler(backend_, dataset_.graph.view(), dataset_.communities(bias_level_), options_,
                                   graph_);
  }

  Backend& backend_;
  const Dataset& dataset_;
  FeatureView features_;
  CsrView graph_;  ///< on the device: evaluation reads it too
  SamplerOptions options_;
  std::int32_t bias_level_ = 0;
  std::unique_ptr<DeviceSampler> sampler_;
};

}  // namespace

std::unique_ptr<Staging> make_resident_staging(Backend& backend, const Dataset& dataset, FeatureView features,
                                               ModelKind kind) {
  return std::make_unique<ResidentStaging>(backend, dataset, features, kind);
}

std::unique_ptr<Staging> make_device_sampled_staging(Backend& backend, const Dataset& dataset, DeviceData& data,
                                                     ModelKind kind) {
  KITH_CHECK(kind == ModelKind::sage, InvalidArgument,
             "--sample-on device: expected --model sage, whose layers take a batch as it is drawn, got ",
             name_of(kind));
  return std::make_unique<DeviceSampledStaging>(backend, dataset, data);
}

std::unique_ptr<Staging> make_tiered_staging(Backend& backend, const Dataset& dataset, const Loader& loader,
                                             ModelKind kind, const StagingOptions& options) {
  KITH_CHECK(backend.name() == "cpu", InvalidArgument, "--stage ", name_of(options.policy),
             ": tiers are managed on the CPU only so far, got device ", backend.name());
  return std::make_unique<TieredStaging>(backend, dataset, loader, kind, options);
}

}  // namespace kith
