#include "train/predict.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include "graph/errors.h"
#include "train/blas_memory.h"
#include "train/device_data.h"
#include "train/run_request.h"
#include "train/staging/feature_pieces.h"

namespace kith {
namespace {

constexpr std::int64_t kRowsAtOnce = 1 << 14;

/// Every layer has a matrix of its input times its output channels, so a model cannot be larger than a few
/// times the values that are there: its options are checked against them before it asks for memory.
bool may_hold(const ModelOptions& model, const std::vector<HostTensor>& parameters) {
  if (model.num_layers < 1 || model.num_layers > 10 || model.hidden_channels < 1) return false;
  double there = 0, needed = 0;
  for (const HostTensor& tensor : parameters) {
    there += static_cast<double>(tensor.rows) * static_cast<double>(tensor.cols);
  }
  for (std::int32_t i = 0; i < model.num_layers; ++i) {
    const double in = i == 0 ? model.in_channels : model.hidden_channels;
    const double out = i + 1 == model.num_layers ? model.out_channels : model.hidden_channels;
    needed += in * out;
  }
  return needed <= there;
}

/// place[v]: the rank of node v's original id.
std::vector<NodeId> places_by_original_id(const Dataset& dataset) {
  std::vector<NodeId> order(static_cast<std::size_t>(dataset.num_nodes()));
  std::iota(order.begin(), order.end(), NodeId{0});
  std::stable_sort(order.begin(), order.end(), [&](NodeId a, NodeId b) {
    return dataset.original_id[static_cast<std::size_t>(a)] < dataset.original_id[static_cast<std::size_t>(b)];
  });
  std::vector<NodeId> place(order.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    place[static_cast<std::size_t>(order[i])] = static_cast<NodeId>(i);
  return place;
}

}  // namespace

Model restore_model(const Checkpoint& checkpoint, Backend& backend, const std::string& where) {
  const std::vector<HostTensor>& parameters =
      checkpoint.best_parameters.empty() ? checkpoint.trainer.parameters : checkpoint.best_parameters;
  ModelOptions options = model_of_request(checkpoint.request, where);
  options.in_channels = checkpoint.in_channels;
  options.out_channels = checkpoint.out_channels;
  KITH_CHECK(may_hold(options, parameters), IoError, where,
             ": damaged: it holds less than its options ask for");
  try {
    Model model(backend, options);
    upload_parameters(parameters, model);
    return model;
  } catch (const InvalidArgument& error) {
    throw IoError(concat(where, ": does not fit its own options: ", error.what()));
  }
}

void check_fits(const Checkpoint& checkpoint, const Dataset& dataset, const std::string& where) {
  KITH_CHECK(dataset.features.dim() == checkpoint.in_channels, InvalidArgument, where,
             ": the model does not fit the dataset: expected ", checkpoint.in_channels, " features, got ",
             dataset.features.dim());
  KITH_CHECK(dataset.labels.empty() || dataset.labels.num_classes == checkpoint.out_channels, InvalidArgument,
             where, ": the model does not fit the dataset: expected ", checkpoint.out_channels,
             " classes, got ", dataset.labels.num_classes);
}

Predictions predict(Model& model, const Dataset& dataset, std::span<const NodeId> chosen, bool with_logits) {
  Backend& backend = model.backend();
  reserve_blas_memory(backend);
  DeviceData data(backend, dataset, model.options().kind);
  DeviceGraph graph = data.graph();
  std::optional<FeaturePieces> pieces;
  if (!dataset.features.is_in_memory()) graph.pieces = &pieces.emplace(dataset.features);
  const Tensor logits = model.infer(graph);
  const auto num_classes = static_cast<std::size_t>(logits.cols());
  const auto num_nodes = static_cast<std::size_t>(dataset.num_nodes());
  const std::vector<NodeId> place = places_by_original_id(dataset);
  std::vector<bool> is_chosen(num_nodes);
  for (const NodeId node : chosen) is_chosen[static_cast<std::size_t>(node)] = true;
  Predictions out{.num_classes = static_cast<std::int32_t>(num_classes), .logits = {}, .classes = {}};
  if (with_logits) {
    out.logits.assign(num_nodes * num_classes, std::numeric_limits<float>::quiet_NaN());
  } else {
    out.classes.assign(num_nodes, -1);
  }
  std::vector<double> values;
  for (std::int64_t first = 0; first < logits.rows(); first += kRowsAtOnce) {
    const std::int64_t count = std::min(kRowsAtOnce, logits.rows() - first);
    values.resize(static_cast<std::size_t>(count) * num_classes);
    backend.download(logits.view_rows(first, count), values);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto node = static_cast<std::size_t>(first + i);
      if (!is_chosen[node]) continue;
      const auto* const row = values.data() + static_cast<std::size_t>(i) * num_classes;
      const auto to = static_cast<std::size_t>(place[node]);
      if (with_logits) {
        std::transform(row, row + num_classes,
                       out.logits.begin() + static_cast<std::ptrdiff_t>(to * num_classes),
                       [](double value) { return static_cast<float>(value); });
      } else {
        out.classes[to] = static_cast<std::int32_t>(std::max_element(row, row + num_classes) - row);
      }
    }
  }
  return out;
}

}  // namespace kith
