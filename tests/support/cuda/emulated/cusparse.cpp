#include <cusparse.h>

#include <cstring>
#include <vector>

#include "tests/support/cuda/emulated/library.h"

using namespace kith::emulation;

struct cusparseContext {
  cudaStream_t stream = nullptr;
};

struct cusparseSpMatDescr {
  std::int64_t rows, cols, nonzeros;
  const void* offsets;
  const void* columns;
  const void* values;
  cusparseIndexType_t offset_type, column_type;
  cudaDataType value_type;
  /// What was last preprocessed for this matrix.
  mutable void* active = nullptr;
};

struct cusparseDnMatDescr {
  std::int64_t rows, cols, leading;
  const void* values;
  cudaDataType type;
  cusparseOrder_t order;

  std::int64_t place(std::int64_t row, std::int64_t col) const {
    return order == CUSPARSE_ORDER_ROW ? row * leading + col : col * leading + row;
  }
};

namespace {

std::int64_t read_index(const void* data, cusparseIndexType_t type, std::int64_t i) {
  return type == CUSPARSE_INDEX_32I ? static_cast<const std::int32_t*>(data)[i]
                                    : static_cast<const std::int64_t*>(data)[i];
}

// c = alpha op(a) op(b) + beta c
struct SpMM {
  bool transpose_a, transpose_b;
  double alpha, beta;
  cusparseSpMatDescr a;
  cusparseDnMatDescr b, c;

  bool is_valid() const {
    const std::int64_t rows = transpose_a ? a.cols : a.rows;
    const std::int64_t inner = transpose_a ? a.rows : a.cols;
    return c.rows == rows && (transpose_b ? b.cols : b.rows) == inner &&
           (transpose_b ? b.rows : b.cols) == c.cols;
  }

  /// What the real one could need; a buffer that is missing or too small is then noticed.
  std::size_t buffer_bytes() const { return 64 + static_cast<std::size_t>(a.rows) * 8; }

  /// Stands for what preprocessing finds out about the places of the values.
  std::uint64_t fingerprint() const {
    std::uint64_t sum = 0;
    const auto add = [&](std::int64_t value) {
      sum = sum * 1099511628211U + static_cast<std::uint64_t>(value);
    };
    for (std::int64_t row = 0; row <= a.rows; ++row) add(read_index(a.offsets, a.offset_type, row));
    for (std::int64_t e = 0; e < a.nonzeros; ++e) add(read_index(a.columns, a.column_type, e));
    return sum;
  }

  /// Throws Violation if the buffer is not, or no longer, what was preprocessed for this very matrix.
  void check_preprocessed(const void* buffer) const {
    std::uint64_t found = 0;
    std::memcpy(&found, buffer, sizeof found);
    if (found != fingerprint())
      throw Violation("cusparseSpMM: the matrix is not the one that was preprocessed");
  }

  void run() const {
    std::vector<double> sums(static_cast<std::size_t>(c.rows * c.cols));
    for (std::int64_t row = 0; row < a.rows; ++row) {
      const std::int64_t end = read_index(a.offsets, a.offset_type, row + 1);
      for (std::int64_t e = read_index(a.offsets, a.offset_type, row); e < end; ++e) {
        const std::int64_t column = read_index(a.columns, a.column_type, e);
        const double value = read_number(a.values, a.value_type, e);
        const std::int64_t from = transpose_a ? row : column;
        const std::int64_t to = transpose_a ? column : row;
        for (std::int64_t j = 0; j < c.cols; ++j) {
          const std::int64_t place = transpose_b ? b.place(j, from) : b.place(from, j);
          sums[static_cast<std::size_t>(to * c.cols + j)] += value * read_number(b.values, b.type, place);
        }
      }
    }
    auto* out = const_cast<void*>(c.values);
    for (std::int64_t i = 0; i < c.rows; ++i) {
      for (std::int64_t j = 0; j < c.cols; ++j) {
        const double before = beta == 0 ? 0 : beta * read_number(out, c.type, c.place(i, j));
        write_number(out, c.type, c.place(i, j),
                     alpha * sums[static_cast<std::size_t>(i * c.cols + j)] + before);
      }
    }
  }
};

template <typename Body>
cusparseStatus_t sparse_call(Body body) {
  const std::scoped_lock lock(runtime_mutex());
  return begin_call() == cudaSuccess ? body() : CUSPARSE_STATUS_EXECUTION_FAILED;
}

bool is_dense_valid(std::int64_t rows, std::int64_t cols, std::int64_t leading, cudaDataType type,
                    cusparseOrder_t order) {
  return rows >= 0 && cols >= 0 && is_number_type(type) &&
         leading >= (order == CUSPARSE_ORDER_ROW ? cols : rows);
}

double scalar(const void* value, cudaDataType compute) {
  return compute == CUDA_R_64F ? *static_cast<const double*>(value) : *static_cast<const float*>(value);
}

}  // namespace

