#include "train/staging.h"

#include <algorithm>
#include <utility>

#include "train/model_adjacency.h"
#include "train/stopwatch.h"

namespace kith {
namespace {

class ResidentStaging final : public Staging {
 public:
  ResidentStaging(Backend& backend, const Dataset& dataset, FeatureView features, ModelKind kind)
      : backend_(backend), dataset_(dataset), features_(features), kind_(kind) {}

  StagedBatch stage(SampledBatch sampled) override {
    const Stopwatch watch;
    StagedBatch out;
    out.adjacency = make_adjacency(kind_, sampled.batch, dataset_.graph.view());
    out.labels.reserve(static_cast<std::size_t>(sampled.batch.num_roots()));
    for (const NodeId root : sampled.batch.roots()) out.labels.push_back(dataset_.labels.of_node[root]);
    out.has_labels = std::ranges::any_of(out.labels, [](std::int32_t label) { return label != kNoLabel; });
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

}  // namespace

std::unique_ptr<Staging> make_resident_staging(Backend& backend, const Dataset& dataset, FeatureView features,
                                               ModelKind kind) {
  return std::make_unique<ResidentStaging>(backend, dataset, features, kind);
}

}  // namespace kith
