// The CUDA backend: checks shapes (op_check.h), then launches the kernels of this folder on one stream.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/context.h"
#include "kernels/cuda/gathering.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/products.h"
#include "kernels/cuda/spmm.h"

namespace kith::cuda {

/// The current device of the thread that makes it, or that of a lent stream. Operations are launched on one
/// stream by one thread; copies from the host run on a second stream and may be asked for by any thread.
/// Tensors may outlive it.
class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(const BackendOptions& options);
  ~CudaBackend() override;
  CudaBackend(const CudaBackend&) = delete;
  CudaBackend& operator=(const CudaBackend&) = delete;

  std::string_view name() const override { return "cuda"; }
  const Context& context() const { return context_; }
  void run(const std::function<void()>& operations) override;

  Tensor empty(std::int64_t rows, std::int64_t cols, Scalar scalar) override;
  void fill(Tensor& x, double value) override;
  void copy(const Tensor& from, Tensor& to) override;
  void upload(std::span<const double> values, Tensor& to) override;
  void download(const Tensor& from, std::span<double> values) override;
  DeviceArrays to_device(std::span<const std::span<const std::byte>> arrays) override;
  DeviceArrays table_to_device(std::span<const std::byte> table) override;
  DeviceArrays table_to_host(std::span<const std::byte> table) override;
  std::optional<std::int64_t> free_bytes() override;
  void wait_for(const DeviceArrays& arrays) override;
  void read_rows(FeatureView table, std::int64_t first, Tensor& out) override;
  void gather(FeatureView table, std::span<const NodeId> ids, Tensor& out) override;
  void aggregate(BlockCsrView block, std::span<const float> weights, const Tensor& x, Tensor& out) override;
  void aggregate(BlockCsrView block, std::span<const float> weights, FeatureView table,
                 std::span<const NodeId> ids, Tensor& out) override;
  void aggregate_backward(BlockCsrView block, std::span<const float> weights, const Tensor& grad_out,
                          Tensor& grad_x) override;
  void aggregate_heads(BlockCsrView block, const Tensor& weights, const Tensor& x, Tensor& out) override;
  void aggregate_heads_backward(BlockCsrView block, const Tensor& weights, const Tensor& grad_out,
                                Tensor& grad_x) override;
  void edge_dot(BlockCsrView block, const Tensor& x, const Tensor& y, Tensor& out) override;
  void head_dot(const Tensor& x, const Tensor& weight, Tensor& out) override;
  void head_dot_backward(const Tensor& x, const Tensor& weight, const Tensor& grad_out, Tensor& grad_x,
                         Tensor& grad_weight) override;
  void edge_scores(BlockCsrView block, const Tensor& at_source, const Tensor& at_destination,
                   double negative_slope, Tensor& out) override;
  void edge_scores_backward(BlockCsrView block, double negative_slope, const Tensor& scores,
                            const Tensor& grad_scores, const EndGradients& gradients) override;
  void aggregate_max(BlockCsrView block, const Tensor& x, Tensor& out, std::span<std::int32_t> argmax) override;
  void aggregate_max_backward(BlockCsrView block, std::span<const std::int32_t> argmax, const Tensor& grad_out,
                              Tensor& grad_x) override;
  void edge_softmax(BlockCsrView block, const Tensor& scores, Tensor& out) override;
  void edge_softmax_backward(BlockCsrView block, const Tensor& out, const Tensor& grad_out,
                             Tensor& grad_scores) override;
  void aggregate_rows(CsrView graph, std::span<const float> weights, NodeId first, const Tensor& x,
                      Tensor& out) override;
  void aggregate_rows(CsrView graph, std::span<const float> weights, NodeId first, const TableRows& x,
                      Tensor& out) override;
  void number_rows(std::span<const NodeId> ids, std::span<std::int32_t> out) override;
  void aggregate_slice(CsrView graph, std::span<const float> weights, const TableSlice& x,
                       std::span<EdgeOffset> next, Tensor& out) override;
  RowsBlock rows_as_block(CsrView graph, NodeId first, std::int64_t count) override;
  void matmul(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b, double beta,
              Tensor& c) override;
  void matmul_at_b(const Tensor& a, const Tensor& g, double beta, Tensor& grad_w) override;
  void add_bias(const Tensor& bias, Tensor& x) override;
  void bias_gradient(const Tensor& grad, Tensor& grad_bias) override;
  void bias_relu_dropout(const Tensor* bias, const Dropout& dropout, Tensor& x) override;
  void relu_dropout_backward(const Dropout& dropout, const Tensor& y, Tensor& grad) override;
  void softmax_cross_entropy(const Tensor& logits, std::span<const std::int32_t> labels, Tensor* gradient,
                             Tensor& totals) override;
  std::vector<GatheringChoice> gathering_choices() override { return gathering_.choices(); }
  void end_step() override;
  void embed(const Tensor& table, std::span<const std::int32_t> ids, Tensor& out) override;
  void embed_backward(std::span<const std::int32_t> ids, const Tensor& grad_out, Tensor& grad_table) override;
  void lstm_cell(Tensor& gates, const Tensor& previous_cell, Tensor& cell, Tensor& hidden) override;
  void lstm_cell_backward(const Tensor& gates, const Tensor& previous_cell, const Tensor& cell,
                          const Tensor& grad_hidden, Tensor& grad_cell, Tensor& grad_gates) override;
  double clip_gradients(std::span<Tensor* const> gradients, double max_norm) override;
  void adam(std::span<const AdamParameter> parameters, const AdamOptions& options, std::int64_t step) override;

 private:
  /// Destroyed with the backend; copies on it are over by then, as whoever asked for them waits for them.
  class Stream {
   public:
    Stream();
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    cudaStream_t get() const { return stream_; }

   private:
    cudaStream_t stream_ = nullptr;
  };

  /// On a lent stream made when first asked for: its handle takes memory, and whoever lends a stream multiplies
  /// by other means.
  DenseProducts& products();

  std::optional<int> lent_device_;  ///< with a lent stream
  OwnedStreamMemory memory_;
  Context context_;
  Stream copies_;
  PinnedBlocks pinned_;
  bool allow_tf32_;
  std::unique_ptr<DenseProducts> products_;
  std::unique_ptr<SparseProducts> sparse_;  ///< with BackendOptions::use_cusparse
  GatheringRule gathering_;
  Tensor::Buffer last_step_;  ///< the event at its end
};

}  // namespace kith::cuda
