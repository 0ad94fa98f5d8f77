#include "kernels/cpu/dense.h"

#include <cblas.h>

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/multiversion.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/partial_sums.h"
#include "kernels/dispatch.h"

// Only OpenBLAS has it; with another CBLAS the address is null.
extern "C" void openblas_set_num_threads(int) __attribute__((weak));

namespace kith::cpu {
namespace {

constexpr std::int64_t kProductTileRows =
    512;  // 256, 512, 1024 and no tiles took the same CPU time within the noise
constexpr std::int64_t kGradientTileRows = 1024;
constexpr std::int64_t kMaxGradientTiles = 16;  // bounds the memory of the partial sums
constexpr std::int64_t kValuesPerTile = 1 << 14;

/// One row-major product c = alpha * op(a) @ op(b) + beta * c on the calling thread; no size is 0.
struct Gemm {
  bool transpose_a = false;
  bool transpose_b = false;
  std::int64_t rows = 0, cols = 0, inner = 0;
  std::int64_t a_stride = 0, b_stride = 0, c_stride = 0;
  double beta = 0;

  void operator()(const float* a, const float* b, float* c) const {
    cblas_sgemm(CblasRowMajor, flag(transpose_a), flag(transpose_b), size(rows), size(cols), size(inner), 1.0F,
                a, size(a_stride), b, size(b_stride), static_cast<float>(beta), c, size(c_stride));
  }
  void operator()(const double* a, const double* b, double* c) const {
    cblas_dgemm(CblasRowMajor, flag(transpose_a), flag(transpose_b), size(rows), size(cols), size(inner), 1.0,
                a, size(a_stride), b, size(b_stride), beta, c, size(c_stride));
  }

  static CBLAS_TRANSPOSE flag(bool is_transposed) { return is_transposed ? CblasTrans : CblasNoTrans; }
  static int size(std::int64_t n) { return static_cast<int>(n); }
};

/// values *= beta, without reading them for beta = 0: they may be uninitialised.
template <typename T>
void scale(double beta, std::int64_t count, T* values) {
  for (std::int64_t i = 0; i < count; ++i) {
    values[i] = beta == 0 ? T{0} : static_cast<T>(beta) * values[i];
  }
}

template <typename T>
KITH_MULTIVERSION void add_row(const T* __restrict from, std::int64_t count, T* __restrict to) {
  for (std::int64_t j = 0; j < count; ++j) {
    to[j] += from[j];
  }
}

}  // namespace

void make_blas_single_threaded() {
  // Our own tasks already use every core. A BLAS that splits a product by its number of threads would take
  // cores from them, and give sums that depend on that number. The setting is of the whole process: there is no
  // finer one.
  if (openblas_set_num_threads != nullptr) {
    openblas_set_num_threads(1);
  }
}

void matmul(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b, double beta, Tensor& c) {
  const std::int64_t inner = transpose_a ? a.rows() : a.cols();
  with_scalar(c.scalar(), [&](auto zero) {
    using T = decltype(zero);
    if (c.empty() || inner == 0) {
      return scale(beta, c.size(), c.data<T>());
    }
    for_tiles(c.rows(), kProductTileRows, [&](std::int64_t, std::int64_t first, std::int64_t last) {
      const Gemm gemm{.transpose_a = transpose_a,
                      .transpose_b = transpose_b,
                      .rows = last - first,
                      .cols = c.cols(),
                      .inner = inner,
                      .a_stride = a.cols(),
                      .b_stride = b.cols(),
                      .c_stride = c.cols(),
                      .beta = beta};
      const T* const a_tile = a.data<T>() + (transpose_a ? first : first * a.cols());
      gemm(a_tile, b.data<T>(), c.data<T>() + first * c.cols());
    });
  });
}

void matmul_at_b(const Tensor& a, const Tensor& g, double beta, BufferPool& pool, Tensor& grad_w) {
  with_scalar(grad_w.scalar(), [&](auto zero) {
    using T = decltype(zero);
    if (grad_w.empty() || g.rows() == 0) {
      return scale(beta, grad_w.size(), grad_w.data<T>());
    }
    const std::int64_t tile_rows = std::max(kGradientTileRows, count_tiles(g.rows(), kMaxGradientTiles));
    const std::int64_t num_tiles = count_tiles(g.rows(), tile_rows);
    Gemm gemm{.transpose_a = true,
              .rows = a.cols(),
              .cols = g.cols(),
              .a_stride = a.cols(),
              .b_stride = g.cols(),
              .c_stride = g.cols()};
    if (num_tiles == 1) {
      gemm.inner = g.rows();
      gemm.beta = beta;
      return gemm(a.data<T>(), g.data<T>(), grad_w.data<T>());
    }
    Tensor partials = pool.acquire(num_tiles, grad_w.size(), grad_w.scalar());
    for_tiles(g.rows(), tile_rows, [&](std::int64_t tile, std::int64_t first, std::int64_t last) {
      Gemm part = gemm;
      part.inner = last - first;
      part(a.data<T>() + first * a.cols(), g.data<T>() + first * g.cols(),
           partials.data<T>() + tile * grad_w.size());
    });
    sum_partials<T>(partials.data<T>(), num_tiles, grad_w.size(), beta, grad_w.data<T>());
  });
}

void add_bias(const Tensor& bias, Tensor& x) {
  const std::int64_t tile_rows =
      std::max<std::int64_t>(1, kValuesPerTile / std::max<std::int64_t>(x.cols(), 1));
  with_scalar(x.scalar(), [&](auto zero) {
    using T = decltype(zero);
    for_tiles(x.rows(), tile_rows, [&](std::int64_t, std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) {
        add_row<T>(bias.data<T>(), x.cols(), x.data<T>() + i * x.cols());
      }
    });
  });
}

void bias_gradient(const Tensor& grad, BufferPool& pool, Tensor& grad_bias) {
  const std::int64_t cols = grad.cols();
  const std::int64_t tile_rows = std::max(std::int64_t{512}, count_tiles(grad.rows(), 64));
  const std::int64_t num_tiles = count_tiles(grad.rows(), tile_rows);
  with_scalar(grad.scalar(), [&](auto zero) {
    using T = decltype(zero);
    Tensor partials = pool.acquire(num_tiles, cols, grad.scalar());
    for_tiles(grad.rows(), tile_rows, [&](std::int64_t tile, std::int64_t first, std::int64_t last) {
      T* const sum = partials.data<T>() + tile * cols;
      std::fill_n(sum, cols, T{0});
      for (std::int64_t i = first; i < last; ++i) {
        add_row<T>(grad.data<T>() + i * cols, cols, sum);
      }
    });
    sum_partials<T>(partials.data<T>(), num_tiles, cols, 0, grad_bias.data<T>());
  });
}

}  // namespace kith::cpu
