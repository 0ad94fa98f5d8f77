// Brings what a batch reads to where compute reads it: the adjacency, the labels, and the way to the feature
// rows: in place, where one table holds them all, or through tiers of bounded size.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "graph/dataset.h"
#include "kernels/backend.h"
#include "train/device_batch.h"
#include "train/device_data.h"
#include "train/loader.h"
#include "train/model.h"
#include "train/normalization.h"
#include "train/staging/device_tiers.h"
#include "train/staging/options.h"
#include "train/staging/traffic.h"

namespace kith {

/// A batch that compute can start on.
struct StagedBatch {
  std::vector<NodeId> input_nodes;   ///< [num_inputs] global ids; empty where they are on the device alone
  BatchAdjacency adjacency;          ///< on the host; `batch` may refer to it
  std::vector<std::int32_t> labels;  ///< [num_roots], on the host; `batch` may refer to them
  DeviceBatch batch;                 ///< wait_on() before it is used
  bool has_labels = false;           ///< a root has a label
  Tensor staged_rows;  ///< on the CPU, the feature rows of this batch alone, if they are not read in place
  std::vector<NodeId> staged_ids;  ///< [num_inputs] and their numbers there
  StageTraffic traffic;            ///< through the tiers; nothing if rows are read in place
  Tensor hits;  ///< [1 x 1] f64 of `batch`, for traffic.find_hits(), where a device counts them; else empty
  BatchStats stats;
  double sample_seconds = 0;
  double stage_seconds = 0;
};

/// The path of a batch and its feature rows to the device.
class Staging {
 public:
  virtual ~Staging() = default;

  /// Makes batch `index` of `plan`, which is the loader's for `epoch`. Called from one thread, for the batches
  /// of an epoch in order, from any one on.
  virtual StagedBatch make(const Loader& loader, const Plan& plan, std::int32_t epoch, std::size_t index) = 0;

  /// Whether batches come with their input nodes on the host.
  virtual bool has_input_nodes() const = 0;
};

/// Samples on the host. Feature rows are read in place, from one table that holds all of them: `features`, in
/// the device's memory. All arguments must outlive it.
std::unique_ptr<Staging> make_resident_staging(Backend& backend, const Dataset& dataset, FeatureView features,
                                               ModelKind kind);

/// Samples on the device, for models that aggregate over a batch as it is drawn (sage). data: where the graph
/// and the features are there; used now. Throws InvalidArgument for other models and for the sampler `cluster`.
std::unique_ptr<Staging> make_device_sampled_staging(Backend& backend, const Dataset& dataset, DeviceData& data,
                                                     ModelKind kind);

/// How batches come through tiers.
struct TieredStagingOptions {
  const Loader& loader;  ///< its epoch 0 is sampled for statistics
  StagingOptions staging = {};
  DeviceData* sampled_on = nullptr;  ///< whose graph batches are drawn from on the device; null: on the host
  DeviceNeeds needs = {};            ///< on a device
};

/// Copies the rows of every batch out of tiers that options.staging.policy manages, the fast one in the memory
/// of the backend's device. Throws as TieredFeatures and DeviceTiers do. `backend` and `dataset` must outlive
/// it.
std::unique_ptr<Staging> make_tiered_staging(Backend& backend, const Dataset& dataset, ModelKind kind,
                                             const TieredStagingOptions& options);

}  // namespace kith
