// What the layers of every kind do with their input. Private to this folder.
#pragma once

#include <cstdint>
#include <span>

#include "train/layer.h"

namespace kith {

/// kChunkRows for this input: fewer where wide rows come from a file. The result is that of kChunkRows to the
/// bit, as matrix products are cut into tiles of rows that the number is a multiple of.
std::int64_t chunk_rows(const LayerInput& input);

/// Rows [first, first + count) of the input as a matrix; valid as long as the input.
const Tensor input_rows(Backend& backend, const LayerInput& input, std::int64_t first, std::int64_t count,
                        Scalar scalar);

/// input @ weight for every node.
Tensor project(Backend& backend, const LayerInput& input, const Tensor& weight, std::int64_t num_nodes);

/// aggregate(input) over a block, [num_destinations x in].
Tensor aggregate_input(Backend& backend, const WeightedBlock& block, const LayerInput& input, Scalar scalar);

/// aggregate(input) @ weight for all nodes. The two commute, so the narrower side is aggregated.
Tensor infer_aggregated(Backend& backend, CsrView graph, std::span<const float> edge_weights,
                        const LayerInput& input, const Tensor& weight);

}  // namespace kith
