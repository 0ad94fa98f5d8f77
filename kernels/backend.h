// The operations that a training step needs, on one device. Coarse, so virtual calls cost nothing.
// To add one: declare it here, write it for every backend, one test, one bench.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/feature_store.h"
#include "graph/types.h"
#include "graph/views.h"
#include "kernels/lent_stream.h"
#include "kernels/memo.h"
#include "kernels/rows.h"
#include "kernels/tensor.h"

namespace kith {

/// Counter-based dropout: the mask is a pure function of (seed, step, layer, element), so that forward and
/// backward need not store it.
struct Dropout {
  double rate = 0;  ///< probability that a value is zeroed, 0..1 (1 excluded)
  std::uint64_t seed = 0;
  std::int64_t step = 0;  ///< training step
  std::int32_t layer = 0;
};

/// What the loss adds up over batches, on the device as [1 x 3] in this order.
struct LossResult {
  double loss = 0;           ///< sum over the roots, in nats
  std::int64_t correct = 0;  ///< roots whose largest logit is their label
  std::int64_t counted = 0;  ///< roots with a label
};

/// One parameter for adam(): all four have the same shape.
struct AdamParameter {
  Tensor* value;
  const Tensor* gradient;
  Tensor* first_moment;
  Tensor* second_moment;
  Tensor* average = nullptr;  ///< follows the value; null: none
};

/// Hyper-parameters of Adam with L2 weight decay added to the gradient, as torch.optim.Adam.
struct AdamOptions {
  double lr = 3e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  /// An average keeps at most this share of itself in a step, 0 <= d < 1; in early steps (1 + step) / (10 +
  /// step).
  double average_decay = 0;
};

/// Host arrays where a device can read them (Backend::to_device). Move-only. On the CPU it refers to the host's
/// own arrays, which must outlive it.
class DeviceArrays {
 public:
  DeviceArrays() = default;
  /// arrays: where each one is on the device. memory: what holds them, if they were copied. ready: keeps what
  /// says that they are there.
  DeviceArrays(std::vector<std::span<const std::byte>> arrays, std::vector<Tensor::Buffer> memory = {},
               Tensor::Buffer ready = {})
      : arrays_(std::move(arrays)),
        memory_(std::move(memory)),
        ready_(std::move(ready)),
        memo_(std::make_unique<Memo>()) {}

  /// The i-th array, in the order in which they were given. The span may only be read by the device.
  template <typename T>
  std::span<const T> get(std::size_t i) const {
    return {reinterpret_cast<const T*>(arrays_[i].data()), arrays_[i].size() / sizeof(T)};
  }
  const Tensor::Buffer& ready() const { return ready_; }
  /// Holds what `earlier` holds, and gives it back after ready(): for work before that, which reads it.
  void keep(DeviceArrays earlier) {
    for (Tensor::Buffer& buffer : earlier.memory_) memory_.push_back(std::move(buffer));
    memory_.push_back(std::move(earlier.ready_));
  }
  /// For views of these arrays: what operations derive from them is kept as long as they are.
  Memo* memo() const { return memo_.get(); }