const char* cusparseGetErrorName(cusparseStatus_t status) {
  switch (status) {
    case CUSPARSE_STATUS_SUCCESS:
      return "CUSPARSE_STATUS_SUCCESS";
    case CUSPARSE_STATUS_NOT_INITIALIZED:
      return "CUSPARSE_STATUS_NOT_INITIALIZED";
    case CUSPARSE_STATUS_ALLOC_FAILED:
      return "CUSPARSE_STATUS_ALLOC_FAILED";
    case CUSPARSE_STATUS_INVALID_VALUE:
      return "CUSPARSE_STATUS_INVALID_VALUE";
    case CUSPARSE_STATUS_EXECUTION_FAILED:
      return "CUSPARSE_STATUS_EXECUTION_FAILED";
    case CUSPARSE_STATUS_NOT_SUPPORTED:
      return "CUSPARSE_STATUS_NOT_SUPPORTED";
    case CUSPARSE_STATUS_INSUFFICIENT_RESOURCES:
      return "CUSPARSE_STATUS_INSUFFICIENT_RESOURCES";
    default:
      return "CUSPARSE_STATUS_INTERNAL_ERROR";
  }
}

const char* cusparseGetErrorString(cusparseStatus_t status) { return cusparseGetErrorName(status); }

cusparseStatus_t cusparseCreate(cusparseHandle_t* handle) {
  return sparse_call([&] {
    *handle = new cusparseContext;
    add_handle(*handle);
    return CUSPARSE_STATUS_SUCCESS;
  });
}

