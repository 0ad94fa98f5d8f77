#include "train/model.h"

#include <string>
#include <utility>

#include "graph/errors.h"

namespace kith {
namespace {

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
}

}  // namespace

ModelKind parse_model_kind(std::string_view name) {
  if (name == "sage") return ModelKind::sage;
  if (name == "gcn") return ModelKind::gcn;
  throw InvalidArgument(concat("model must be sage or gcn, got '", name, "'"));
}

std::string_view name_of(ModelKind kind) { return kind == ModelKind::sage ? "sage" : "gcn"; }

Model::Model(Backend& backend, const ModelOptions& options) : backend_(backend), options_(options) {
  check_options(options);
  for (std::int32_t i = 0; i < num_layers(); ++i) {
    const LayerShape shape{
        .in_channels = i == 0 ? options.in_channels : options.hidden_channels,
        .out_channels = i + 1 == num_layers() ? options.out_channels : options.hidden_channels,
        .scalar = options.scalar};
    const std::string name = concat("convs.", i);
    layers_.push_back(options.kind == ModelKind::sage ? make_sage_layer(backend, name, shape, options.seed)
                                                      : make_gcn_layer(backend, name, shape, options.seed));
  }
}

Dropout Model::dropout(std::int64_t step, std::int32_t layer) const {
  return {.rate = options_.dropout, .seed = options_.seed, .step = step, .layer = layer};
}

LayerInput Model::input_of(std::int32_t layer, const ForwardPass& pass, const DeviceBatch& batch) {
  if (layer > 0) return {.hidden = &pass.outputs[layer - 1], .features = {}, .ids = {}};
  return {.hidden = nullptr, .features = batch.features, .ids = batch.rows};
}

ForwardPass Model::forward(const DeviceBatch& batch, std::int64_t step) {
  KITH_CHECK(static_cast<std::int32_t>(batch.shapes.size()) == num_layers(), InvalidArgument,
             "Model: a batch of ", num_layers(), " hops is needed (one a layer), got ", batch.shapes.size());
  KITH_CHECK(batch.features.dim == options_.in_channels, InvalidArgument, "Model: features must have ",
             options_.in_channels, " columns, got ", batch.features.dim);
  ForwardPass pass{.contexts = std::vector<LayerContext>(layers_.size()), .outputs = {}, .step = step};
  pass.outputs.reserve(layers_.size());
  for (std::int32_t i = 0; i < num_layers(); ++i) {
    Tensor out = layers_[i]->forward(batch.block(i), input_of(i, pass, batch), pass.contexts[i]);
    if (i + 1 < num_layers()) backend_.relu_dropout(dropout(step, i), out);
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
    const LayerInput input{.hidden = i == 0 ? nullptr : &hidden, .features = graph.features, .ids = {}};
    Tensor out = layers_[i]->infer(graph.graph, graph.weights, input);
    if (i + 1 < num_layers()) backend_.relu_dropout({}, out);
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

}  // namespace kith
