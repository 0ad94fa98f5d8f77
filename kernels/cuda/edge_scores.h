// What the two ends of an edge put into its attention, on the device. Shapes are checked by the caller.
#pragma once

#include "graph/views.h"
#include "kernels/backend.h"
#include "kernels/cuda/context.h"
#include "kernels/tensor.h"

namespace kith::cuda {

/// The arguments of Backend::edge_scores that are read.
struct ScoreEnds {
  const Tensor& at_source;
  const Tensor& at_destination;
  double negative_slope;
};

/// See Backend::edge_scores.
void edge_scores(const Context& context, BlockCsrView block, const ScoreEnds& ends, Tensor& out);

/// The arguments of Backend::edge_scores_backward that are read.
struct ScoredEdges {
  const Tensor& scores;
  const Tensor& gradient;
  double negative_slope;
};

/// See Backend::edge_scores_backward. Scratch: the gradient, 8 bytes an edge and the transposed block.
void edge_scores_backward(const Context& context, BlockCsrView block, const ScoredEdges& edges,
                          const EndGradients& gradients);

/// See Backend::rows_as_block. Waits for the stream: the host must know the number of edges.
RowsBlock rows_as_block(const Context& context, CsrView graph, NodeId first, std::int64_t count);

}  // namespace kith::cuda
