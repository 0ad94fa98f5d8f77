// Aggregation by cuSPARSE's SpMM: the rival of aggregate.h, and a choice of BackendOptions.
#pragma once

#include <cuda_runtime.h>

#include <memory>
#include <span>

#include "graph/views.h"
#include "kernels/cuda/context.h"
#include "kernels/tensor.h"

namespace kith::cuda {

/// Keeps the library's handle and its workspace. Descriptors are made for every call: they are host memory, and
/// an address that was seen before may hold another block by now, so nothing is kept that depends on one. The
/// algorithm for row-major values has no use for preprocessing that could be kept.
class SparseProducts {
 public:
  explicit SparseProducts(cudaStream_t stream);
  ~SparseProducts();

  /// See Backend::aggregate. x: f32 or f64, as out.
  void aggregate(const Context& context, BlockCsrView block, std::span<const float> weights, const Tensor& x,
                 Tensor& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kith::cuda
