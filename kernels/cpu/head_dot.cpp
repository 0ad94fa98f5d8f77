#include "kernels/cpu/head_dot.h"

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/dot.h"
#include "kernels/cpu/multiversion.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/partial_sums.h"
#include "kernels/dispatch.h"

namespace kith::cpu {
namespace {

constexpr std::int64_t kRowsPerTile = 512;
constexpr std::int64_t kMaxTiles = 64;  // bounds the memory of the partial sums

/// A row is `heads` runs of `columns` values.
struct Heads {
  std::int64_t heads, columns;
};

template <typename T>
KITH_MULTIVERSION void dot_range(const Heads& row, const T* x, const T* weight, std::int64_t num_rows, T* out) {
  const auto [heads, columns] = row;
  for (std::int64_t i = 0; i < num_rows * heads; ++i) {
    out[i] = dot<T>(x + i * columns, weight + i % heads * columns, columns);
  }
}

/// grad_x += grad_out * weight, and sum += grad_out * x, for `num_rows` rows.
template <typename T>
KITH_MULTIVERSION void backward_range(const Heads& row, const T* __restrict x, const T* __restrict weight,
                                      const T* __restrict grad_out, std::int64_t num_rows, T* __restrict grad_x,
                                      T* __restrict sum) {
  const auto [heads, columns] = row;
  for (std::int64_t i = 0; i < num_rows * heads; ++i) {
    const std::int64_t at = i % heads * columns;
    const T g = grad_out[i];
    for (std::int64_t j = 0; j < columns; ++j) {
      grad_x[i * columns + j] += g * weight[at + j];
      sum[at + j] += g * x[i * columns + j];
    }
  }
}

}  // namespace

void head_dot(const Tensor& x, const Tensor& weight, Tensor& out) {
  const Heads row{.heads = weight.rows(), .columns = weight.cols()};
  with_scalar(out.scalar(), [&](auto zero) {
    using T = decltype(zero);
    for_tiles(out.rows(), kRowsPerTile, [&](std::int64_t, std::int64_t first, std::int64_t last) {
      dot_range<T>(row, x.data<T>() + first * x.cols(), weight.data<T>(), last - first,
                   out.data<T>() + first * row.heads);
    });
  });
}

void head_dot_backward(const Tensor& x, const Tensor& weight, const Tensor& grad_out, BufferPool& pool,
                       const HeadDotGradients& gradients) {
  const Heads row{.heads = weight.rows(), .columns = weight.cols()};
  const std::int64_t tile_rows = std::max(kRowsPerTile, count_tiles(grad_out.rows(), kMaxTiles));
  const std::int64_t num_tiles = count_tiles(grad_out.rows(), tile_rows);
  Tensor partials = pool.acquire(num_tiles, weight.size(), weight.scalar());
  with_scalar(weight.scalar(), [&](auto zero) {
    using T = decltype(zero);
    for_tiles(grad_out.rows(), tile_rows, [&](std::int64_t tile, std::int64_t first, std::int64_t last) {
      T* const sum = partials.data<T>() + tile * weight.size();
      std::fill_n(sum, weight.size(), T{0});
      backward_range<T>(row, x.data<T>() + first * x.cols(), weight.data<T>(),
                        grad_out.data<T>() + first * row.heads, last - first,
                        gradients.x.data<T>() + first * x.cols(), sum);
    });
    sum_partials<T>(partials.data<T>(), num_tiles, weight.size(), 0, gradients.weight.data<T>());
  });
}

}  // namespace kith::cpu
