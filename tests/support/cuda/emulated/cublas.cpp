#include <cublas_v2.h>

#include <algorithm>
#include <bit>
#include <cstdint>

#include "tests/support/cuda/emulated/library.h"

using namespace kith::emulation;

struct cublasContext {
  cudaStream_t stream = nullptr;
  cublasMath_t math = CUBLAS_DEFAULT_MATH;
};

namespace {

// c = alpha op(a) op(b) + beta c, all column-major.
struct Gemm {
  bool transpose_a, transpose_b;
  int m, n, k;
  double alpha, beta;
  const void* a;
  cudaDataType type_a;
  int lda;
  const void* b;
  cudaDataType type_b;
  int ldb;
  void* c;
  cudaDataType type_c;
  int ldc;
  bool is_tf32 = false;

  bool is_valid() const {
    const int rows_a = transpose_a ? k : m;
    const int rows_b = transpose_b ? n : k;
    return m >= 0 && n >= 0 && k >= 0 && lda >= std::max(1, rows_a) && ldb >= std::max(1, rows_b) &&
           ldc >= std::max(1, m);
  }

  // TF32 keeps 10 bits of mantissa; which way a device rounds is not documented.
  double factor(double value) const {
    if (!is_tf32) return value;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(static_cast<float>(value)) & 0xffffe000U);
  }

  void run() const {
    for (std::int64_t j = 0; j < n; ++j) {
      for (std::int64_t i = 0; i < m; ++i) {
        double sum = 0;
        for (std::int64_t p = 0; p < k && alpha != 0; ++p) {
          sum += factor(read_number(a, type_a, transpose_a ? i * lda + p : p * lda + i)) *
                 factor(read_number(b, type_b, transpose_b ? p * ldb + j : j * ldb + p));
        }
        const double before = beta == 0 ? 0 : beta * read_number(c, type_c, j * ldc + i);
        write_number(c, type_c, j * ldc + i, alpha * sum + before);
      }
    }
  }
};

cublasStatus_t issue(const char* name, cublasHandle_t handle, Gemm gemm) {
  const std::scoped_lock lock(runtime_mutex());
  if (begin_call() != cudaSuccess) {
    return CUBLAS_STATUS_EXECUTION_FAILED;
  }
  const cublasContext& context = checked_handle(name, handle);
  gemm.is_tf32 = context.math == CUBLAS_TF32_TENSOR_OP_MATH && gemm.type_a == CUDA_R_32F;
  if (!gemm.is_valid()) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (gemm.m > 0 && gemm.n > 0) {
    issue_library_work(context.stream, name, [gemm] { gemm.run(); });
  }
  return CUBLAS_STATUS_SUCCESS;
}

// A call that changes the handle.
template <typename Body>
cublasStatus_t with_handle(const char* name, cublasHandle_t handle, Body body) {
  const std::scoped_lock lock(runtime_mutex());
  if (begin_call() != cudaSuccess) {
    return CUBLAS_STATUS_INTERNAL_ERROR;
  }
  return body(checked_handle(name, handle));
}

}  // namespace

const char* cublasGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
      return "CUBLAS_STATUS_INTERNAL_ERROR";
  }
}

const char* cublasGetStatusString(cublasStatus_t status) { return cublasGetStatusName(status); }

cublasStatus_t cublasCreate(cublasHandle_t* handle) {
  const std::scoped_lock lock(runtime_mutex());
  if (begin_call() != cudaSuccess) {
    return CUBLAS_STATUS_NOT_INITIALIZED;
  }
  *handle = new cublasContext;
  add_handle(*handle);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy(cublasHandle_t handle) {
  const std::scoped_lock lock(runtime_mutex());
  remove_handle("cublasDestroy", handle);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
  return with_handle("cublasSetStream", handle, [&](cublasContext& context) {
    stream_of(stream);
    context.stream = stream;
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus_t cublasGetStream(cublasHandle_t handle, cudaStream_t* stream) {
  return with_handle("cublasGetStream", handle, [&](const cublasContext& context) {
    *stream = context.stream;
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
  return with_handle("cublasSetMathMode", handle, [&](cublasContext& context) {
    context.math = mode;
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus_t cublasSetAtomicsMode(cublasHandle_t handle, cublasAtomicsMode_t) {
  return with_handle("cublasSetAtomicsMode", handle, [](cublasContext&) { return CUBLAS_STATUS_SUCCESS; });
}

cublasStatus_t cublasSetPointerMode(cublasHandle_t handle, cublasPointerMode_t mode) {
  return with_handle("cublasSetPointerMode", handle, [&](cublasContext&) {
    return mode == CUBLAS_POINTER_MODE_HOST ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
  });
}

cublasStatus_t cublasSetWorkspace(cublasHandle_t handle, void* workspace, std::size_t bytes) {
  return with_handle("cublasSetWorkspace", handle, [&](cublasContext&) {
    const Allocation* allocation = runtime().memory.check_range("cublasSetWorkspace", workspace, bytes);
    const bool is_aligned = reinterpret_cast<std::uintptr_t>(workspace) % 256 == 0;
    return (bytes == 0 || allocation != nullptr) && is_aligned ? CUBLAS_STATUS_SUCCESS
                                                               : CUBLAS_STATUS_INVALID_VALUE;
  });
}

cublasStatus_t cublasSgemm(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m, int n,
                           int k, const float* alpha, const float* a, int lda, const float* b, int ldb,
                           const float* beta, float* c, int ldc) {
  return issue("cublasSgemm", handle,
               {op_a != CUBLAS_OP_N, op_b != CUBLAS_OP_N, m, n, k, *alpha, *beta, a, CUDA_R_32F, lda, b,
                CUDA_R_32F, ldb, c, CUDA_R_32F, ldc});
}

cublasStatus_t cublasDgemm(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m, int n,
                           int k, const double* alpha, const double* a, int lda, const double* b, int ldb,
                           const double* beta, double* c, int ldc) {
  return issue("cublasDgemm", handle,
               {op_a != CUBLAS_OP_N, op_b != CUBLAS_OP_N, m, n, k, *alpha, *beta, a, CUDA_R_64F, lda, b,
                CUDA_R_64F, ldb, c, CUDA_R_64F, ldc});
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m, int n,
                            int k, const void* alpha, const void* a, cudaDataType type_a, int lda,
                            const void* b, cudaDataType type_b, int ldb, const void* beta, void* c,
                            cudaDataType type_c, int ldc, cublasComputeType_t compute, cublasGemmAlgo_t) {
  const bool is_double = compute == CUBLAS_COMPUTE_64F;
  const bool fits = is_number_type(type_a) && type_a == type_b && (type_c == type_a || type_c == CUDA_R_32F) &&
                    is_double == (type_a == CUDA_R_64F) && is_double == (type_c == CUDA_R_64F);
  if (!fits) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  const cudaDataType scale = is_double ? CUDA_R_64F : CUDA_R_32F;
  return issue("cublasGemmEx", handle,
               {op_a != CUBLAS_OP_N, op_b != CUBLAS_OP_N, m, n, k, read_number(alpha, scale, 0),
                read_number(beta, scale, 0), a, type_a, lda, b, type_b, ldb, c, type_c, ldc});
}
