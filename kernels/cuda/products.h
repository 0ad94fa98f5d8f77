// Dense products by cuBLAS. Shapes are checked by the caller.
#pragma once

#include <memory>

#include "kernels/cuda/context.h"
#include "kernels/tensor.h"

namespace kith::cuda {

/// The factors of one product.
struct Product {
  const Tensor& a;
  bool transpose_a;
  const Tensor& b;
  bool transpose_b;
  double beta;
};

/// Owns the library's handle, bound to the stream of `context`, which must outlive it.
class DenseProducts {
 public:
  DenseProducts(const Context& context, bool allow_tf32);
  ~DenseProducts();

  /// c = op(a)[0:c.rows()] @ op(b) + beta * c.
  void matmul(const Product& product, Tensor& c);

 private:
  struct Handle;
  const Context& context_;
  std::unique_ptr<Handle> handle_;
};

}  // namespace kith::cuda
