#include "kernels/cpu/aggregate.h"

#include <algorithm>
#include <type_traits>

#include "kernels/cpu/edge_rows.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/row_ranges.h"
#include "kernels/cpu/transpose.h"
#include "kernels/dispatch.h"

namespace kith::cpu {
namespace {

constexpr std::int64_t kTileColumns = 1024;  // the running sum of a tile stays in the first-level cache

/// Everything that is the same for all destination rows of one call. A row of values is `num_heads` runs of
/// equal length, each with a weight of its own.
template <typename Sum, typename Source, typename Weight>
struct Job {
  EdgeRows<Source> rows;
  const Weight* weights;            ///< [num_edges x num_heads], or null: all 1
  const std::int32_t* weight_rows;  ///< row of `weights` for each edge, or null: its own
  std::int64_t num_heads;
  enum { overwrite, add, go_on } to_out = overwrite;  ///< go_on: out holds the sum so far, of earlier edges

  KITH_INLINE Sum weight(std::int64_t edge, std::int64_t head) const {
    if (weights == nullptr) return Sum{1};
    const std::int64_t row = weight_rows == nullptr ? edge : weight_rows[edge];
    return static_cast<Sum>(weights[row * num_heads + head]);
  }
  /// Asks for what an edge a little after `edge` will read in the columns [column, column + width).
  KITH_INLINE void prefetch_after(std::int64_t edge, std::int64_t column, std::int64_t width) const {
    rows.prefetch_after(edge, column, width);
    if (weight_rows != nullptr && edge + kPrefetchEdges < rows.num_edges) {
      __builtin_prefetch(weights + weight_rows[edge + kPrefetchEdges] * num_heads);
    }
  }
};

/// Columns of one head that are summed at a time.
struct ColumnTile {
  std::int64_t head, first, width;
};

/// sum[0:width] += weighted sum of the tile's columns over the edges [begin, end), in the order of the edges.
template <typename Sum, typename Source, typename Weight>
KITH_INLINE void sum_tile(const Job<Sum, Source, Weight>& job, std::int64_t begin, std::int64_t end,
                          const ColumnTile& tile, Sum* __restrict sum) {
  const auto [head, column, width] = tile;
  std::int64_t e = begin;
  // Four rows at a time: the running sum is loaded and stored once for all of them.
  for (; e + 4 <= end; e += 4) {
    for (std::int64_t i = 0; i < 4; ++i) {
      job.prefetch_after(e + i, column, width);
    }
    const Source* const x0 = job.rows.row(e) + column;
    const Source* const x1 = job.rows.row(e + 1) + column;
    const Source* const x2 = job.rows.row(e + 2) + column;
    const Source* const x3 = job.rows.row(e + 3) + column;
    const Sum w0 = job.weight(e, head), w1 = job.weight(e + 1, head);
    const Sum w2 = job.weight(e + 2, head), w3 = job.weight(e + 3, head);
    for (std::int64_t j = 0; j < width; ++j) {
      sum[j] = sum[j] + w0 * static_cast<Sum>(to_float(x0[j])) + w1 * static_cast<Sum>(to_float(x1[j])) +
               w2 * static_cast<Sum>(to_float(x2[j])) + w3 * static_cast<Sum>(to_float(x3[j]));
    }
  }
  for (; e < end; ++e) {
    job.prefetch_after(e, column, width);
    const Source* const x = job.rows.row(e) + column;
    const Sum w = job.weight(e, head);
    for (std::int64_t j = 0; j < width; ++j) {
      sum[j] += w * static_cast<Sum>(to_float(x[j]));
    }
  }
}

/// out[0:dim] (+)= scale * weighted sum of the rows of edges [begin, end).
template <typename Sum, typename Source, typename Weight>
KITH_MULTIVERSION void sum_row(const Job<Sum, Source, Weight>& job, std::int64_t begin, std::int64_t end,
                               Sum scale, Sum* __restrict out) {
  alignas(kCacheLine) Sum sum[kTileColumns];
  const std::int64_t head_columns = job.rows.dim / job.num_heads;
  for (std::int64_t head = 0; head < job.num_heads; ++head) {
    const std::int64_t head_end = (head + 1) * head_columns;
    for (std::int64_t column = head * head_columns; column < head_end; column += kTileColumns) {
      const std::int64_t width = std::min(head_end - column, kTileColumns);
      Sum* const target = out + column;
      if (job.to_out == job.go_on) {
        std::copy_n(target, width, sum);
      } else {
        std::fill_n(sum, width, Sum{0});
      }
      sum_tile<Sum, Source, Weight>(job, begin, end, {.head = head, .first = column, .width = width}, sum);
      if (job.to_out == job.add) {
        for (std::int64_t j = 0; j < width; ++j) {
          target[j] += scale * sum[j];
        }
      } else {
        for (std::int64_t j = 0; j < width; ++j) {
          target[j] = scale * sum[j];
        }
      }
    }
  }
}

template <typename Sum, typename Source>
KITH_MULTIVERSION void convert_row(const Source* __restrict from, std::int64_t dim, Sum* __restrict to) {
  for (std::int64_t j = 0; j < dim; ++j) {
    to[j] = static_cast<Sum>(to_float(from[j]));
  }
}

template <typename Sum, typename Source, typename Offset>
void aggregate_typed(const Adjacency<Offset>& adjacency, const Rows& x, Tensor& out) {
  const Offset* const offsets = adjacency.offsets.data() + adjacency.first;
  const bool is_mean = adjacency.weights.empty();
  const Job<Sum, Source, float> job{.rows = {.data = static_cast<const Source*>(x.data),
                                             .dim = x.dim,
                                             .ids = x.ids,
                                             .sources = adjacency.sources.data(),
                                             .num_edges = static_cast<std::int64_t>(adjacency.sources.size())},
                                    .weights = is_mean ? nullptr : adjacency.weights.data(),
                                    .weight_rows = nullptr,
                                    .num_heads = 1};
  Sum* const result = out.data<Sum>();
  for_row_ranges(offsets, out.rows(), x.dim, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t v = first; v < last; ++v) {
      const auto degree = static_cast<Sum>(offsets[v + 1] - offsets[v]);
      const Sum scale = is_mean && degree > 0 ? Sum{1} / degree : Sum{1};
      sum_row<Sum, Source, float>(job, offsets[v], offsets[v + 1], scale, result + v * x.dim);
    }
  });
}

