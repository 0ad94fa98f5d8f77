// Draws the batches of an epoch: all of a batch but the way to its feature rows.
#pragma once

#include <cstdint>
#include <memory>

#include "graph/dataset.h"
#include "kernels/backend.h"
#include "sampler/device_sampler.h"
#include "train/device_data.h"
#include "train/loader.h"
#include "train/model.h"
#include "train/staging.h"

namespace kith {

/// A batch without DeviceBatch and feature rows.
struct Drawn {
  StagedBatch staged;
  DeviceSample sample;  ///< if it was drawn on the device; else `staged` has adjacency and input nodes

  bool is_on_device() const { return !sample.hop_bounds.empty(); }
};

/// One thread at a time.
class Drawer {
 public:
  virtual ~Drawer() = default;

  /// Batch `index` of `plan`, which is the loader's for `epoch`.
  virtual Drawn draw(const Loader& loader, const Plan& plan, std::int32_t epoch, std::size_t index) = 0;
  virtual bool is_on_device() const = 0;  ///< whether all of them are drawn there
};

/// `dataset` must outlive it.
std::unique_ptr<Drawer> make_host_drawer(const Dataset& dataset, ModelKind kind);

/// For models that aggregate over a batch as it is drawn (sage). data: where the graph is on the device. Throws
/// InvalidArgument for other models. All must outlive it.
std::unique_ptr<Drawer> make_device_drawer(Backend& backend, const Dataset& dataset, DeviceData& data,
                                           ModelKind kind);

}  // namespace kith
