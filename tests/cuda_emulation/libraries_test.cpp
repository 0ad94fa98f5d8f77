// cuBLAS, cuSPARSE and CUB: small cases that can be checked by hand, and wrong calls.
#include <cublas_v2.h>
#include <cusparse.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cub/cub.cuh>

#include "tests/cuda_emulation/caught.h"
#include "tests/support/cuda/emulated/small_floats.h"

namespace kith::emulation {
namespace {

using testing::ElementsAre;

class Blas : public EmulationTest {
 protected:
  Blas() { cublasCreate(&handle_); }
  ~Blas() override { cublasDestroy(handle_); }
  cublasHandle_t handle_ = nullptr;
};

TEST_F(Blas, MultipliesColumnMajor) {
  // a = [1 2 3; 4 5 6], b = [1 0; 0 1; 1 1], c = a b = [4 5; 10 11]; leading dimensions beyond the rows.
  const DeviceArray<float> a({1, 4, -1, 2, 5, -1, 3, 6, -1});
  const DeviceArray<float> b({1, 0, 1, 0, 1, 1});
  const DeviceArray<float> c({1, 1, 7, 1, 1, 7});
  const float alpha = 2;
  const float beta = 10;
  EXPECT_EQ(cublasSgemm(handle_, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 3, &alpha, a.data(), 3, b.data(), 3, &beta,
                        c.data(), 3),
            CUBLAS_STATUS_SUCCESS);
  EXPECT_THAT(c.values(), ElementsAre(18, 30, 7, 20, 32, 7));
}

TEST_F(Blas, TransposesEither) {
  const DeviceArray<double> a({1, 2, 3, 4, 5, 6});  // transposed: [1 2 3; 4 5 6]
  const DeviceArray<double> b({1, 0, 0, 1, 1, 1});  // transposed: [1 0; 0 1; 1 1]
  const DeviceArray<double> c(4);
  const double alpha = 1;
  const double beta = 0;  // c is not read
  EXPECT_EQ(cublasDgemm(handle_, CUBLAS_OP_T, CUBLAS_OP_T, 2, 2, 3, &alpha, a.data(), 3, b.data(), 2, &beta,
                        c.data(), 2),
            CUBLAS_STATUS_SUCCESS);
  EXPECT_THAT(c.values(), ElementsAre(4, 10, 5, 11));
}

TEST_F(Blas, MultipliesHalvesIntoFloats) {
  const DeviceArray<std::uint16_t> a({half_bits(1.5F), half_bits(2)});
  const DeviceArray<float> c(1);
  const float alpha = 1;
  const float beta = 0;
  EXPECT_EQ(
      cublasGemmEx(handle_, CUBLAS_OP_T, CUBLAS_OP_N, 1, 1, 2, &alpha, a.data(), CUDA_R_16F, 2, a.data(),
                   CUDA_R_16F, 2, &beta, c.data(), CUDA_R_32F, 1, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
      CUBLAS_STATUS_SUCCESS);
  EXPECT_THAT(c.values(), ElementsAre(6.25));
}

TEST_F(Blas, RefusesWhatDoesNotFit) {
  const DeviceArray<float> a(std::vector<float>(4));
  const float one = 1;
  const auto gemm = [&](int m, int lda, int ldc) {
    return cublasSgemm(handle_, CUBLAS_OP_N, CUBLAS_OP_N, m, 2, 2, &one, a.data(), lda, a.data(), 2, &one,
                       a.data(), ldc);
  };
  EXPECT_EQ(gemm(2, 1, 2), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(gemm(2, 2, 1), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(gemm(-1, 2, 2), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(gemm(0, 1, 1), CUBLAS_STATUS_SUCCESS);
  fail_call(1, cudaErrorUnknown);
  EXPECT_EQ(gemm(0, 1, 1), CUBLAS_STATUS_EXECUTION_FAILED);
  EXPECT_EQ(cublasSetWorkspace(handle_, a.data(), 16), CUBLAS_STATUS_SUCCESS);
  EXPECT_VIOLATION(cublasSetWorkspace(handle_, a.data(), 17), "out of bounds");
}

TEST_F(Blas, IsCaughtWithMatricesThatAreTooSmallOrUnwritten) {
  const DeviceArray<float> a(std::vector<float>(4));
  const DeviceArray<float> fresh(4);
  const DeviceArray<float> c(std::vector<float>(4));
  const float one = 1;
  cublasSgemm(handle_, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one, fresh.data(), 2, a.data(), 2, &one, c.data(),
              2);
  EXPECT_VIOLATION(cudaDeviceSynchronize(), "in cublasSgemm");
  EXPECT_CAUGHT(cublasSgemm(handle_, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one, a.data(), 3, a.data(), 2, &one,
                            c.data(), 3),
                kAddressSanitizer ? "cublasSgemm" : "out of bounds");
}

TEST_F(Blas, WorksInItsStream) {
  cudaStream_t stream = nullptr;
  cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  EXPECT_EQ(cublasSetStream(handle_, stream), CUBLAS_STATUS_SUCCESS);
  const DeviceArray<float> a({3});
  const DeviceArray<float> c({0});
  const float one = 1;
  cublasSgemm(handle_, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 1, &one, a.data(), 1, a.data(), 1, &one, c.data(), 1);
  EXPECT_EQ(cudaStreamQuery(stream), cudaErrorNotReady);
  EXPECT_THAT(c.values(), ElementsAre(9));
  EXPECT_EQ(in_use().library_handles, 1);
  cudaStreamDestroy(stream);
}

class Sparse : public EmulationTest {
 protected:
  Sparse() { cusparseCreate(&handle_); }
  ~Sparse() override { cusparseDestroy(handle_); }

  // out = op(a) x with a = [1 . 2; . 3 .] and rows of two values.
  std::vector<float> multiply(bool transpose, cusparseOrder_t order, const std::vector<float>& x) {
    const std::int64_t rows = transpose ? 3 : 2;
    const std::int64_t inner = transpose ? 2 : 3;
    const auto leading = [&](std::int64_t n) { return order == CUSPARSE_ORDER_ROW ? 2 : n; };
    const DeviceArray<float> values({1, 2, 3});
    const DeviceArray<float> in(x);
    const DeviceArray<float> out(static_cast<std::size_t>(rows * 2));
    cusparseConstSpMatDescr_t a = nullptr;
    cusparseConstDnMatDescr_t b = nullptr;
    cusparseDnMatDescr_t c = nullptr;
    cusparseCreateConstCsr(&a, 2, 3, 3, offsets_.data(), columns_.data(), values.data(), CUSPARSE_INDEX_64I,
                           CUSPARSE_INDEX_32I, CUSPARSE_INDEX_BASE_ZERO, CUDA_R_32F);
    cusparseCreateConstDnMat(&b, inner, 2, leading(inner), in.data(), CUDA_R_32F, order);
    cusparseCreateDnMat(&c, rows, 2, leading(rows), out.data(), CUDA_R_32F, order);
    const auto op = transpose ? CUSPARSE_OPERATION_TRANSPOSE : CUSPARSE_OPERATION_NON_TRANSPOSE;
    const float one = 1;
    const float zero = 0;
    std::size_t bytes = 0;
    EXPECT_EQ(cusparseSpMM_bufferSize(handle_, op, CUSPARSE_OPERATION_NON_TRANSPOSE, &one, a, b, &zero, c,
                                      CUDA_R_32F, CUSPARSE_SPMM_CSR_ALG2, &bytes),
              CUSPARSE_STATUS_SUCCESS);
    const DeviceArray<char> buffer(bytes - buffer_shortage_);
    cusparseSpMM_preprocess(handle_, op, CUSPARSE_OPERATION_NON_TRANSPOSE, &one, a, b, &zero, c, CUDA_R_32F,
                            CUSPARSE_SPMM_CSR_ALG2, buffer.data());
    EXPECT_EQ(cusparseSpMM(handle_, op, CUSPARSE_OPERATION_NON_TRANSPOSE, &one, a, b, &zero, c, CUDA_R_32F,
                           CUSPARSE_SPMM_CSR_ALG2, buffer.data()),
              CUSPARSE_STATUS_SUCCESS);
    std::vector<float> result = out.values();
    cusparseDestroySpMat(a);
    cusparseDestroyDnMat(b);
    cusparseDestroyDnMat(c);
    return result;
  }

  cusparseHandle_t handle_ = nullptr;
  const DeviceArray<std::int64_t> offsets_{0, 2, 3};
  const DeviceArray<int> columns_{0, 2, 1};
  std::size_t buffer_shortage_ = 0;
};

TEST_F(Sparse, MultipliesRowsAndColumns) {
  EXPECT_THAT(multiply(false, CUSPARSE_ORDER_ROW, {1, 10, 2, 20, 3, 30}), ElementsAre(7, 70, 6, 60));
  EXPECT_THAT(multiply(false, CUSPARSE_ORDER_COL, {1, 2, 3, 10, 20, 30}), ElementsAre(7, 6, 70, 60));
  EXPECT_THAT(multiply(true, CUSPARSE_ORDER_ROW, {1, 10, 2, 20}), ElementsAre(1, 10, 6, 60, 2, 20));
  EXPECT_EQ(in_use().library_handles, 1);
}

TEST_F(Sparse, IsCaughtWithABufferThatIsTooSmall) {
  buffer_shortage_ = 1;
  EXPECT_CAUGHT(multiply(false, CUSPARSE_ORDER_ROW, {1, 10, 2, 20, 3, 30}),
                kAddressSanitizer ? "cusparseSpMM_preprocess" : "out of bounds: wrote 0 bytes past");
}

TEST_F(Sparse, RefusesWhatDoesNotFit) {
  cusparseDnMatDescr_t dense = nullptr;
  EXPECT_EQ(cusparseCreateDnMat(&dense, 2, 3, 2, nullptr, CUDA_R_32F, CUSPARSE_ORDER_ROW),
            CUSPARSE_STATUS_INVALID_VALUE);
  cusparseSpMatDescr_t sparse = nullptr;
  EXPECT_EQ(cusparseCreateCsr(&sparse, 2, 3, 3, offsets_.data(), columns_.data(), nullptr, CUSPARSE_INDEX_64I,
                              CUSPARSE_INDEX_32I, CUSPARSE_INDEX_BASE_ONE, CUDA_R_32F),
            CUSPARSE_STATUS_NOT_SUPPORTED);
}

using Cub = EmulationTest;

// The two calls, with exactly the storage that the first one asks for.
template <typename Function>
void call_twice(Function function) {
  std::size_t bytes = 0;
  ASSERT_EQ(function(nullptr, bytes), cudaSuccess);
  const DeviceArray<char> storage(bytes);
  std::size_t too_few = bytes - 1;
  EXPECT_EQ(function(storage.data(), too_few), cudaErrorInvalidValue);
  cudaGetLastError();
  EXPECT_EQ(function(storage.data(), bytes), cudaSuccess);
  cudaDeviceSynchronize();
}

TEST_F(Cub, Scans) {
  const DeviceArray<int> in({3, 1, 4, 1});
  const DeviceArray<int> out(4);
  call_twice([&](void* storage, std::size_t& bytes) {
    return cub::DeviceScan::ExclusiveSum(storage, bytes, in.data(), out.data(), 4);
  });
  EXPECT_THAT(out.values(), ElementsAre(0, 3, 4, 8));
  call_twice([&](void* storage, std::size_t& bytes) {
    return cub::DeviceScan::InclusiveSum(storage, bytes, in.data(), in.data(), 4);
  });
  EXPECT_THAT(in.values(), ElementsAre(3, 4, 8, 9));
}

TEST_F(Cub, Reduces) {
  const DeviceArray<float> in({3, -1, 4, 1});
  const DeviceArray<float> out(2);
  call_twice([&](void* storage, std::size_t& bytes) {
    return cub::DeviceReduce::Sum(storage, bytes, in.data(), out.data(), 4);
  });
  call_twice([&](void* storage, std::size_t& bytes) {
    return cub::DeviceReduce::Max(storage, bytes, in.data(), out.data() + 1, 4);
  });
  EXPECT_THAT(out.values(), ElementsAre(7, 4));
}

TEST_F(Cub, SortsStablyBySomeBits) {
  const DeviceArray<int> keys({0x12, -1, 0x01, 0x32, 0x11});
  const DeviceArray<int> values({0, 1, 2, 3, 4});
  const DeviceArray<int> sorted(5);
  const DeviceArray<int> moved(5);
  const auto sort = [&](int begin_bit, int end_bit) {
    call_twice([&](void* storage, std::size_t& bytes) {
      return cub::DeviceRadixSort::SortPairs(storage, bytes, keys.data(), sorted.data(), values.data(),
                                             moved.data(), 5, begin_bit, end_bit);
    });
  };
  sort(0, 32);
  EXPECT_THAT(sorted.values(), ElementsAre(-1, 0x01, 0x11, 0x12, 0x32));
  sort(0, 4);
  EXPECT_THAT(moved.values(), ElementsAre(2, 4, 0, 3, 1));
  const DeviceArray<float> floats({2, -1, 0.5, -3});
  const DeviceArray<float> in_order(4);
  call_twice([&](void* storage, std::size_t& bytes) {
    return cub::DeviceRadixSort::SortKeys(storage, bytes, floats.data(), in_order.data(), 4);
  });
  EXPECT_THAT(in_order.values(), ElementsAre(-3, -1, 0.5, 2));
}

TEST_F(Cub, SelectsAndEncodes) {
  const DeviceArray<int> in({5, 5, 6, 5});
  const DeviceArray<char> flags({1, 0, 1, 1});
  const DeviceArray<int> out(4);
  const DeviceArray<int> lengths(4);
  const DeviceArray<int> count(1);
  call_twice([&](void* storage, std::size_t& bytes) {
    return cub::DeviceSelect::Flagged(storage, bytes, in.data(), flags.data(), out.data(), count.data(), 4);
  });
  EXPECT_THAT(count.values(), ElementsAre(3));
  EXPECT_THAT(out.values(), ElementsAre(5, 6, 5, -2)) << "the last one stays as it was: fresh";
  call_twice([&](void* storage, std::size_t& bytes) {
    return cub::DeviceRunLengthEncode::Encode(storage, bytes, in.data(), out.data(), lengths.data(),
                                              count.data(), 4);
  });
  EXPECT_THAT(count.values(), ElementsAre(3));
  EXPECT_THAT(lengths.values(), ElementsAre(2, 1, 1, -2));
}

}  // namespace
}  // namespace kith::emulation
