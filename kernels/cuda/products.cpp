#include "kernels/cuda/products.h"

#include <cublas_v2.h>

#include "kernels/cuda/check.h"
#include "kernels/cuda/dense.h"

namespace kith::cuda {

static void check(cublasStatus_t status, const char* call, const char* file, int line) {
  if (status != CUBLAS_STATUS_SUCCESS) throw_device_error(cublasGetStatusString(status), call, file, line);
}

struct DenseProducts::Handle {
  cublasHandle_t blas = nullptr;
};

DenseProducts::DenseProducts(const Context& context, bool allow_tf32)
    : context_(context), handle_(std::make_unique<Handle>()) {
  CUDA_CHECK(cublasCreate(&handle_->blas));
  CUDA_CHECK(cublasSetStream(handle_->blas, context.stream));
  CUDA_CHECK(cublasSetMathMode(handle_->blas, allow_tf32 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH));
}

DenseProducts::~DenseProducts() { static_cast<void>(cublasDestroy(handle_->blas)); }

void DenseProducts::matmul(const Product& product, Tensor& c) {
  // cuBLAS is column-major: a row-major matrix is its transpose there, so c^T = op(b)^T @ op(a)^T is computed.
  const auto rows = static_cast<int>(c.rows());
  const auto cols = static_cast<int>(c.cols());
  const auto inner = static_cast<int>(product.transpose_b ? product.b.cols() : product.b.rows());
  if (rows == 0 || cols == 0) return;
  if (inner == 0) {
    return scale(context_, product.beta, c);  // an empty product is 0, and cuBLAS refuses a pitch of 0
  }
  const cublasOperation_t transpose_a = product.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasOperation_t transpose_b = product.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
  const auto pitch_a = static_cast<int>(product.a.cols());
  const auto pitch_b = static_cast<int>(product.b.cols());
  if (c.scalar() == Scalar::f32) {
    const float one = 1;
    const auto beta = static_cast<float>(product.beta);
    CUDA_CHECK(cublasSgemm(handle_->blas, transpose_b, transpose_a, cols, rows, inner, &one,
                           product.b.data<float>(), pitch_b, product.a.data<float>(), pitch_a, &beta,
                           c.data<float>(), cols));
  } else {
    const double one = 1;
    CUDA_CHECK(cublasDgemm(handle_->blas, transpose_b, transpose_a, cols, rows, inner, &one,
                           product.b.data<double>(), pitch_b, product.a.data<double>(), pitch_a, &product.beta,
                           c.data<double>(), cols));
  }
}

}  // namespace kith::cuda
