#include "train/staging.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "graph/errors.h"
#include "train/model_adjacency.h"
#include "train/staging/tiered_features.h"
#include "train/stopwatch.h"

namespace kith {
namespace {

/// All of a staged batch but the way to its rows.
StagedBatch begin(const Dataset& dataset, ModelKind kind, SampledBatch& sampled) {
  StagedBatch out;
  out.adjacency = make_adjacency(kind, sampled.batch, dataset.graph.view());
  out.labels.reserve(static_cast<std::size_t>(sampled.batch.num_roots()));
  for (const NodeId root : sampled.batch.roots()) out.labels.push_back(dataset.labels.of_node[root]);
  out.has_labels = std::ranges::any_of(out.labels, [](std::int32_t label) { return label != kNoLabel; });
  out.input_nodes = std::move(sampled.batch.input_nodes);
  out.stats = sampled.stats;
  out.sample_seconds = sampled.sample_seconds;
  return out;
}

class ResidentStaging final : public Staging {
 public:
  ResidentStaging(Backend& backend, const Dataset& dataset, FeatureView features, ModelKind kind)
      : backend_(backend), dataset_(dataset), features_(features), kind_(kind) {}

  StagedBatch stage(SampledBatch sampled) override {
    const Stopwatch watch;
    StagedBatch out = begin(dataset_, kind_, sampled);
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

class TieredStaging final : public Staging {
 public:
  TieredStaging(Backend& backend, const Dataset& dataset, const Loader& loader, ModelKind kind,
                const StagingOptions& options)
      : backend_(backend), dataset_(dataset), kind_(kind), tiers_(dataset, loader, options) {}

  std::int32_t lookahead() const override { return tiers_.lookahead(); }
  void reveal(const SampledBatch& sampled) override { tiers_.reveal(sampled.batch); }

  StagedBatch stage(SampledBatch sampled) override {
    const Stopwatch watch;
    StagedBatch out = begin(dataset_, kind_, sampled);
    const auto num_rows = static_cast<std::int64_t>(out.input_nodes.size());
    FeatureView rows = dataset_.features.view();
    // A reused buffer of the backend's: fresh memory would cost more to touch than to fill.
    const auto values = static_cast<std::int64_t>((rows.row_bytes() + sizeof(float) - 1) / sizeof(float));
    out.staged_rows = backend_.empty(num_rows, values, Scalar::f32);
    auto* const bytes = reinterpret_cast<std::byte*>(out.staged_rows.data<float>());
    out.traffic = tiers_.stage(out.input_nodes, bytes);
    out.staged_ids.resize(out.input_nodes.size());
    std::iota(out.staged_ids.begin(), out.staged_ids.end(), NodeId{0});
    rows.data = bytes;
    rows.num_rows = num_rows;
    out.batch = to_device(backend_, out.adjacency, rows, out.staged_ids, out.labels);
    out.stage_seconds = watch.seconds();
    return out;
  }

 private:
  Backend& backend_;
  const Dataset& dataset_;
  ModelKind kind_;
  TieredFeatures tiers_;
};

}  // namespace

std::unique_ptr<Staging> make_resident_staging(Backend& backend, const Dataset& dataset, FeatureView features,
                                               ModelKind kind) {
  return std::make_unique<ResidentStaging>(backend, dataset, features, kind);
}

std::unique_ptr<Staging> make_tiered_staging(Backend& backend, const Dataset& dataset, const Loader& loader,
                                             ModelKind kind, const StagingOptions& options) {
  KITH_CHECK(backend.name() == "cpu", InvalidArgument, "--stage ", name_of(options.policy),
             ": tiers are managed on the CPU only so far, got device ", backend.name());
  return std::make_unique<TieredStaging>(backend, dataset, loader, kind, options);
}

}  // namespace kith
