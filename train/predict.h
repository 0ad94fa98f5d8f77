// What a trained model says of every node.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "graph/dataset.h"
#include "kernels/backend.h"
#include "train/checkpoint/checkpoint.h"
#include "train/model.h"

namespace kith {

/// The model of a checkpoint, with the best parameters so far (the latest ones before the first evaluation).
/// Throws IoError, naming `where`, if the checkpoint does not hold the model that it says it does.
Model restore_model(const Checkpoint& checkpoint, Backend& backend, const std::string& where);

/// Throws InvalidArgument unless the model can be used on the dataset: as many features, and as many classes if
/// it has labels.
void check_fits(const Checkpoint& checkpoint, const Dataset& dataset, const std::string& where);

/// Predictions of all nodes, over all neighbours, in ascending order of their ids in the source: row i is the
/// node with the i-th smallest original id, so the node i itself where the ids are 0..num_nodes - 1.
struct Predictions {
  std::int32_t num_classes = 0;
  std::vector<float> logits;          ///< [num_nodes x num_classes], NaN outside the chosen nodes
  std::vector<std::int32_t> classes;  ///< [num_nodes] the largest logit (the first of equals), -1 outside
};

/// chosen: the dataset's ids. Fills logits or classes, the other stays empty.
Predictions predict(Model& model, const Dataset& dataset, std::span<const NodeId> chosen, bool with_logits);

}  // namespace kith