 private:
  std::vector<std::span<const std::byte>> arrays_;
  std::vector<Tensor::Buffer> memory_;
  Tensor::Buffer ready_;  ///< destroyed before memory_
  std::unique_ptr<Memo> memo_;
};

/// How a GPU sums rows of a feature table. The bits are the same.
enum class Gathering : std::uint8_t {
  automatic,  ///< the faster of the two, as measured on the first batches
  fused,      ///< straight from the table, through the ids
  two_step,   ///< the rows are copied together first
};

/// "auto", "fused" or "two-step". Throws InvalidArgument for another name.
Gathering parse_gathering(std::string_view name);

/// What Gathering::automatic measured and chose for calls of one kind. Times, and so the choice, differ from
/// run to run.
struct GatheringChoice {
  std::int64_t columns = 0;
  std::string_view type;  ///< of the table: "f32", "f16" or "bf16"
  std::int32_t reads_per_row =
      0;  ///< edges a source, rounded down to a power of two; 0: fewer edges than sources
  bool is_in_host_memory = false;
  std::int32_t num_measured = 0;  ///< calls that were timed both ways
  double fused_seconds = 0;       ///< of all of them
  double two_step_seconds = 0;
  bool is_fused = true;
};

/// Algorithms of cuSPARSE for row-major values.
enum class SparseAlgorithm : std::uint8_t {
  row_major,     ///< CUSPARSE_SPMM_CSR_ALG2, which nothing can be prepared for
  preprocessed,  ///< CUSPARSE_SPMM_CSR_ALG3, with what its preprocessing finds out about a block
};

/// Choices that only a CUDA backend has.
struct BackendOptions {
  /// Dense products round their factors to 10 bits of mantissa, and are several times faster.
  bool allow_tf32 = false;
  /// aggregate(), its gradient and aggregate_rows() by cuSPARSE's SpMM instead of Kith's kernels: the rival,
  /// for benches. Weights by head are not cuSPARSE's.
  bool use_cusparse = false;
  SparseAlgorithm sparse_algorithm = SparseAlgorithm::row_major;  ///< with use_cusparse
  Gathering gathering = Gathering::automatic;
  /// Run there, in the order of its owner's work, in place of a stream of the backend's own. It must outlive
  /// the backend and whatever its operations made.
  std::optional<LentStream> stream = std::nullopt;
};

/// Where edge_scores_backward writes: [num_sources x heads] and [num_destinations x heads], overwritten.
struct EndGradients {
  Tensor* at_source;
  Tensor* at_destination;
};

/// A feature table, or some rows of one in another order.
struct TableRows {
  FeatureView table;
  std::span<const NodeId> ids = {};  ///< row of `table` for each node; empty: its own number
};

/// Some rows of a whole graph as a block: bounds of its own, sources are global ids. Refers to the graph.
struct RowsBlock {
  Tensor::Buffer offsets;
  BlockCsrView block;  ///< num_sources: the graph's nodes
};

/// One device. All tensors of a call must be its own and of one scalar type, and all spans and views must be in
/// its memory: the host never reads through them. Calls return before the device is done; download() waits.
/// Shapes are checked with InvalidArgument; ids inside adjacency are trusted. Results do not depend on the
/// number of threads. One thread calls operations; to_device() may be called from any.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;  ///< "cpu", "cuda"

  /// Calls operations where the thread's current device may be another one: with a lent stream, its device is
  /// the current one while `operations` runs. Otherwise the same as calling them.
  virtual void run(const std::function<void()>& operations) { operations(); }

  virtual Tensor empty(std::int64_t rows, std::int64_t cols, Scalar scalar) = 0;  ///< uninitialised
  Tensor zeros(std::int64_t rows, std::int64_t cols, Scalar scalar);
  Tensor clone(const Tensor& x);
  Tensor zero_loss() { return zeros(1, 3, Scalar::f64); }  ///< for softmax_cross_entropy to add to
  LossResult read_loss(const Tensor& totals);              ///< waits for the device
  virtual void fill(Tensor& x, double value) = 0;
  virtual void copy(const Tensor& from, Tensor& to) = 0;                    ///< same shape and scalar
  virtual void upload(std::span<const double> values, Tensor& to) = 0;      ///< converts to to's scalar
  virtual void download(const Tensor& from, std::span<double> values) = 0;  ///< converts from from's scalar

  /// Brings host arrays to the device with one copy, beside the operations that run there. The arrays may
  /// change once this returns, but not on the CPU, which reads them in place. Throws EnvironmentError without
  /// memory.
  virtual DeviceArrays to_device(std::span<const std::span<const std::byte>> arrays) = 0;
  template <typename... Ts>
  DeviceArrays to_device(std::span<const Ts>... arrays) {
    const std::array<std::span<const std::byte>, sizeof...(Ts)> all{std::as_bytes(arrays)...};
    return to_device(std::span<const std::span<const std::byte>>(all));
  }

