// Operations whose result has a row for each edge: what attention needs. Shapes are checked by the caller.
#pragma once

#include "graph/views.h"
#include "kernels/backend.h"
#include "kernels/cpu/buffer_pool.h"
#include "kernels/tensor.h"

namespace kith::cpu {

/// See Backend::edge_softmax.
void edge_softmax(BlockCsrView block, const Tensor& scores, Tensor& out);

/// See Backend::edge_softmax_backward.
void edge_softmax_backward(BlockCsrView block, const Tensor& out, const Tensor& grad_out, Tensor& grad_scores);

/// See Backend::edge_dot.
void edge_dot(BlockCsrView block, const Tensor& x, const Tensor& y, Tensor& out);

/// See Backend::edge_scores.
void edge_scores(BlockCsrView block, const Tensor& at_source, const Tensor& at_destination,
                 double negative_slope, Tensor& out);

/// What edge_scores_backward reads of every edge: [num_edges x heads] each.
struct ScoredEdges {
  const Tensor& scores;
  const Tensor& gradient;
  double negative_slope;
};

/// See Backend::edge_scores_backward. Scratch (8 bytes an edge, and a value an edge and head) comes from
/// `pool`.
void edge_scores_backward(BlockCsrView block, const ScoredEdges& edges, BufferPool& pool,
                          const EndGradients& gradients);

}  // namespace kith::cpu
