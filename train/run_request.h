// What the result of a run depends on: its options and its dataset.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "graph/dataset.h"
#include "train/run.h"

namespace kith {

/// What tells a dataset from another: source, created, nodes, edges.
nlohmann::ordered_json identity_of(const Dataset& dataset);

/// Stored beside a result, and compared before it is used again.
nlohmann::ordered_json request_of(const RunOptions& options, const Dataset& dataset);

/// Throws InvalidArgument, naming `where` and the first option that differs with both values, unless a run with
/// `options` goes on where the stored one stopped. epochs and patience may be larger; where batches are sampled
/// does not count. stored: the text of request_of.
void check_same_request(const std::string& stored, const RunOptions& options, const Dataset& dataset,
                        const std::string& where);

/// The model of a stored request. Throws IoError, naming `where`, for text that is no such thing.
ModelOptions model_of_request(const std::string& stored, const std::string& where);

/// Sets the knobs in `options`, and the random epochs at the end, to those of a stored request, which a search
/// may have chosen. Throws InvalidArgument, naming `where`, if they follow a schedule; IoError for text that is
/// no such thing.
void adopt_knobs(const std::string& stored, const std::string& where, RunOptions& options);

/// Whether the stored request is about this dataset.
bool is_same_dataset(const std::string& stored, const Dataset& dataset);

}  // namespace kith