  /// The same for a table that many batches read: copied if it fits beside a reserve for training, else kept in
  /// host memory that the device reads over the bus.
  virtual DeviceArrays table_to_device(std::span<const std::byte> table) = 0;
  /// The same, kept in host memory in any case. Throws EnvironmentError if there is too little.
  virtual DeviceArrays table_to_host(std::span<const std::byte> table) = 0;

  /// Bytes that the device's own memory has left; nothing where it computes in the host's.
  virtual std::optional<std::int64_t> free_bytes() = 0;

  /// Operations that are called from now on find the arrays on the device.
  virtual void wait_for(const DeviceArrays& arrays) = 0;

  /// out[i] = table[first + i], converted. out: [rows x table.dim].
  virtual void read_rows(FeatureView table, std::int64_t first, Tensor& out) = 0;

  /// out[i] = table[ids[i]], converted. out: [ids.size() x table.dim]; ids: global.
  virtual void gather(FeatureView table, std::span<const NodeId> ids, Tensor& out) = 0;

  /// out[v] = sum over the edges (u -> v) of weight * x[u]; weights: [num_edges], or empty for 1/in-degree in
  /// the block (mean; an empty row gives 0). out: [num_destinations x x.cols]; x: [num_sources x d].
  virtual void aggregate(BlockCsrView block, std::span<const float> weights, const Tensor& x, Tensor& out) = 0;

  /// The same, reading row ids[u] of the feature table for local source u: nothing is materialised.
  virtual void aggregate(BlockCsrView block, std::span<const float> weights, FeatureView table,
                         std::span<const NodeId> ids, Tensor& out) = 0;

  /// grad_x[u] += sum over the edges (u -> v) of weight * grad_out[v]: the gradient of aggregate.
  /// Deterministic: runs over the transposed block. grad_x: [num_sources x d]; grad_out: [num_destinations x
  /// d].
  virtual void aggregate_backward(BlockCsrView block, std::span<const float> weights, const Tensor& grad_out,
                                  Tensor& grad_x) = 0;

  /// The same with a weight per edge and head, as the attention of GAT (arXiv 1710.10903) needs it:
  /// out[v, h] = sum over the edges e = (u -> v) of weights[e, h] * x[u, h], where a row is `heads` runs of c
  /// values. weights: [num_edges x heads]; x: [num_sources x heads * c]; out: [num_destinations x heads * c].
  /// Its gradient by the weights is edge_dot(block, x, grad_out).
  virtual void aggregate_heads(BlockCsrView block, const Tensor& weights, const Tensor& x, Tensor& out) = 0;

  /// grad_x[u, h] += sum over the edges e = (u -> v) of weights[e, h] * grad_out[v, h]: the gradient by x.
  virtual void aggregate_heads_backward(BlockCsrView block, const Tensor& weights, const Tensor& grad_out,
                                        Tensor& grad_x) = 0;

  /// out[e, h] = <x[u, h], y[v, h]> for every edge e = (u -> v). x: [num_sources x heads * c]; y:
  /// [num_destinations x heads * c]; out: [num_edges x heads].
  virtual void edge_dot(BlockCsrView block, const Tensor& x, const Tensor& y, Tensor& out) = 0;

  /// out[i, h] = <x[i, h], weight[h]>, what a node puts into the attention of GAT. x: [out.rows() or more x
  /// heads * c]; weight: [heads x c]; out: [n x heads].
  virtual void head_dot(const Tensor& x, const Tensor& weight, Tensor& out) = 0;

  /// The gradients of head_dot: grad_x[i, h] += grad_out[i, h] * weight[h] in the rows of grad_out, and
  /// grad_weight[h] = the sum over i of grad_out[i, h] * x[i, h], in a fixed order. Shapes as above.
  virtual void head_dot_backward(const Tensor& x, const Tensor& weight, const Tensor& grad_out, Tensor& grad_x,
                                 Tensor& grad_weight) = 0;

  /// out[e, h] = leaky_relu(at_source[u, h] + at_destination[v, h]) for every edge e = (u -> v). at_source:
  /// [num_sources x heads]; at_destination: [num_destinations x heads]; out: [num_edges x heads].
  /// negative_slope: > 0.
  virtual void edge_scores(BlockCsrView block, const Tensor& at_source, const Tensor& at_destination,
                           double negative_slope, Tensor& out) = 0;

