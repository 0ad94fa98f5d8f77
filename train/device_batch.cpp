#include "train/device_batch.h"

#include <utility>

namespace kith {

WeightedBlock DeviceBatch::block(std::int32_t layer) const {
  const BlockShape& shape = shapes[static_cast<std::size_t>(layer)];
  const auto num_edges = static_cast<std::size_t>(shape.num_edges);
  return {.block = {.num_sources = shape.num_sources,
                    .offsets = offsets.first(static_cast<std::size_t>(shape.num_destinations) + 1),
                    .sources = sources.first(num_edges),
                    .memo = arrays.front().memo()},
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
  batch.arrays.push_back(backend.to_device(std::span(adjacency.offsets), std::span(adjacency.sources),
                                           std::span(adjacency.weights), rows, labels));
  const DeviceArrays& arrays = batch.arrays.back();
  batch.offsets = arrays.get<std::int32_t>(0);
  batch.sources = arrays.get<std::int32_t>(1);
  batch.weights = arrays.get<float>(2);
  batch.rows = arrays.get<NodeId>(3);
  batch.labels = arrays.get<std::int32_t>(4);
  return batch;
}

DeviceBatch to_device(Backend& backend, DeviceSample sample, FeatureView features,
                      std::span<const std::int32_t> labels) {
  DeviceBatch batch{.shapes = {},
                    .offsets = sample.offsets,
                    .sources = sample.sources,
                    .weights = sample.weights,
                    .features = features,
                    .rows = sample.input_nodes,
                    .labels = {},
                    .arrays = {}};
  for (auto hop = static_cast<std::size_t>(sample.num_hops()); hop > 0; --hop) {
    batch.shapes.push_back({.num_destinations = sample.hop_bounds[hop - 1],
                            .num_sources = sample.hop_bounds[hop],
                            .num_edges = sample.edge_bounds[hop]});
  }
  batch.arrays.push_back(std::move(sample.arrays));
  batch.arrays.push_back(backend.to_device(labels));
  batch.labels = batch.arrays.back().get<std::int32_t>(0);
  return batch;
}

}  // namespace kith
