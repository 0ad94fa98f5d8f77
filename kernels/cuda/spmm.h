// Aggregation by cuSPARSE's SpMM: the rival of aggregate.h, and a choice of BackendOptions.
#pragma once

#include <cuda_runtime.h>

#include <memory>
#include <span>

#include "graph/views.h"
#include "kernels/backend.h"
#include "kernels/cuda/context.h"
#include "kernels/rows.h"
#include "kernels/tensor.h"

namespace kith::cuda {

/// Keeps the library's handle. What belongs to a block (descriptors, workspace, what was preprocessed, the
/// values of a mean) is kept in the block's memo; a block without one is described anew by every call. All
/// matrices: f32 or f64.
class SparseProducts {
 public:
  SparseProducts(cudaStream_t stream, SparseAlgorithm algorithm);
  ~SparseProducts();

  /// See Backend::aggregate.
  void aggregate(const Context& context, BlockCsrView block, std::span<const float> weights, const Tensor& x,
                 Tensor& out);

  /// See Backend::aggregate_backward. The block by source is kept too.
  void aggregate_backward(const Context& context, BlockCsrView block, std::span<const float> weights,
                          const Tensor& grad_out, Tensor& grad_x);

  /// See Backend::aggregate_rows. The bounds of the rows as 32-bit numbers are kept with the graph.
  void aggregate_rows(const Context& context, CsrView graph, std::span<const float> weights, NodeId first,
                      const Tensor& x, Tensor& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kith::cuda
