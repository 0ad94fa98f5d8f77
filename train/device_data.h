// A dataset's tables in the memory of the device that computes.
#pragma once

#include <cstdint>
#include <optional>

#include "graph/dataset.h"
#include "kernels/backend.h"
#include "train/device_batch.h"
#include "train/model.h"
#include "train/normalization.h"
#include "train/streamed_features.h"

namespace kith {

/// Where the features are that a device with memory of its own computes on.
enum class FeatureHome : std::uint8_t {
  device,    ///< in its memory if they fit beside a reserve for training, else pinned
  pinned,    ///< in host memory, which the device reads over the bus
  streamed,  ///< nowhere: evaluation brings them part by part, batches have rows of their own
};

/// Copies features at construction and the graph when it is first asked for, on a device with memory of its
/// own; refers to the dataset on the CPU, whatever their home. One thread at a time.
class DeviceData {
 public:
  /// Both must outlive it.
  DeviceData(Backend& backend, const Dataset& dataset, ModelKind kind, FeatureHome home = FeatureHome::device);

  FeatureView features() const { return features_; }  ///< [num_nodes x dim]; without data if streamed
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
  bool is_streamed_ = false;
  std::optional<StreamedFeatures> stream_;
  WeightedGraph weighted_;  ///< on the host, for models that weigh edges
  DeviceArrays weighted_arrays_;
  std::optional<DeviceGraph> graph_;
};

}  // namespace kith
