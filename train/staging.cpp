#include "train/staging.h"

#include <utility>

#include "train/model_adjacency.h"
#include "train/stopwatch.h"

namespace kith {
namespace {

class HostStaging final : public Staging {
 public:
  HostStaging(const Dataset& dataset, ModelKind kind) : dataset_(dataset), kind_(kind) {}

  StagedBatch stage(SampledBatch sampled) override {
    const Stopwatch watch;
    StagedBatch out;
    out.adjacency = make_adjacency(kind_, sampled.batch, dataset_.graph.view());
    out.features = dataset_.features.view();
    out.labels.reserve(static_cast<std::size_t>(sampled.batch.num_roots()));
    for (const NodeId root : sampled.batch.roots()) out.labels.push_back(dataset_.labels.of_node[root]);
    out.input_nodes = std::move(sampled.batch.input_nodes);
    out.stats = sampled.stats;
    out.sample_seconds = sampled.sample_seconds;
    out.stage_seconds = watch.seconds();
    return out;
  }

 private:
  const Dataset& dataset_;
  ModelKind kind_;
};

}  // namespace

std::unique_ptr<Staging> make_host_staging(const Dataset& dataset, ModelKind kind) {
  return std::make_unique<HostStaging>(dataset, kind);
}

}  // namespace kith
