#include "train/device_batch.h"

#include <utility>

namespace kith {

WeightedBlock DeviceBatch::block(std::int32_t layer) const {
  const BlockShape& shape = shapes[static_cast<std::size_t>(layer)];
  const auto num_edges = static_cast<std::size_t>(shape.num_edges);
  return {.block = {.num_sources = shape.num_sources,
                    .offsets = offsets.first(static_cast<std::size_t>(shape.num_destinations) + 1),
                    .sources = sources.first(num_edges)},
          .edge_weights = weights.empty() ? weights : weights.first(num_edges)};
}

DeviceBatch to_device(Backend& backend, const BatchAdjacency& adjacency, FeatureView features,
                      std::span<const NodeId> rows, std::span<const std::int32_t> labels) {
  DeviceBatch batch{.shapes = {},
                    .offsets = {},
                    .sources = {},
                    .weights = {},
                    .features = features,
                    .rows = {},
                    .labels = {},
                    .arrays = {}};
  for (std::size_t hop = adjacency.hop_bounds.size() - 1; hop > 0; --hop) {
    const std::int32_t num_destinations = adjacency.hop_bounds[hop - 1];
    batch.shapes.push_back({.num_destinations = num_destinations,
                            .num_sources = adjacency.hop_bounds[hop],
                            .num_edges = adjacency.offsets[static_cast<std::size_t>(num_destinations)]});
  }
  batch.arrays = backend.to_device(std::span(adjacency.offsets), std::span(adjacency.sources),
                                   std::span(adjacency.weights), rows, labels);
  batch.offsets = batch.arrays.get<std::int32_t>(0);
  batch.sources = batch.arrays.get<std::int32_t>(1);
  batch.weights = batch.arrays.get<float>(2);
  batch.rows = batch.arrays.get<NodeId>(3);
  batch.labels = batch.arrays.get<std::int32_t>(4);
  return batch;
}

}  // namespace kith