  /// The gradients of edge_scores by both ends, overwritten; deterministic. scores: its result, whose signs say
  /// where the slope counts; grad_scores: [num_edges x heads].
  virtual void edge_scores_backward(BlockCsrView block, double negative_slope, const Tensor& scores,
                                    const Tensor& grad_scores, const EndGradients& gradients) = 0;

  /// out[v] = the largest x[u] of the edges (u -> v), per column; an empty row gives 0, a NaN is kept. argmax:
  /// the edge that won (the first of equals), -1 in an empty row; [num_destinations * x.cols()], row-major.
  virtual void aggregate_max(BlockCsrView block, const Tensor& x, Tensor& out,
                             std::span<std::int32_t> argmax) = 0;

  /// grad_x[u, j] += grad_out[v, j] where an edge (u -> v) is argmax[v, j]: the gradient of aggregate_max.
  virtual void aggregate_max_backward(BlockCsrView block, std::span<const std::int32_t> argmax,
                                      const Tensor& grad_out, Tensor& grad_x) = 0;

  /// Softmax over the edges into each destination, per head. scores, out: [num_edges x heads].
  virtual void edge_softmax(BlockCsrView block, const Tensor& scores, Tensor& out) = 0;

  /// grad_scores = the gradient of edge_softmax, overwritten. out: its result; all [num_edges x heads].
  virtual void edge_softmax_backward(BlockCsrView block, const Tensor& out, const Tensor& grad_out,
                                     Tensor& grad_scores) = 0;

  /// Rows [first, first + out.rows()) of the aggregation over a whole graph; weights: [graph.num_edges()] or
  /// empty for the mean. x: [num_nodes x d].
  virtual void aggregate_rows(CsrView graph, std::span<const float> weights, NodeId first, const Tensor& x,
                              Tensor& out) = 0;
  /// x: the rows of all nodes, or, with ids [num_nodes], of those that the edges of these rows name.
  virtual void aggregate_rows(CsrView graph, std::span<const float> weights, NodeId first, const TableRows& x,
                              Tensor& out) = 0;

  /// Goes on with an aggregation over all rows of a graph by those neighbours that are in `x`; slices come in
  /// ascending order. next: [num_nodes] the first edge of each row that is still to come. Before the first
  /// slice that is graph.offsets, and out is 0; after the last one out is that of aggregate_rows, to the bit.
  /// For tables in files, so on the CPU only: elsewhere it throws InvalidArgument.
  virtual void aggregate_slice(CsrView graph, std::span<const float> weights, const TableSlice& x,
                               std::span<EdgeOffset> next, Tensor& out) = 0;

  /// out[ids[i]] = i; the rest of `out` stays. ids: each once, in [0, out.size()), not checked.
  virtual void number_rows(std::span<const NodeId> ids, std::span<std::int32_t> out) = 0;

  /// Rows [first, first + count) of `graph`, for the operations that take a block. Throws InvalidArgument if
  /// they hold 2^31 edges or more.
  virtual RowsBlock rows_as_block(CsrView graph, NodeId first, std::int64_t count) = 0;

  /// c[0:rows] = op(a)[0:rows] @ op(b) + beta * c. transpose flags as in BLAS. `a` may have more rows than c
  /// needs when it is not transposed (a prefix is used).
  virtual void matmul(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b, double beta,
                      Tensor& c) = 0;

  /// grad_w (+)= a[0:g.rows]^T @ g: weight gradient; fixed tiles, summed in a fixed order.
  virtual void matmul_at_b(const Tensor& a, const Tensor& g, double beta, Tensor& grad_w) = 0;

