// The reference backend: checks shapes (op_check.h), then calls the kernels of this folder.
#pragma once

#include <memory>

#include "kernels/backend.h"
#include "kernels/cpu/buffer_pool.h"

namespace kith::cpu {

/// One instance per user; its operations may be called from several threads on different tensors. Tensors may
/// outlive it.
class CpuBackend final : public Backend {
 public:
  CpuBackend();
  ~CpuBackend() override;
  CpuBackend(const CpuBackend&) = delete;
  CpuBackend& operator=(const CpuBackend&) = delete;

  std::string_view name() const override { return "cpu"; }
  const BufferPool& pool() const { return *pool_; }
  Tensor empty(std::int64_t rows, std::int64_t cols, Scalar scalar) override;
  void fill(Tensor& x, double value) override;
  void copy(const Tensor& from, Tensor& to) override;
  void upload(std::span<const double> values, Tensor& to) override;
  void download(const Tensor& from, std::span<double> values) override;
  DeviceArrays to_device(std::span<const std::span<const std::byte>> arrays) override;
  DeviceArrays table_to_device(std::span<const std::byte> table) override { return DeviceArrays({table}); }
  DeviceArrays table_to_host(std::span<const std::byte> table) override { return DeviceArrays({table}); }
  std::optional<std::int64_t> free_bytes() override { return {}; }
  void wait_for(const DeviceArrays&) override {}
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
  void end_step() override {}
  void embed(const Tensor& table, std::span<const std::int32_t> ids, Tensor& out) override;
  void embed_backward(std::span<const std::int32_t> ids, const Tensor& grad_out, Tensor& grad_table) override;
  void lstm_cell(Tensor& gates, const Tensor& previous_cell, Tensor& cell, Tensor& hidden) override;
  void lstm_cell_backward(const Tensor& gates, const Tensor& previous_cell, const Tensor& cell,
                          const Tensor& grad_hidden, Tensor& grad_cell, Tensor& grad_gates) override;
  double clip_gradients(std::span<Tensor* const> gradients, double max_norm) override;
  void adam(std::span<const AdamParameter> parameters, const AdamOptions& options, std::int64_t step) override;

 private:
  struct ClosePool {
    void operator()(BufferPool* pool) const { pool->close(); }
  };
  std::unique_ptr<BufferPool, ClosePool> pool_;
};

}  // namespace kith::cpu
