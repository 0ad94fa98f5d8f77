#include "kernels/cuda/spmm.h"

#include <cusparse.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/cuda/check.h"
#include "kernels/cuda/edge_values.h"
#include "kernels/dispatch.h"

namespace kith::cuda {

static void check(cusparseStatus_t status, const char* call, const char* file, int line) {
  if (status != CUSPARSE_STATUS_SUCCESS) throw_device_error(cusparseGetErrorString(status), call, file, line);
}

namespace {

/// A block, its values and both dense matrices, as the library describes them.
struct Descriptors {
  cusparseConstSpMatDescr_t block = nullptr;
  cusparseConstDnMatDescr_t x = nullptr;
  cusparseDnMatDescr_t out = nullptr;

  Descriptors() = default;
  Descriptors(const Descriptors&) = delete;
  Descriptors& operator=(const Descriptors&) = delete;
  ~Descriptors() {
    static_cast<void>(cusparseDestroySpMat(block));
    static_cast<void>(cusparseDestroyDnMat(x));
    static_cast<void>(cusparseDestroyDnMat(out));
  }
};

}  // namespace

struct SparseProducts::State {
  cusparseHandle_t handle = nullptr;
  Tensor::Buffer workspace;
  std::size_t workspace_bytes = 0;

  template <typename T>
  void multiply(const Context& context, BlockCsrView block, const T* values, const Tensor& x, Tensor& out);
};

template <typename T>
void SparseProducts::State::multiply(const Context& context, BlockCsrView block, const T* values,
                                     const Tensor& x, Tensor& out) {
  constexpr cudaDataType kType = std::is_same_v<T, float> ? CUDA_R_32F : CUDA_R_64F;
  constexpr cusparseSpMMAlg_t kAlgorithm = CUSPARSE_SPMM_CSR_ALG2;  // the one for row-major values
  Descriptors descriptors;
  CUDA_CHECK(cusparseCreateConstCsr(&descriptors.block, out.rows(), block.num_sources, block.num_edges(),
                                    block.offsets.data(), block.sources.data(), values, CUSPARSE_INDEX_32I,
                                    CUSPARSE_INDEX_32I, CUSPARSE_INDEX_BASE_ZERO, kType));
  CUDA_CHECK(cusparseCreateConstDnMat(&descriptors.x, block.num_sources, x.cols(), x.cols(), x.data<T>(), kType,
                                      CUSPARSE_ORDER_ROW));
  CUDA_CHECK(cusparseCreateDnMat(&descriptors.out, out.rows(), out.cols(), out.cols(), out.data<T>(), kType,
                                 CUSPARSE_ORDER_ROW));
  const T one = 1;
  const T zero = 0;
  std::size_t bytes = 0;
  CUDA_CHECK(cusparseSpMM_bufferSize(handle, CUSPARSE_OPERATION_NON_TRANSPOSE, CUSPARSE_OPERATION_NON_TRANSPOSE,
                                     &one, descriptors.block, descriptors.x, &zero, descriptors.out, kType,
                                     kAlgorithm, &bytes));
  if (bytes > workspace_bytes) {
    workspace = context.memory.acquire(bytes);
    workspace_bytes = bytes;
  }
  CUDA_CHECK(cusparseSpMM(handle, CUSPARSE_OPERATION_NON_TRANSPOSE, CUSPARSE_OPERATION_NON_TRANSPOSE, &one,
                          descriptors.block, descriptors.x, &zero, descriptors.out, kType, kAlgorithm,
                          workspace.get()));
}

SparseProducts::SparseProducts(cudaStream_t stream) : state_(std::make_unique<State>()) {
  CUDA_CHECK(cusparseCreate(&state_->handle));
  CUDA_CHECK(cusparseSetStream(state_->handle, stream));
}

SparseProducts::~SparseProducts() { static_cast<void>(cusparseDestroy(state_->handle)); }

void SparseProducts::aggregate(const Context& context, BlockCsrView block, std::span<const float> weights,
                               const Tensor& x, Tensor& out) {
  if (out.empty()) return;
  if (block.num_edges() == 0) {
    const std::size_t bytes = static_cast<std::size_t>(out.size()) * size_of(out.scalar());
    CUDA_CHECK(cudaMemsetAsync(out.data<std::byte>(), 0, bytes, context.stream));
    return;
  }
  with_scalar(out.scalar(), [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, float>) {
      if (!weights.empty()) return state_->multiply<T>(context, block, weights.data(), x, out);
    }
    const Tensor::Buffer values = context.memory.acquire_array<T>(block.num_edges());
    write_edge_values(context, block, weights, array_of<T>(values));
    state_->multiply<T>(context, block, array_of<T>(values), x, out);
  });
}

}  // namespace kith::cuda
