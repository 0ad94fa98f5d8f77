#include "kernels/cpu/aggregate_max.h"

#include <algorithm>

#include "kernels/cpu/edge_rows.h"
#include "kernels/cpu/multiversion.h"
#include "kernels/cpu/row_ranges.h"
#include "kernels/cpu/transpose.h"
#include "kernels/dispatch.h"

namespace kith::cpu {
namespace {

/// Where the values of a column are equal the first edge wins. A NaN wins over everything, so it is not lost.
template <typename T>
KITH_MULTIVERSION void max_row(const EdgeRows<T>& rows, std::int64_t begin, std::int64_t end, T* __restrict out,
                               std::int32_t* __restrict argmax) {
  if (begin == end) {
    std::fill_n(out, rows.dim, T{0});
    std::fill_n(argmax, rows.dim, -1);
    return;
  }
  rows.prefetch_after(begin, 0, rows.dim);
  std::copy_n(rows.row(begin), rows.dim, out);
  std::fill_n(argmax, rows.dim, static_cast<std::int32_t>(begin));
  for (std::int64_t e = begin + 1; e < end; ++e) {
    rows.prefetch_after(e, 0, rows.dim);
    const T* const x = rows.row(e);
    const auto edge = static_cast<std::int32_t>(e);
    for (std::int64_t j = 0; j < rows.dim; ++j) {
      const bool wins = x[j] > out[j] || x[j] != x[j];
      out[j] = wins ? x[j] : out[j];
      argmax[j] = wins ? edge : argmax[j];
    }
  }
}

/// grad[0:dim] += the rows of the edges [begin, end) of a transposed block, where they won. won: the winners of
/// the same rows; edges: the number of each edge in the block.
template <typename T>
KITH_MULTIVERSION void add_where_won(const EdgeRows<T>& rows, const EdgeRows<std::int32_t>& won,
                                     const std::int32_t* edges, std::int64_t begin, std::int64_t end,
                                     T* __restrict grad) {
  for (std::int64_t i = begin; i < end; ++i) {
    rows.prefetch_after(i, 0, rows.dim);
    won.prefetch_after(i, 0, rows.dim);
    const T* const row = rows.row(i);
    const std::int32_t* const winner = won.row(i);
    const std::int32_t edge = edges[i];
    for (std::int64_t j = 0; j < rows.dim; ++j) {
      grad[j] += winner[j] == edge ? row[j] : T{0};
    }
  }
}

}  // namespace

void aggregate_max(BlockCsrView block, const Tensor& x, Tensor& out, std::span<std::int32_t> argmax) {
  with_scalar(out.scalar(), [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t dim = x.cols();
    const EdgeRows<T> rows{.data = x.data<T>(),
                           .dim = dim,
                           .ids = nullptr,
                           .sources = block.sources.data(),
                           .num_edges = block.num_edges()};
    const std::int32_t* const offsets = block.offsets.data();
    for_row_ranges(offsets, out.rows(), dim, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t v = first; v < last; ++v) {
        max_row<T>(rows, offsets[v], offsets[v + 1], out.data<T>() + v * dim, argmax.data() + v * dim);
      }
    });
  });
}

void aggregate_max_backward(BlockCsrView block, std::span<const std::int32_t> argmax, const Tensor& grad_out,
                            BufferPool& pool, Tensor& grad_x) {
  with_scalar(grad_x.scalar(), [&](auto zero) {
    using T = decltype(zero);
    auto transposed = transpose<std::int32_t>(block, pool, edge_numbers);
    const std::int64_t dim = grad_x.cols();
    const std::int32_t* const offsets = transposed.offsets();
    const std::int32_t* const destinations = transposed.destinations();
    const std::int64_t num_edges = block.num_edges();
    const EdgeRows<T> rows{grad_out.data<T>(), dim, nullptr, destinations, num_edges};
    const EdgeRows<std::int32_t> won{argmax.data(), dim, nullptr, destinations, num_edges};
    for_row_ranges(offsets, block.num_sources, dim, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t u = first; u < last; ++u) {
        add_where_won<T>(rows, won, transposed.values(), offsets[u], offsets[u + 1],
                         grad_x.data<T>() + u * dim);
      }
    });
  });
}

}  // namespace kith::cpu
