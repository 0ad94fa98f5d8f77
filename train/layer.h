// One graph convolution: aggregation over a block, then dense transforms.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/feature_store.h"
#include "graph/types.h"
#include "graph/views.h"
#include "kernels/backend.h"
#include "kernels/tensor.h"
#include "train/streamed_features.h"

namespace kith {

/// Rows that evaluation handles at a time: bounds its buffers, and is the same for any number of threads.
inline constexpr std::int64_t kChunkRows = 16384;

/// A trainable matrix with its gradient, [in x out] (the transpose of PyG's) or [1 x out] for a bias.
/// backward() overwrites the gradient.
struct Parameter {
  std::string name;  ///< as PyG names it, e.g. "convs.0.lin_l.weight"
  Tensor value;
  Tensor gradient;
};

class FeaturePieces;

/// Where a layer reads its input: the feature table through the batch's input ids (first layer), or the
/// previous layer's output [num_sources x d]. Exactly one of the two.
struct LayerInput {
  const Tensor* hidden = nullptr;
  FeatureView features;
  std::span<const NodeId> ids;         ///< [num_sources] global ids; used with features
  FeaturePieces* pieces = nullptr;     ///< infer() only: reads the rows of `features`, whose data is null
  StreamedFeatures* stream = nullptr;  ///< infer() only: brings them to a device, the same

  std::int64_t dim() const { return hidden ? hidden->cols() : features.dim; }
};

/// What attention keeps of its forward pass, and the dropout of its weights, which the caller sets before.
struct AttentionContext {
  Dropout dropout;
  Tensor input;      ///< [num_sources x in] a first layer's features; empty where `hidden` is the input
  Tensor projected;  ///< [num_sources x heads * c]
  Tensor scores;     ///< [num_edges x heads]
  Tensor weights;    ///< [num_edges x heads] softmax of the scores
  Tensor dropped;    ///< the same after dropout; empty at rate 0

  const Tensor& used_weights() const { return dropout.rate > 0 ? dropped : weights; }
};

/// What a layer keeps of its forward pass for its backward pass.
struct LayerContext {
  Tensor self;        ///< input rows of the destinations; empty where `hidden` already starts with them
  Tensor aggregated;  ///< [num_destinations x in]
  Tensor hidden;      ///< [num_destinations x out] inside GIN's two linear layers, after the relu
  AttentionContext attention;
};

/// The neighbourhood that a layer aggregates over. weights: [num_edges], or empty for the mean (or attention).
struct WeightedBlock {
  BlockCsrView block;
  std::span<const float> edge_weights;
};

/// Sizes of one layer.
struct LayerShape {
  std::int32_t in_channels;
  std::int32_t out_channels;
  Scalar scalar = Scalar::f32;
};

/// Heads of attention: how many, and whether their results stand side by side (out_channels are shared among
/// them) or are averaged.
struct AttentionHeads {
  std::int32_t count = 1;
  bool is_concat = true;
};

/// Owns parameters and gradients; knows neither optimiser nor data. Blocks, ids and features are in the memory
/// of the backend's device: a layer uses their sizes and never reads them.
class Layer {
 public:
  virtual ~Layer() = default;

  /// Returns [num_destinations x out], without the bias. Fills `context` for backward.
  virtual Tensor forward(const WeightedBlock& block, const LayerInput& input, LayerContext& context) = 0;

  /// Sets the parameters' gradients from d(loss)/d(output). Returns d(loss)/d(input) [num_sources x in], or an
  /// empty tensor for a first layer, whose input are features.
  virtual Tensor backward(const WeightedBlock& block, const LayerInput& input, const LayerContext& context,
                          const Tensor& grad_output) = 0;

  /// The same for every node over all its neighbours, [num_nodes x out]: layer-wise evaluation. input: covers
  /// every node (input.ids is not used). edge_weights: [graph.num_edges()] or empty.
  virtual Tensor infer(CsrView graph, std::span<const float> edge_weights, const LayerInput& input) = 0;

  /// [1 x out], what the model adds to the output together with its activation.
  virtual const Tensor& bias() const = 0;

  virtual std::span<Parameter> parameters() = 0;
};

/// mean(neighbours) W_l + b + x W_r (GraphSAGE, Hamilton et al. 2017, mean aggregator). Weights start as PyG's
/// do: uniform in +-1/sqrt(in_channels).
std::unique_ptr<Layer> make_sage_layer(Backend& backend, const std::string& name, LayerShape shape,
                                       std::uint64_t seed);

/// (weighted sum over neighbours) W + b (GCN, Kipf & Welling 2017). The block must contain the added self-loops
/// and carry the symmetric normalisation (normalization.h). W starts as Glorot's uniform, b at 0.
std::unique_ptr<Layer> make_gcn_layer(Backend& backend, const std::string& name, LayerShape shape,
                                      std::uint64_t seed);

/// A sum over neighbours, each weighed by attention (GAT, arXiv 1710.10903): softmax over them of
/// leaky_relu(att_src . x_u W + att_dst . x_v W), a head at a time, slope 0.2, then + b. The block must contain
/// the added self-loops, and no weights. W and att start as Glorot's uniform, b at 0.
std::unique_ptr<Layer> make_gat_layer(Backend& backend, const std::string& name, LayerShape shape,
                                      AttentionHeads heads, std::uint64_t seed);

/// relu(sum W_1 + b_1) W_2 + b_2 over the weighted sum of a node and its neighbours (GIN, arXiv 1810.00826,
/// epsilon fixed at 0). The block must contain the added self-loops and carry the weights of the sum
/// (normalization.h). Parameters start as PyG's do: uniform in +-1/sqrt(rows of the weight).
std::unique_ptr<Layer> make_gin_layer(Backend& backend, const std::string& name, LayerShape shape,
                                      std::uint64_t seed);

}  // namespace kith
