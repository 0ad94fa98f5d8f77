// Brings what a batch reads to where compute reads it. Plain host memory is the one tier so far: feature rows
// are read in place, so staging builds the adjacency and fetches the labels. Other tiers implement the same
// interface.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "graph/dataset.h"
#include "train/loader.h"
#include "train/model.h"
#include "train/normalization.h"

namespace kith {

/// A batch that compute can start on.
struct StagedBatch {
  std::vector<NodeId> input_nodes;  ///< [num_inputs] global ids, the rows of `features` to read
  BatchAdjacency adjacency;
  FeatureView features;              ///< the table that input_nodes index
  std::vector<std::int32_t> labels;  ///< [num_roots]
  BatchStats stats;
  double sample_seconds = 0;
  double stage_seconds = 0;
};

/// The path of feature rows to the device. stage() is called from prefetch threads, one batch at a time each.
class Staging {
 public:
  virtual ~Staging() = default;
  virtual StagedBatch stage(SampledBatch sampled) = 0;
};

/// Reads features where the dataset holds them (loaded or mapped). `dataset` must outlive it.
std::unique_ptr<Staging> make_host_staging(const Dataset& dataset, ModelKind kind);

}  // namespace kith