  virtual void add_bias(const Tensor& bias, Tensor& x) = 0;               ///< x[i] += bias; bias: [1 x cols]
  virtual void bias_gradient(const Tensor& grad, Tensor& grad_bias) = 0;  ///< column sums; [1 x cols]
  /// x = dropout(relu(x + bias)), in place; kept values are scaled by 1 / (1 - rate). bias: [1 x cols], or
  /// null. rate 0 = relu alone. NaN stays NaN, so that a diverged run is seen.
  virtual void bias_relu_dropout(const Tensor* bias, const Dropout& dropout, Tensor& x) = 0;
  void relu_dropout(const Dropout& dropout, Tensor& x) { bias_relu_dropout(nullptr, dropout, x); }
  /// grad *= (y > 0 ? 1 / (1 - rate) : 0), y the output of relu_dropout.
  virtual void relu_dropout_backward(const Dropout& dropout, const Tensor& y, Tensor& grad) = 0;

  /// Softmax cross-entropy over classes. logits: [n x classes]; labels: [n], kNoLabel rows are left out, the
  /// others must be in [0, classes); gradient (same shape as logits, may be null): d(mean loss over counted
  /// rows)/d(logits). Adds to `totals`, [1 x 3] f64: loss, correct and counted of LossResult.
  virtual void softmax_cross_entropy(const Tensor& logits, std::span<const std::int32_t> labels,
                                     Tensor* gradient, Tensor& totals) = 0;

  /// What Gathering::automatic has found out so far; nothing where it has nothing to choose.
  virtual std::vector<GatheringChoice> gathering_choices() { return {}; }

  /// Marks the end of a training step: waits until the device is at most one step behind the host, so that what
  /// the steps hold in memory stays bounded.
  virtual void end_step() = 0;

  /// out[i] = table[ids[i]]. table: [num_rows x d]; ids: [n] in [0, num_rows), not checked; out: [n x d].
  virtual void embed(const Tensor& table, std::span<const std::int32_t> ids, Tensor& out) = 0;

  /// grad_table[ids[i]] += grad_out[i]: the gradient of embed, summed in the order of i.
  virtual void embed_backward(std::span<const std::int32_t> ids, const Tensor& grad_out,
                              Tensor& grad_table) = 0;

  /// One step of an LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000) for n
  /// sequences of h units. gates: [n x 4h] the sums that enter the input, forget, cell and output gates, which
  /// their activations (sigmoid, sigmoid, tanh, sigmoid) take the place of. cell = f * previous_cell + i * g,
  /// hidden = o * tanh(cell); all [n x h].
  virtual void lstm_cell(Tensor& gates, const Tensor& previous_cell, Tensor& cell, Tensor& hidden) = 0;

  /// The gradient of lstm_cell. gates: its activations; grad_hidden: [n x h]. grad_cell: [n x h],
  /// d(loss)/d(cell) from the later steps; becomes that of previous_cell. grad_gates: [n x 4h], overwritten.
  virtual void lstm_cell_backward(const Tensor& gates, const Tensor& previous_cell, const Tensor& cell,
                                  const Tensor& grad_hidden, Tensor& grad_cell, Tensor& grad_gates) = 0;

  /// Scales all gradients by one factor, so that their norm together is at most max_norm > 0. Returns the norm
  /// before (Pascanu et al., arXiv 1211.5063).
  virtual double clip_gradients(std::span<Tensor* const> gradients, double max_norm) = 0;

  /// One Adam step; step counts from 1. Averages, where there are any, follow the new values.
  virtual void adam(std::span<const AdamParameter> parameters, const AdamOptions& options,
                    std::int64_t step) = 0;
};

/// oneTBB + SIMD, the reference. Uses as many threads as tbb::global_control allows.
std::unique_ptr<Backend> make_cpu_backend();

/// CUDA devices that answer; 0 in a build without CUDA.
int num_cuda_devices();

/// Throws DeviceError where there is no CUDA device or no CUDA build.
std::unique_ptr<Backend> make_cuda_backend(const BackendOptions& options = {});

/// Names of the devices that this build can compute on, here and now; "cpu" is always among them.
std::vector<std::string> available_devices();

/// device: "auto" (the best there is), "cpu" or "cuda". Throws InvalidArgument for another name, DeviceError
/// ("--device cuda: no CUDA device (...)") for a missing device, InvalidArgument for options that it does not
/// have.
std::unique_ptr<Backend> make_backend(std::string_view device, const BackendOptions& options = {});

}  // namespace kith
