// How good predictions are.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "graph/types.h"
#include "kernels/backend.h"
#include "kernels/tensor.h"

namespace kith {

enum class Metric : std::uint8_t {
  accuracy,  ///< share of nodes whose largest logit is their label
  roc_auc,   ///< area under the ROC curve of logit 1 - logit 0; two classes only
};

/// "accuracy" or "roc-auc". Throws InvalidArgument for another name.
Metric parse_metric(std::string_view name);
std::string_view name_of(Metric metric);

/// The metric over the labelled ones of `nodes`, in [0, 1]; 0 if there are none. logits: [num_nodes x classes];
/// labels: [num_nodes]. Throws InvalidArgument for roc_auc with other than two classes.
double measure(Metric metric, Backend& backend, const Tensor& logits, std::span<const std::int32_t> labels,
               std::span<const NodeId> nodes);

/// Area under the ROC curve by ranks (Mann-Whitney U; ties count half). labels: 0 or 1. 0 if a class is
/// missing.
double roc_auc(std::span<const double> scores, std::span<const std::int32_t> labels);

}  // namespace kith