template <typename Sum, typename Source>
void aggregate_slice_typed(const Adjacency<std::int64_t>& adjacency, const TableSlice& x,
                           std::span<EdgeOffset> next, Tensor& out) {
  using SliceJob = Job<Sum, Source, float>;
  const std::int32_t* const sources = adjacency.sources.data();
  const bool is_mean = adjacency.weights.empty();
  const std::int64_t dim = x.table.dim;
  const SliceJob job{.rows = {.data = reinterpret_cast<const Source*>(x.table.data),
                              .dim = dim,
                              .ids = nullptr,
                              .sources = sources,
                              .num_edges = static_cast<std::int64_t>(adjacency.sources.size()),
                              .first = x.first},
                     .weights = is_mean ? nullptr : adjacency.weights.data(),
                     .weight_rows = nullptr,
                     .num_heads = 1,
                     .to_out = SliceJob::go_on};
  const std::int64_t last_source = x.first + x.table.num_rows;
  const EdgeOffset* const offsets = adjacency.offsets.data();
  for_row_ranges(offsets, out.rows(), dim, [&](std::int64_t begin_row, std::int64_t end_row) {
    for (std::int64_t v = begin_row; v < end_row; ++v) {
      const EdgeOffset begin = next[v], row_end = offsets[v + 1];
      EdgeOffset end = begin;
      while (end < row_end && sources[end] < last_source) ++end;
      if (end == begin) continue;
      const Sum scale = is_mean && end == row_end ? Sum{1} / static_cast<Sum>(row_end - offsets[v]) : Sum{1};
      sum_row<Sum, Source, float>(job, begin, end, scale, out.data<Sum>() + v * dim);
      next[v] = end;
    }
  });
}

/// body(Sum{}, Source{}) for the type of a table and that of the sums over it.
template <typename Body>
void with_sum_and_source(Scalar sum, Rows::Type type, const Body& body) {
  with_type<Half, BFloat16>(type, [&](auto source) {
    if (sum == Scalar::f64) return body(double{}, source);
    if constexpr (!std::is_same_v<decltype(source), double>) return body(float{}, source);
  });
}

/// grad_x[u] += the sum over row u of the transposed block; the job adds.
template <typename T>
void add_transposed(const std::int32_t* offsets, std::int64_t num_sources, const Job<T, T, T>& job, T* grad_x) {
  for_row_ranges(offsets, num_sources, job.rows.dim, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t u = first; u < last; ++u) {
      if (offsets[u] < offsets[u + 1]) {
        sum_row<T, T, T>(job, offsets[u], offsets[u + 1], T{1}, grad_x + u * job.rows.dim);
      }
    }
  });
}

