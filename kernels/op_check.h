// Shape checks of the operations, the same on every device; see Backend for the shapes. All throw
// InvalidArgument that begins with the operation's name. What spans and tensors hold is not read: it may be in
// a device's memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "graph/feature_store.h"
#include "graph/types.h"
#include "graph/views.h"
#include "kernels/backend.h"
#include "kernels/tensor.h"

namespace kith::op_check {

void empty(std::int64_t rows, std::int64_t cols);
void same_size(const char* who, std::size_t num_values, const Tensor& x);
void same_shape(const char* who, const char* what, const Tensor& x, const Tensor& expected);
void gather(FeatureView table, std::span<const NodeId> ids, const Tensor& out);
void read_rows(FeatureView table, std::int64_t first, const Tensor& out);
void aggregate(BlockCsrView block, std::span<const float> weights, const Tensor& x, const Tensor& out);
void aggregate(BlockCsrView block, std::span<const float> weights, FeatureView table,
               std::span<const NodeId> ids, const Tensor& out);
void aggregate_backward(BlockCsrView block, std::span<const float> weights, const Tensor& grad_out,
                        const Tensor& grad_x);
void aggregate_heads(BlockCsrView block, const Tensor& weights, const Tensor& x, const Tensor& out);
void aggregate_heads_backward(BlockCsrView block, const Tensor& weights, const Tensor& grad_out,
                              const Tensor& grad_x);
void edge_dot(BlockCsrView block, const Tensor& x, const Tensor& y, const Tensor& out);
void head_dot(const Tensor& x, const Tensor& weight, const Tensor& out);
void head_dot_backward(const Tensor& x, const Tensor& weight, const Tensor& grad_out, const Tensor& grad_x,
                       const Tensor& grad_weight);
void edge_scores(BlockCsrView block, const Tensor& at_source, const Tensor& at_destination,
                 double negative_slope, const Tensor& out);
void edge_scores_backward(BlockCsrView block, double negative_slope, const Tensor& scores,
                          const Tensor& grad_scores, const EndGradients& gradients);
void rows_as_block(CsrView graph, NodeId first, std::int64_t count);
void rows_as_block_edges(std::int64_t count, EdgeOffset num_edges);  ///< once they are known
void aggregate_max(BlockCsrView block, const Tensor& x, const Tensor& out, std::size_t argmax_size);
void aggregate_max_backward(BlockCsrView block, std::size_t argmax_size, const Tensor& grad_out,
                            const Tensor& grad_x);
void edge_softmax(BlockCsrView block, const Tensor& scores, const Tensor& out);
void edge_softmax_backward(BlockCsrView block, const Tensor& out, const Tensor& grad_out,
                           const Tensor& grad_scores);
void aggregate_rows(CsrView graph, std::span<const float> weights, NodeId first, const Tensor& x,
                    const Tensor& out);
void aggregate_rows(CsrView graph, std::span<const float> weights, NodeId first, const TableRows& x,
                    const Tensor& out);
void aggregate_slice(CsrView graph, std::span<const float> weights, const TableSlice& x, std::size_t num_next,
                     const Tensor& out);
void matmul(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b, const Tensor& c);
void matmul_at_b(const Tensor& a, const Tensor& g, const Tensor& grad_w);
void add_bias(const Tensor& bias, const Tensor& x);
void bias_gradient(const Tensor& grad, const Tensor& grad_bias);
void bias_relu_dropout(const Tensor* bias, const Dropout& dropout, const Tensor& x);
void relu_dropout_backward(const Dropout& dropout, const Tensor& y, const Tensor& grad);
void softmax_cross_entropy(const Tensor& logits, std::size_t num_labels, const Tensor* gradient,
                           const Tensor& totals);
void embed(const Tensor& table, std::size_t num_ids, const Tensor& out);
void embed_backward(std::size_t num_ids, const Tensor& grad_out, const Tensor& grad_table);
void lstm_cell(const Tensor& gates, const Tensor& previous_cell, const Tensor& cell, const Tensor& hidden);
void clip_gradients(double max_norm);
void adam(std::span<const AdamParameter> parameters, std::int64_t step);

}  // namespace kith::op_check
