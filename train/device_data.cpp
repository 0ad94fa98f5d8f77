#include "train/device_data.h"

#include <span>
#include <utility>

#include "train/model_adjacency.h"

namespace kith {

DeviceData::DeviceData(Backend& backend, const Dataset& dataset, ModelKind kind, FeatureHome home)
    : backend_(backend), dataset_(dataset), kind_(kind), features_(dataset.features.view()) {
  if (home == FeatureHome::streamed && backend.name() != "cpu") {
    features_.data = nullptr;
    is_streamed_ = true;
    return;
  }
  const std::span<const std::byte> bytes(features_.data,
                                         static_cast<std::size_t>(features_.num_rows) * features_.row_bytes());
  feature_arrays_ = home == FeatureHome::device ? backend.table_to_device(bytes) : backend.table_to_host(bytes);
  backend.wait_for(feature_arrays_);
  features_.data = feature_arrays_.get<std::byte>(0).data();
}

CsrView DeviceData::structure() {
  if (structure_) return *structure_;
  const CsrView host = dataset_.graph.view();
  offsets_ = backend_.table_to_device(std::as_bytes(host.offsets));
  neighbors_ = backend_.table_to_device(std::as_bytes(host.neighbors));
  backend_.wait_for(offsets_);
  backend_.wait_for(neighbors_);
  structure_ = {.offsets = offsets_.get<EdgeOffset>(0),
                .neighbors = neighbors_.get<NodeId>(0),
                .memo = neighbors_.memo()};
  return *structure_;
}

const DeviceGraph& DeviceData::graph() {
  if (graph_) return *graph_;
  if (kind_ == ModelKind::sage) {
    if (is_streamed_) stream_.emplace(backend_, dataset_.features.view(), dataset_.graph.view());
    graph_ = {
        .graph = structure(), .weights = {}, .features = features_, .stream = stream_ ? &*stream_ : nullptr};
    return *graph_;
  }
  weighted_ = make_whole_graph(kind_, dataset_.graph.view());
  const CsrView host = weighted_.graph.view();
  if (is_streamed_) stream_.emplace(backend_, dataset_.features.view(), host);
  weighted_arrays_ =
      backend_.to_device(host.offsets, host.neighbors, std::span<const float>(weighted_.weights));
  backend_.wait_for(weighted_arrays_);
  graph_ = {.graph = {.offsets = weighted_arrays_.get<EdgeOffset>(0),
                      .neighbors = weighted_arrays_.get<NodeId>(1),
                      .memo = weighted_arrays_.memo()},
            .weights = weighted_arrays_.get<float>(2),
            .features = features_,
            .stream = stream_ ? &*stream_ : nullptr};
  return *graph_;
}

}  // namespace kith
