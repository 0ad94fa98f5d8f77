// What a run with staged features asks of a device, before it begins.
#pragma once

#include <cstdint>

#include "graph/dataset.h"
#include "kernels/backend.h"
#include "train/device_data.h"
#include "train/model.h"
#include "train/staging/options.h"

namespace kith {

/// In place unless they are staged; then pinned if the host tier is the whole table, else streamed. Throws
/// EnvironmentError, naming the option, if they are to be pinned and the host has too little memory. On the CPU
/// nothing is copied.
FeatureHome feature_home(Backend& backend, const Dataset& dataset, const StagingOptions& options);

/// Bytes of a device's memory that the graph and evaluation take, about, without features that stay there.
/// home: of the features.
std::int64_t device_bytes_besides_batches(const ModelOptions& model, const Dataset& dataset, FeatureHome home);

}  // namespace kith
