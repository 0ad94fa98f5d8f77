// A stack of graph convolutions with relu and dropout between them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/backend.h"
#include "train/checkpoint/host_tensor.h"
#include "train/device_batch.h"
#include "train/layer.h"

namespace kith {

enum class ModelKind : std::uint8_t { sage, gcn, gat, gin };

/// "sage", "gcn", "gat" or "gin". Throws InvalidArgument for another name.
ModelKind parse_model_kind(std::string_view name);
std::string_view name_of(ModelKind kind);

/// Shape of a model.
struct ModelOptions {
  ModelKind kind = ModelKind::sage;
  std::int32_t in_channels = 0;        ///< feature columns, > 0
  std::int32_t hidden_channels = 256;  ///< > 0
  std::int32_t out_channels = 0;       ///< classes, > 0
  std::int32_t num_layers = 3;         ///< 1..10
  std::int32_t heads = 1;              ///< of GAT's attention, > 0 and a divisor of hidden_channels; else 1
  double dropout = 0.5;  ///< after every layer but the last, and of GAT's attention, 0 <= dropout < 1
  Scalar scalar = Scalar::f32;
  std::uint64_t seed = 0;  ///< of the initial parameters and the dropout masks
};

/// What a forward pass keeps for its backward pass.
struct ForwardPass {
  std::vector<LayerContext> contexts;  ///< a layer
  std::vector<Tensor> outputs;         ///< a layer, after the activation; the last are the logits
  std::int64_t step = 0;

  const Tensor& logits() const { return outputs.back(); }
};

/// Owns layers. One thread at a time.
class Model {
 public:
  /// Throws InvalidArgument for options out of range. `backend` must outlive the model.
  Model(Backend& backend, const ModelOptions& options);

  /// One training pass over a batch. step numbers the dropout mask. Throws InvalidArgument unless the batch has
  /// as many hops as the model has layers and the features as many columns as in_channels.
  ForwardPass forward(const DeviceBatch& batch, std::int64_t step);

  /// Logits of a batch's roots without dropout. Throws as the other.
  Tensor infer(const DeviceBatch& batch);

  /// Sets all gradients to those of the mean cross-entropy over the labelled roots. totals: see
  /// Backend::softmax_cross_entropy.
  void backward(const ForwardPass& pass, const DeviceBatch& batch, Tensor& totals);

  /// Logits of every node over all neighbours, layer by layer, without dropout: [num_nodes x out_channels].
  /// graph: as DeviceData gives it for this kind of model.
  Tensor infer(const DeviceGraph& graph);

  std::vector<Parameter*> parameters();
  const ModelOptions& options() const { return options_; }
  Backend& backend() { return backend_; }

 private:
  Dropout dropout(std::int64_t step, std::int32_t layer) const;
  ForwardPass forward(const DeviceBatch& batch, std::int64_t step, bool has_dropout);
  std::int32_t num_layers() const { return options_.num_layers; }
  /// Adds the layer's bias; after every layer but the last relu and dropout follow.
  void activate(std::int32_t layer, const Dropout& dropout, Tensor& out);
  static LayerInput input_of(std::int32_t layer, const ForwardPass& pass, const DeviceBatch& batch);

  Backend& backend_;
  ModelOptions options_;
  std::vector<std::unique_ptr<Layer>> layers_;
};

/// Copies of the parameters, in their order. Waits for the device.
std::vector<HostTensor> download_parameters(Model& model);
/// Throws InvalidArgument unless number, names and shapes are the model's.
void upload_parameters(std::span<const HostTensor> from, Model& model);

}  // namespace kith
