// Brings what a batch reads to where compute reads it: the adjacency, the labels, and the way to the feature
// rows. One table that holds all rows is the one tier so far. Other tiers implement the same interface.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "graph/dataset.h"
#include "kernels/backend.h"
#include "train/device_batch.h"
#include "train/loader.h"
#include "train/model.h"
#include "train/normalization.h"

namespace kith {

/// A batch that compute can start on.
struct StagedBatch {
  std::vector<NodeId> input_nodes;   ///< [num_inputs] global ids
  BatchAdjacency adjacency;          ///< on the host; `batch` may refer to it
  std::vector<std::int32_t> labels;  ///< [num_roots], on the host; `batch` may refer to them
  DeviceBatch batch;                 ///< Backend::wait_for(batch.arrays) before it is used
  bool has_labels = false;           ///< a root has a label
  BatchStats stats;
  double sample_seconds = 0;
  double stage_seconds = 0;
};

/// The path of a batch and its feature rows to the device. stage() is called from prefetch threads, one batch
/// at a time each.
class Staging {
 public:
  virtual ~Staging() = default;
  virtual StagedBatch stage(SampledBatch sampled) = 0;
};

/// Reads feature rows in place, from one table that holds all of them: `features`, in the device's memory. All
/// arguments must outlive it.
std::unique_ptr<Staging> make_resident_staging(Backend& backend, const Dataset& dataset, FeatureView features,
                                               ModelKind kind);

}  // namespace kith
