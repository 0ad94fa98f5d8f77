#include "train/device_data.h"

#include <span>
#include <utility>

#include "train/model_adjacency.h"

namespace kith {

DeviceData::DeviceData(Backend& backend, const Dataset& dataset, ModelKind kind)
    : backend_(backend), dataset_(dataset), kind_(kind), features_(dataset.features.view()) {
  const std::span<const std::byte> bytes(features_.data,
                                         static_cast<std::size_t>(features_.num_rows) * features_.row_bytes());
  feature_arrays_ = backend.table_to_device(bytes);
  backend.wait_for(feature_arrays_);
  features_.data = feature_arrays_.get<std::byte>(0).data();
}

const DeviceGraph& DeviceData::graph() {
  if (graph_) return *graph_;
  CsrView host = dataset_.graph.view();
  if (kind_ != ModelKind::sage) {
    weighted_ = make_whole_graph(kind_, host);
    host = weighted_.graph.view();
  }
  graph_arrays_ = backend_.to_device(host.offsets, host.neighbors, std::span<const float>(weighted_.weights));
  backend_.wait_for(graph_arrays_);
  graph_ = {.graph = {.offsets = graph_arrays_.get<EdgeOffset>(0), .neighbors = graph_arrays_.get<NodeId>(1)},
            .weights = graph_arrays_.get<float>(2),
            .features = features_};
  return *graph_;
}

}  // namespace kith
