// Dense products and bias. Shapes are checked by the caller.
#pragma once

#include "kernels/cpu/buffer_pool.h"
#include "kernels/tensor.h"

namespace kith::cpu {

/// Makes the BLAS of this process run on the calling thread alone.
void make_blas_single_threaded();

/// c = op(a)[0:c.rows()] @ op(b) + beta * c, in fixed tiles of rows of c.
void matmul(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b, double beta, Tensor& c);

/// grad_w = a[0:g.rows()]^T @ g + beta * grad_w, in at most 16 fixed tiles of rows, summed in order.
void matmul_at_b(const Tensor& a, const Tensor& g, double beta, BufferPool& pool, Tensor& grad_w);

void add_bias(const Tensor& bias, Tensor& x);
void bias_gradient(const Tensor& grad, BufferPool& pool, Tensor& grad_bias);

}  // namespace kith::cpu