cusparseStatus_t cusparseDestroy(cusparseHandle_t handle) {
  const std::scoped_lock lock(runtime_mutex());
  remove_handle("cusparseDestroy", handle);
  return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus_t cusparseSetStream(cusparseHandle_t handle, cudaStream_t stream) {
  return sparse_call([&] {
    stream_of(stream);
    checked_handle("cusparseSetStream", handle).stream = stream;
    return CUSPARSE_STATUS_SUCCESS;
  });
}

cusparseStatus_t cusparseCreateConstCsr(cusparseConstSpMatDescr_t* matrix, std::int64_t rows, std::int64_t cols,
                                        std::int64_t nonzeros, const void* offsets, const void* columns,
                                        const void* values, cusparseIndexType_t offset_type,
                                        cusparseIndexType_t column_type, cusparseIndexBase_t base,
                                        cudaDataType value_type) {
  return sparse_call([&] {
    if (rows < 0 || cols < 0 || nonzeros < 0 || offsets == nullptr || !is_number_type(value_type)) {
      return CUSPARSE_STATUS_INVALID_VALUE;
    }
    // cuSPARSE takes columns of 64 bits only with offsets of 64 bits.
    if (base != CUSPARSE_INDEX_BASE_ZERO ||
        (column_type == CUSPARSE_INDEX_64I && offset_type == CUSPARSE_INDEX_32I)) {
      return CUSPARSE_STATUS_NOT_SUPPORTED;
    }
    auto* made = new cusparseSpMatDescr{rows,   cols,        nonzeros,    offsets,    columns,
                                        values, offset_type, column_type, value_type, nullptr};
    add_handle(made);
    *matrix = made;
    return CUSPARSE_STATUS_SUCCESS;
  });
}

cusparseStatus_t cusparseCreateCsr(cusparseSpMatDescr_t* matrix, std::int64_t rows, std::int64_t cols,
                                   std::int64_t nonzeros, void* offsets, void* columns, void* values,
                                   cusparseIndexType_t offset_type, cusparseIndexType_t column_type,
                                   cusparseIndexBase_t base, cudaDataType value_type) {
  cusparseConstSpMatDescr_t made = nullptr;
  const cusparseStatus_t status = cusparseCreateConstCsr(&made, rows, cols, nonzeros, offsets, columns, values,
                                                         offset_type, column_type, base, value_type);
  *matrix = const_cast<cusparseSpMatDescr_t>(made);
  return status;
}

cusparseStatus_t cusparseCsrSetPointers(cusparseSpMatDescr_t matrix, void* offsets, void* columns,
                                        void* values) {
  return sparse_call([&] {
    cusparseSpMatDescr& descriptor = checked_handle("cusparseCsrSetPointers", matrix);
    descriptor.offsets = offsets;
    descriptor.columns = columns;
    descriptor.values = values;
    return CUSPARSE_STATUS_SUCCESS;
  });
}

cusparseStatus_t cusparseSpMatSetValues(cusparseSpMatDescr_t matrix, void* values) {
  return sparse_call([&] {
    checked_handle("cusparseSpMatSetValues", matrix).values = values;
    return CUSPARSE_STATUS_SUCCESS;
  });
}

cusparseStatus_t cusparseDestroySpMat(cusparseConstSpMatDescr_t matrix) {
  const std::scoped_lock lock(runtime_mutex());
  remove_handle("cusparseDestroySpMat", const_cast<cusparseSpMatDescr_t>(matrix));
  return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus_t cusparseCreateConstDnMat(cusparseConstDnMatDescr_t* matrix, std::int64_t rows,
                                          std::int64_t cols, std::int64_t leading, const void* values,
                                          cudaDataType type, cusparseOrder_t order) {
  return sparse_call([&] {
    if (!is_dense_valid(rows, cols, leading, type, order)) {
      return CUSPARSE_STATUS_INVALID_VALUE;
    }
    auto* made = new cusparseDnMatDescr{rows, cols, leading, values, type, order};
    add_handle(made);
    *matrix = made;
    return CUSPARSE_STATUS_SUCCESS;
  });
}

cusparseStatus_t cusparseCreateDnMat(cusparseDnMatDescr_t* matrix, std::int64_t rows, std::int64_t cols,
                                     std::int64_t leading, void* values, cudaDataType type,
                                     cusparseOrder_t order) {
  cusparseConstDnMatDescr_t made = nullptr;
  const cusparseStatus_t status = cusparseCreateConstDnMat(&made, rows, cols, leading, values, type, order);
  *matrix = const_cast<cusparseDnMatDescr_t>(made);
  return status;
}

cusparseStatus_t cusparseDnMatSetValues(cusparseDnMatDescr_t matrix, void* values) {
  return sparse_call([&] {
    checked_handle("cusparseDnMatSetValues", matrix).values = values;
    return CUSPARSE_STATUS_SUCCESS;
  });
}

cusparseStatus_t cusparseDestroyDnMat(cusparseConstDnMatDescr_t matrix) {
  const std::scoped_lock lock(runtime_mutex());
  remove_handle("cusparseDestroyDnMat", const_cast<cusparseDnMatDescr_t>(matrix));
  return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus_t cusparseSpMM_bufferSize(cusparseHandle_t handle, cusparseOperation_t op_a,
                                         cusparseOperation_t op_b, const void*, cusparseConstSpMatDescr_t a,
                                         cusparseConstDnMatDescr_t b, const void*, cusparseDnMatDescr_t c,
                                         cudaDataType, cusparseSpMMAlg_t, std::size_t* bytes) {
  return sparse_call([&] {
    checked_handle("cusparseSpMM_bufferSize", handle);
    const SpMM product{
        op_a != CUSPARSE_OPERATION_NON_TRANSPOSE, op_b != CUSPARSE_OPERATION_NON_TRANSPOSE, 0, 0, *a, *b, *c};
    *bytes = product.buffer_bytes();
    return product.is_valid() ? CUSPARSE_STATUS_SUCCESS : CUSPARSE_STATUS_INVALID_VALUE;
  });
}

cusparseStatus_t cusparseSpMM_preprocess(cusparseHandle_t handle, cusparseOperation_t, cusparseOperation_t,
                                         const void*, cusparseConstSpMatDescr_t a, cusparseConstDnMatDescr_t,
                                         const void*, cusparseDnMatDescr_t, cudaDataType, cusparseSpMMAlg_t,
                                         void* buffer) {
  return sparse_call([&] {
    cudaStream_t stream = checked_handle("cusparseSpMM_preprocess", handle).stream;
    a->active = buffer;
    const SpMM product{false, false, 0, 0, *a, {}, {}};
    issue_library_work(stream, "cusparseSpMM_preprocess", [=] {
      std::memset(buffer, 1, product.buffer_bytes());
      const std::uint64_t fingerprint = product.fingerprint();
      std::memcpy(buffer, &fingerprint, sizeof fingerprint);
    });
    return CUSPARSE_STATUS_SUCCESS;
  });
}

cusparseStatus_t cusparseSpMM(cusparseHandle_t handle, cusparseOperation_t op_a, cusparseOperation_t op_b,
                              const void* alpha, cusparseConstSpMatDescr_t a, cusparseConstDnMatDescr_t b,
                              const void* beta, cusparseDnMatDescr_t c, cudaDataType compute, cusparseSpMMAlg_t,
                              void* buffer) {
  return sparse_call([&] {
    cudaStream_t stream = checked_handle("cusparseSpMM", handle).stream;
    const SpMM product{op_a != CUSPARSE_OPERATION_NON_TRANSPOSE,
                       op_b != CUSPARSE_OPERATION_NON_TRANSPOSE,
                       scalar(alpha, compute),
                       scalar(beta, compute),
                       checked_handle("cusparseSpMM", a),
                       checked_handle("cusparseSpMM", b),
                       checked_handle("cusparseSpMM", c)};
    if (!product.is_valid() || buffer == nullptr) {
      return CUSPARSE_STATUS_INVALID_VALUE;
    }
    const bool is_preprocessed = buffer == product.a.active;
    issue_library_work(stream, "cusparseSpMM", [product, buffer, is_preprocessed] {
      if (is_preprocessed) {
        product.check_preprocessed(buffer);
      } else {
        std::memset(buffer, 1, product.buffer_bytes());
      }
      product.run();
    });
    return CUSPARSE_STATUS_SUCCESS;
  });
}
