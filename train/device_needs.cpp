#include "train/device_needs.h"

#include <algorithm>

#include "graph/memory_limit.h"
#include "train/layer.h"

namespace kith {
namespace {

/// Rows that one part of evaluation brings to the device, at most: its own where the first layer projects them
/// before it aggregates, else all that its edges may name.
std::int64_t most_streamed_rows(const ModelOptions& model, CsrView graph) {
  const std::int64_t nodes = graph.num_nodes();
  const std::int32_t out_channels = model.num_layers > 1 ? model.hidden_channels : model.out_channels;
  if (model.kind == ModelKind::gat || out_channels < model.in_channels) return std::min(kChunkRows, nodes);
  std::int64_t most = 0;
  for (std::int64_t first = 0; first < nodes; first += kChunkRows) {
    const std::int64_t end = std::min(first + kChunkRows, nodes);
    most = std::max(
        most, graph.offsets[static_cast<std::size_t>(end)] - graph.offsets[static_cast<std::size_t>(first)]);
  }
  return std::min(most + kChunkRows, nodes);  // self-loops counted
}

}  // namespace

FeatureHome feature_home(Backend& backend, const Dataset& dataset, const StagingOptions& options) {
  if (options.policy == StagePolicy::none) return FeatureHome::device;
  if (options.host_bytes >= 0) return FeatureHome::streamed;
  const FeatureView table = dataset.features.view();
  if (backend.name() != "cpu") {
    require_memory(table.num_rows * static_cast<std::int64_t>(table.row_bytes()),
                   "--host-bytes: a pinned host tier of the whole feature table",
                   "a smaller --host-bytes needs less");
  }
  return FeatureHome::pinned;
}

std::int64_t device_bytes_besides_batches(const ModelOptions& model, const Dataset& dataset, FeatureHome home) {
  constexpr std::int64_t kOffset = sizeof(EdgeOffset), kId = sizeof(NodeId), kValue = sizeof(float);
  const CsrView graph = dataset.graph.view();
  const std::int64_t nodes = graph.num_nodes(), edges = graph.num_edges();
  std::int64_t bytes = nodes * kOffset + edges * kId;
  if (model.kind != ModelKind::sage)
    bytes += nodes * (kId + kValue) + edges * kValue;  // self-loops and weights
  // Two layers of evaluation at a time.
  const std::int64_t hidden = model.num_layers > 1 ? model.hidden_channels : 0;
  bytes +=
      nodes * kValue * (hidden + std::max<std::int64_t>(model.out_channels, model.num_layers > 2 ? hidden : 0));
  bytes +=
      std::min(kChunkRows, nodes) * model.in_channels * kValue;  // rows of one part as they are computed on
  if (home != FeatureHome::streamed) return bytes;
  return bytes +
         most_streamed_rows(model, graph) * static_cast<std::int64_t>(dataset.features.view().row_bytes()) +
         nodes * kId;
}

}  // namespace kith
