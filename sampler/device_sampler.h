// Neighbour sampling on the device that computes, with the bits of NeighborSampler.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "graph/communities.h"
#include "graph/types.h"
#include "graph/views.h"
#include "kernels/backend.h"
#include "sampler/sampler_options.h"

namespace kith {

/// A batch in a device's memory: the arrays of MiniBatch, which has an example, and on the host what says how
/// long they are.
struct DeviceSample {
  std::vector<std::int32_t> hop_bounds;   ///< [num_hops + 1], on the host
  std::vector<std::int32_t> edge_bounds;  ///< [num_hops + 1] edges of the hops so far, from 0; on the host
  std::int64_t num_intra_edges = 0;       ///< edges whose ends share a community of the sampler's level

  std::span<const NodeId> input_nodes;    ///< [hop_bounds.back()] global ids
  std::span<const std::int32_t> offsets;  ///< [hop_bounds[num_hops - 1] + 1]
  std::span<const std::int32_t> sources;  ///< [edge_bounds.back()] local ids
  std::span<const float> weights;         ///< [edge_bounds.back()], or empty = equal shares
  std::span<const EdgeOffset> edges;      ///< [edge_bounds.back()], or empty unless asked for
  DeviceArrays arrays;                    ///< what the spans refer to; may outlive sampler and backend

  std::int32_t num_hops() const { return static_cast<std::int32_t>(hop_bounds.size()) - 1; }
};

/// Draws mini-batches where they are needed. Virtual, so that only cuda/ knows CUDA.
class DeviceSampler {
 public:
  virtual ~DeviceSampler() = default;

  /// The batch of NeighborSampler::sample, bit for bit, and its errors; EnvironmentError without memory. roots:
  /// in host memory. Runs beside what the backend computes, and returns before the last work is done: call
  /// Backend::wait_for(result.arrays) before an operation reads it. Waits for the device once a hop, and once
  /// more. Any thread may call it; calls wait for each other.
  virtual DeviceSample sample(std::span<const NodeId> roots, std::int32_t epoch, std::int64_t batch_index,
                              std::optional<double> p_intra) = 0;
  /// The same with the options' p_intra.
  DeviceSample sample(std::span<const NodeId> roots, std::int32_t epoch, std::int64_t batch_index) {
    return sample(roots, epoch, batch_index, std::nullopt);
  }
};

/// Draws from `on_device`, the same graph in the memory of the backend's device, which must outlive the sampler
/// and be there for operations that are called from now on. Without it (empty) the graph is copied to the
/// device: 8 bytes a node of offsets and 4 bytes an edge, or kept, where that does not fit, in host memory that
/// the device reads over the bus. The device's memory also holds 8 bytes a node of community bounds and 4 of
/// marks; the host 8 bytes a node. graph, communities: on the host, read once, now. The backend must outlive
/// the sampler. Throws as NeighborSampler does, InvalidArgument for a backend other than CUDA or another graph
/// on the device, DeviceError in a build without it.
std::unique_ptr<DeviceSampler> make_device_sampler(Backend& backend, CsrView graph,
                                                   const Communities& communities,
                                                   const SamplerOptions& options, CsrView on_device = {});

}  // namespace kith
