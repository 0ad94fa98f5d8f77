#include "train/model.h"

#include <array>
#include <string>
#include <utility>

#include "graph/errors.h"
#include "train/model_adjacency.h"

namespace kith {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"sage", "gcn", "gat", "gin"};  // as ModelKind counts
constexpr std::int32_t kAttentionMasks = 1 << 16;  // dropout of attention draws apart from that of the outputs

void check_options(const ModelOptions& options) {
  KITH_CHECK(options.num_layers >= 1 && options.num_layers <= 10, InvalidArgument,
             "Model: num_layers must be in [1, 10], got ", options.num_layers);
  KITH_CHECK(options.hidden_channels > 0, InvalidArgument, "Model: hidden_channels must be > 0, got ",
             options.hidden_channels);
  KITH_CHECK(options.in_channels > 0, InvalidArgument, "Model: in_channels must be > 0, got ",
             options.in_channels);
  KITH_CHECK(options.out_channels > 0, InvalidArgument, "Model: out_channels must be > 0, got ",
             options.out_channels);
  KITH_CHECK(options.dropout >= 0 && options.dropout < 1, InvalidArgument,
             "Model: dropout must be in [0, 1), got ", options.dropout);
  KITH_CHECK(options.heads > 0, InvalidArgument, "Model: heads must be > 0, got ", options.heads);
  KITH_CHECK(options.kind == ModelKind::gat || options.heads == 1, InvalidArgument,
             "Model: only gat has heads, got ", options.heads, " for ", name_of(options.kind));
  KITH_CHECK(options.hidden_channels % options.heads == 0, InvalidArgument,
             "Model: hidden_channels must be a multiple of heads (", options.heads, "), got ",
             options.hidden_channels);
}

std::unique_ptr<Layer> make_layer(Backend& backend, const ModelOptions& options, std::int32_t layer) {
  const bool is_last = layer + 1 == options.num_layers;
  const LayerShape shape{.in_channels = layer == 0 ? options.in_channels : options.hidden_channels,
                         .out_channels = is_last ? options.out_channels : options.hidden_channels,
                         .scalar = options.scalar};
  const std::string name = concat("convs.", layer);
  switch (options.kind) {
    case ModelKind::sage:
      break;
    case ModelKind::gcn:
      return make_gcn_layer(backend, name, shape, options.seed);
    case ModelKind::gat:
      return make_gat_layer(backend, name, shape, {.count = options.heads, .is_concat = !is_last},
                            options.seed);
    case ModelKind::gin:
      return make_gin_layer(backend, name, shape, options.seed);
  }
  return make_sage_layer(backend, name, shape, options.seed);
}

}  // namespace

ModelKind parse_model_kind(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i]) return static_cast<ModelKind>(i);
  }
  throw InvalidArgument(concat("model must be sage, gcn, gat or gin, got '", name, "'"));
}

std::string_view name_of(ModelKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

Model::Model(Backend& backend, const ModelOptions& options) : backend_(backend), options_(options) {
  check_options(options);
  for (std::int32_t i = 0; i < num_layers(); ++i) layers_.push_back(make_layer(backend, options, i));
}

Dropout Model::dropout(std::int64_t step, std::int32_t layer) const {
  return {.rate = options_.dropout, .seed = options_.seed, .step = step, .layer = layer};
}

LayerInput Model::input_of(std::int32_t layer, const ForwardPass& pass, const DeviceBatch& batch) {
  if (layer > 0) return {.hidden = &pass.outputs[layer - 1], .features = {}, .ids = {}};
  return {.hidden = nullptr, .features = batch.features, .ids = batch.rows};
}

void Model::activate(std::int32_t layer, const Dropout& dropout, Tensor& out) {
  const Tensor& bias = layers_[layer]->bias();
  if (layer + 1 < num_layers()) {
    backend_.bias_relu_dropout(&bias, dropout, out);
  } else {
    backend_.add_bias(bias, out);
  }
}

ForwardPass Model::forward(const DeviceBatch& batch, std::int64_t step) { return forward(batch, step, true); }

Tensor Model::infer(const DeviceBatch& batch) { return std::move(forward(batch, 0, false).outputs.back()); }

ForwardPass Model::forward(const DeviceBatch& batch, std::int64_t step, bool has_dropout) {
  KITH_CHECK(static_cast<std::int32_t>(batch.shapes.size()) == num_layers(), InvalidArgument,
             "Model: a batch of ", num_layers(), " hops is needed (one a layer), got ", batch.shapes.size());
  KITH_CHECK(batch.features.dim == options_.in_channels, InvalidArgument, "Model: features must have ",
             options_.in_channels, " columns, got ", batch.features.dim);
  ForwardPass pass{.contexts = std::vector<LayerContext>(layers_.size()), .outputs = {}, .step = step};
  pass.outputs.reserve(layers_.size());
  for (std::int32_t i = 0; i < num_layers(); ++i) {
    if (has_dropout) pass.contexts[i].attention.dropout = dropout(step, kAttentionMasks + i);
    Tensor out = layers_[i]->forward(batch.block(i), input_of(i, pass, batch), pass.contexts[i]);
    activate(i, has_dropout ? dropout(step, i) : Dropout(), out);
    pass.outputs.push_back(std::move(out));
  }
  return pass;
}

void Model::backward(const ForwardPass& pass, const DeviceBatch& batch, Tensor& totals) {
  Tensor gradient = backend_.empty(pass.logits().rows(), pass.logits().cols(), options_.scalar);
  backend_.softmax_cross_entropy(pass.logits(), batch.labels, &gradient, totals);
  for (std::int32_t i = num_layers() - 1; i >= 0; --i) {
    gradient = layers_[i]->backward(batch.block(i), input_of(i, pass, batch), pass.contexts[i], gradient);
    if (i > 0) backend_.relu_dropout_backward(dropout(pass.step, i - 1), pass.outputs[i - 1], gradient);
  }
}

Tensor Model::infer(const DeviceGraph& graph) {
  Tensor hidden;
  for (std::int32_t i = 0; i < num_layers(); ++i) {
    const LayerInput input{.hidden = i == 0 ? nullptr : &hidden,
                           .features = graph.features,
                           .ids = {},
                           .pieces = i == 0 ? graph.pieces : nullptr,
                           .stream = i == 0 ? graph.stream : nullptr};
    Tensor out = layers_[i]->infer(graph.graph, graph.weights, input);
    activate(i, {}, out);
    hidden = std::move(out);
  }
  return hidden;
}

std::vector<Parameter*> Model::parameters() {
  std::vector<Parameter*> all;
  for (const auto& layer : layers_) {
    for (Parameter& parameter : layer->parameters()) all.push_back(&parameter);
  }
  return all;
}

std::vector<HostTensor> download_parameters(Model& model) {
  std::vector<HostTensor> all;
  for (const Parameter* parameter : model.parameters()) {
    all.push_back(download(model.backend(), parameter->name, parameter->value));
  }
  return all;
}

void upload_parameters(std::span<const HostTensor> from, Model& model) {
  const std::vector<Parameter*> parameters = model.parameters();
  KITH_CHECK(from.size() == parameters.size(), InvalidArgument, "Model: expected ", parameters.size(),
             " parameters, got ", from.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    KITH_CHECK(from[i].name == parameters[i]->name, InvalidArgument, "Model: expected parameter ",
               parameters[i]->name, ", got ", from[i].name);
    upload(model.backend(), from[i], parameters[i]->value);
  }
}

}  // namespace kith