/// The rows of `x` that `sources` names, one an edge.
template <typename T>
EdgeRows<T> edge_rows(const Tensor& x, const std::int32_t* sources, std::int64_t num_edges) {
  return {.data = x.data<T>(), .dim = x.cols(), .ids = nullptr, .sources = sources, .num_edges = num_edges};
}

}  // namespace

template <typename Offset>
void aggregate(const Adjacency<Offset>& adjacency, const Rows& x, Tensor& out) {
  with_sum_and_source(out.scalar(), x.type, [&](auto sum, auto source) {
    aggregate_typed<decltype(sum), decltype(source)>(adjacency, x, out);
  });
}

void aggregate_slice(const Adjacency<std::int64_t>& adjacency, const TableSlice& x, std::span<EdgeOffset> next,
                     Tensor& out) {
  with_sum_and_source(out.scalar(), Rows::of(x.table, nullptr).type, [&](auto sum, auto source) {
    aggregate_slice_typed<decltype(sum), decltype(source)>(adjacency, x, next, out);
  });
}

template void aggregate(const Adjacency<std::int32_t>&, const Rows&, Tensor&);
template void aggregate(const Adjacency<std::int64_t>&, const Rows&, Tensor&);

void aggregate_backward(BlockCsrView block, std::span<const float> weights, const Tensor& grad_out,
                        BufferPool& pool, Tensor& grad_x) {
  with_scalar(grad_x.scalar(), [&](auto zero) {
    using T = decltype(zero);
    Transposed<T> transposed = transpose<T>(block, pool, [&](std::int64_t v) {
      const T share = T{1} / static_cast<T>(block.offsets[v + 1] - block.offsets[v]);
      return [=](std::int32_t e) { return weights.empty() ? share : static_cast<T>(weights[e]); };
    });
    const Job<T, T, T> job{.rows = edge_rows<T>(grad_out, transposed.destinations(), block.num_edges()),
                           .weights = transposed.values(),
                           .weight_rows = nullptr,
                           .num_heads = 1,
                           .to_out = Job<T, T, T>::add};
    add_transposed<T>(transposed.offsets(), block.num_sources, job, grad_x.data<T>());
  });
}

void aggregate_heads(BlockCsrView block, const Tensor& weights, const Tensor& x, Tensor& out) {
  with_scalar(out.scalar(), [&](auto zero) {
    using T = decltype(zero);
    const Job<T, T, T> job{.rows = edge_rows<T>(x, block.sources.data(), block.num_edges()),
                           .weights = weights.data<T>(),
                           .weight_rows = nullptr,
                           .num_heads = weights.cols()};
    const std::int32_t* const offsets = block.offsets.data();
    for_row_ranges(offsets, out.rows(), x.cols(), [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t v = first; v < last; ++v) {
        sum_row<T, T, T>(job, offsets[v], offsets[v + 1], T{1}, out.data<T>() + v * x.cols());
      }
    });
  });
}

void aggregate_heads_backward(BlockCsrView block, const Tensor& weights, const Tensor& grad_out,
                              BufferPool& pool, Tensor& grad_x) {
  with_scalar(grad_x.scalar(), [&](auto zero) {
    using T = decltype(zero);
    auto transposed = transpose<std::int32_t>(block, pool, edge_numbers);
    const Job<T, T, T> job{.rows = edge_rows<T>(grad_out, transposed.destinations(), block.num_edges()),
                           .weights = weights.data<T>(),
                           .weight_rows = transposed.values(),
                           .num_heads = weights.cols(),
                           .to_out = Job<T, T, T>::add};
    add_transposed<T>(transposed.offsets(), block.num_sources, job, grad_x.data<T>());
  });
}

void gather(const Rows& x, Tensor& out) {
  constexpr std::int64_t kRowsPerTile = 1024;
  with_type<Half, BFloat16>(x.type, [&](auto source) {
    using Source = decltype(source);
    const auto* const data = static_cast<const Source*>(x.data);
    with_scalar(out.scalar(), [&](auto zero) {
      using T = decltype(zero);
      for_tiles(out.rows(), kRowsPerTile, [&](std::int64_t, std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first; i < last; ++i) {
          if (x.ids != nullptr && i + kPrefetchEdges < last) {
            prefetch_columns(data + x.ids[i + kPrefetchEdges] * x.dim, x.dim);
          }
          const std::int64_t row = x.ids == nullptr ? i : x.ids[i];
          convert_row<T, Source>(data + row * x.dim, x.dim, out.data<T>() + i * x.dim);
        }
      });
    });
  });
}

}  // namespace kith::cpu
