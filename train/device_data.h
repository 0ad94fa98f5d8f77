// A dataset's tables in the memory of the device that computes.
#pragma once

#include <optional>

#include "graph/dataset.h"
#include "kernels/backend.h"
#include "train/device_batch.h"
#include "train/model.h"
#include "train/normalization.h"

namespace kith {

/// Copies features at construction and the graph when it is first asked for, on a device with memory of its
/// own; refers to the dataset on the CPU. Tables that do not fit beside a reserve for training stay in host
/// memory, which the device then reads over the bus. One thread at a time.
class DeviceData {
 public:
  /// Both must outlive it.
  DeviceData(Backend& backend, const Dataset& dataset, ModelKind kind);

  FeatureView features() const { return features_; }  ///< [num_nodes x dim]
  CsrView structure();                                ///< the dataset's graph as it is, to sample from
  const DeviceGraph& graph();  ///< with self-loops and weights where the model has them; else structure()

 private:
  Backend& backend_;
  const Dataset& dataset_;
  ModelKind kind_;
  DeviceArrays feature_arrays_;
  FeatureView features_;
  DeviceArrays offsets_, neighbors_;  ///< of structure(); nothing before it is asked for
  std::optional<CsrView> structure_;
  WeightedGraph weighted_;  ///< on the host, for models that weigh edges
  DeviceArrays weighted_arrays_;
  std::optional<DeviceGraph> graph_;
};

}  // namespace kith
