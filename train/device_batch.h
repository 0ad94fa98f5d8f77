// A batch and a graph as a model reads them: in the memory of the device that computes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/feature_store.h"
#include "graph/types.h"
#include "graph/views.h"
#include "kernels/backend.h"
#include "sampler/device_sampler.h"
#include "train/layer.h"
#include "train/normalization.h"
#include "train/streamed_features.h"

namespace kith {

/// Sizes of one block, which the host must know to ask for memory.
struct BlockShape {
  std::int32_t num_destinations = 0;
  std::int32_t num_sources = 0;
  std::int32_t num_edges = 0;
};

/// One batch. The blocks of all layers are prefixes of one adjacency; see MiniBatch for an example.
struct DeviceBatch {
  std::vector<BlockShape> shapes;  ///< a layer, the outermost (input) layer first; on the host
  std::span<const std::int32_t> offsets;
  std::span<const std::int32_t> sources;
  std::span<const float> weights;  ///< [num_edges], or empty for a mean
  FeatureView features;
  std::span<const NodeId> rows;          ///< [num_inputs] the row of `features` of each input node
  std::span<const std::int32_t> labels;  ///< [num_roots]
  std::vector<DeviceArrays> arrays;      ///< what the spans refer to

  WeightedBlock block(std::int32_t layer) const;
  /// Operations that are called from now on find the batch on the device.
  void wait_on(Backend& backend) const {
    for (const DeviceArrays& each : arrays) backend.wait_for(each);
  }
};

/// Brings a batch to the device; wait_on() before it is used. features: there already.
/// On the CPU the result refers to the arguments.
DeviceBatch to_device(Backend& backend, const BatchAdjacency& adjacency, FeatureView features,
                      std::span<const NodeId> rows, std::span<const std::int32_t> labels);

/// The same for a batch that was sampled there; labels: [num_roots], on the host.
DeviceBatch to_device(Backend& backend, DeviceSample sample, FeatureView features,
                      std::span<const std::int32_t> labels);

/// The whole graph, for layer-wise inference.
struct DeviceGraph {
  CsrView graph;
  std::span<const float> weights;   ///< [num_edges], or empty for a mean
  FeatureView features;             ///< [num_nodes x dim]
  FeaturePieces* pieces = nullptr;  ///< on the CPU, what reads them from the file: then features.data is null
  StreamedFeatures* stream = nullptr;  ///< where the device has no room for them: then features.data is null
};

}  // namespace kith
