#include "kernels/cpu/edge_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/dot.h"
#include "kernels/cpu/edge_rows.h"
#include "kernels/cpu/multiversion.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/row_ranges.h"
#include "kernels/cpu/transpose.h"
#include "kernels/dispatch.h"

namespace kith::cpu {
namespace {

constexpr std::int64_t kTileHeads = 64;  // running maxima and sums stay in registers or the first-level cache
constexpr std::int64_t kValuesPerTile = 1 << 16;
constexpr std::int64_t kExpWork = 16;  // an exponential takes about as long as this many plain values

/// Softmax over `num_edges` rows of `num_heads` scores, a column at a time. Sums in double: a row may be a hub.
template <typename T>
KITH_MULTIVERSION void softmax_rows(const T* scores, std::int64_t num_edges, std::int64_t num_heads, T* out) {
  T largest[kTileHeads];
  double sum[kTileHeads];
  for (std::int64_t first = 0; first < num_heads; first += kTileHeads) {
    const std::int64_t width = std::min(num_heads - first, kTileHeads);
    std::fill_n(largest, width, -std::numeric_limits<T>::infinity());
    std::fill_n(sum, width, 0.0);
    for (std::int64_t e = 0; e < num_edges; ++e) {
      for (std::int64_t h = 0; h < width; ++h) {
        largest[h] = std::max(largest[h], scores[e * num_heads + first + h]);
      }
    }
    // Without the maximum the exponentials of large scores would overflow.
    for (std::int64_t e = 0; e < num_edges; ++e) {
      for (std::int64_t h = 0; h < width; ++h) {
        const T term = std::exp(scores[e * num_heads + first + h] - largest[h]);
        out[e * num_heads + first + h] = term;
        sum[h] += static_cast<double>(term);
      }
    }
    for (std::int64_t h = 0; h < width; ++h) {
      largest[h] = static_cast<T>(1 / sum[h]);
    }
    for (std::int64_t e = 0; e < num_edges; ++e) {
      for (std::int64_t h = 0; h < width; ++h) {
        out[e * num_heads + first + h] *= largest[h];
      }
    }
  }
}

/// grad = out * (grad_out - <out, grad_out>), a column at a time.
template <typename T>
KITH_MULTIVERSION void softmax_rows_backward(const T* __restrict out, const T* __restrict grad_out,
                                             std::int64_t num_edges, std::int64_t num_heads,
                                             T* __restrict grad) {
  double dot[kTileHeads];
  for (std::int64_t first = 0; first < num_heads; first += kTileHeads) {
    const std::int64_t width = std::min(num_heads - first, kTileHeads);
    std::fill_n(dot, width, 0.0);
    for (std::int64_t e = 0; e < num_edges; ++e) {
      for (std::int64_t h = 0; h < width; ++h) {
        const std::int64_t i = e * num_heads + first + h;
        dot[h] += static_cast<double>(out[i]) * static_cast<double>(grad_out[i]);
      }
    }
    for (std::int64_t e = 0; e < num_edges; ++e) {
      for (std::int64_t h = 0; h < width; ++h) {
        const std::int64_t i = e * num_heads + first + h;
        grad[i] = out[i] * (grad_out[i] - static_cast<T>(dot[h]));
      }
    }
  }
}

/// out[e, h] = <row of e in head h, y in head h> for the edges [begin, end) of one destination.
template <typename T>
KITH_MULTIVERSION void dot_rows(const EdgeRows<T>& rows, std::int64_t begin, std::int64_t end, const T* y,
                                std::int64_t num_heads, T* out) {
  const std::int64_t head_columns = rows.dim / num_heads;
  for (std::int64_t e = begin; e < end; ++e) {
    rows.prefetch_after(e, 0, rows.dim);
    const T* const x = rows.row(e);
    for (std::int64_t h = 0; h < num_heads; ++h) {
      out[e * num_heads + h] = dot<T>(x + h * head_columns, y + h * head_columns, head_columns);
    }
  }
}

/// out[e, h] = leaky_relu(at_source[u, h] + at_destination[h]) for the edges [begin, end) of one destination.
template <typename T>
KITH_MULTIVERSION void score_rows(const EdgeRows<T>& at_source, std::int64_t begin, std::int64_t end,
                                  const T* __restrict at_destination, T negative_slope, T* __restrict out) {
  const std::int64_t num_heads = at_source.dim;
  for (std::int64_t e = begin; e < end; ++e) {
    at_source.prefetch_after(e, 0, num_heads);
    const T* const x = at_source.row(e);
    for (std::int64_t h = 0; h < num_heads; ++h) {
      const T sum = x[h] + at_destination[h];
      // Signs are as good as random: a branch would be mispredicted every other time.
      out[e * num_heads + h] = std::max(sum, T{0}) + negative_slope * std::min(sum, T{0});
    }
  }
}

/// grad = the gradient by the sum inside leaky_relu; a score has its sign.
template <typename T>
KITH_MULTIVERSION void leaky_relu_backward(const T* __restrict scores, const T* __restrict grad_scores,
                                           std::int64_t count, T negative_slope, T* __restrict grad) {
  for (std::int64_t i = 0; i < count; ++i) {
    const T scaled = grad_scores[i] * negative_slope;
    grad[i] = scores[i] > T{0} ? grad_scores[i] : scaled;
  }
}

/// total[h] = the sum of `num_edges` rows of `values`.
template <typename T>
KITH_MULTIVERSION void sum_rows(const T* __restrict values, std::int64_t num_edges, std::int64_t num_heads,
                                T* __restrict total) {
  std::fill_n(total, num_heads, T{0});
  for (std::int64_t e = 0; e < num_edges; ++e) {
    for (std::int64_t h = 0; h < num_heads; ++h) {
      total[h] += values[e * num_heads + h];
    }
  }
}

/// total[h] = the sum of the rows of `values` that edges[begin], ..., edges[end - 1] name.
template <typename T>
KITH_MULTIVERSION void sum_edges(const T* __restrict values, const std::int32_t* edges, std::int64_t begin,
                                 std::int64_t end, std::int64_t num_heads, T* __restrict total) {
  std::fill_n(total, num_heads, T{0});
  for (std::int64_t i = begin; i < end; ++i) {
    const T* const row = values + edges[i] * num_heads;
    for (std::int64_t h = 0; h < num_heads; ++h) {
      total[h] += row[h];
    }
  }
}

/// Calls body(v, begin, end) for every destination v and its edges, in parallel.
template <typename Body>
void for_destinations(BlockCsrView block, std::int64_t values_per_edge, const Body& body) {
  const std::int32_t* const offsets = block.offsets.data();
  for_row_ranges(offsets, block.num_destinations(), values_per_edge,
                 [&](std::int64_t first, std::int64_t last) {
                   for (std::int64_t v = first; v < last; ++v) {
                     body(v, std::int64_t{offsets[v]}, std::int64_t{offsets[v + 1]});
                   }
                 });
}

}  // namespace

void edge_softmax(BlockCsrView block, const Tensor& scores, Tensor& out) {
  with_scalar(out.scalar(), [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t heads = scores.cols();
    for_destinations(block, heads * kExpWork, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      softmax_rows<T>(scores.data<T>() + begin * heads, end - begin, heads, out.data<T>() + begin * heads);
    });
  });
}

void edge_softmax_backward(BlockCsrView block, const Tensor& out, const Tensor& grad_out, Tensor& grad_scores) {
  with_scalar(out.scalar(), [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t heads = out.cols();
    for_destinations(block, heads, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      const std::int64_t at = begin * heads;
      softmax_rows_backward<T>(out.data<T>() + at, grad_out.data<T>() + at, end - begin, heads,
                               grad_scores.data<T>() + at);
    });
  });
}

void edge_dot(BlockCsrView block, const Tensor& x, const Tensor& y, Tensor& out) {
  with_scalar(out.scalar(), [&](auto zero) {
    using T = decltype(zero);
    const EdgeRows<T> rows{.data = x.data<T>(),
                           .dim = x.cols(),
                           .ids = nullptr,
                           .sources = block.sources.data(),
                           .num_edges = block.num_edges()};
    for_destinations(block, x.cols(), [&](std::int64_t v, std::int64_t begin, std::int64_t end) {
      dot_rows<T>(rows, begin, end, y.data<T>() + v * x.cols(), out.cols(), out.data<T>());
    });
  });
}

void edge_scores(BlockCsrView block, const Tensor& at_source, const Tensor& at_destination,
                 double negative_slope, Tensor& out) {
  with_scalar(out.scalar(), [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t heads = out.cols();
    const EdgeRows<T> rows{.data = at_source.data<T>(),
                           .dim = heads,
                           .ids = nullptr,
                           .sources = block.sources.data(),
                           .num_edges = block.num_edges()};
    for_destinations(block, heads, [&](std::int64_t v, std::int64_t begin, std::int64_t end) {
      score_rows<T>(rows, begin, end, at_destination.data<T>() + v * heads, static_cast<T>(negative_slope),
                    out.data<T>());
    });
  });
}

void edge_scores_backward(BlockCsrView block, const ScoredEdges& edges, BufferPool& pool,
                          const EndGradients& gradients) {
  with_scalar(edges.scores.scalar(), [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t heads = edges.scores.cols();
    Tensor grad = pool.acquire(edges.scores.rows(), heads, edges.scores.scalar());
    T* const grad_values = grad.data<T>();
    for_tiles(grad.size(), kValuesPerTile, [&](std::int64_t, std::int64_t first, std::int64_t last) {
      leaky_relu_backward<T>(edges.scores.data<T>() + first, edges.gradient.data<T>() + first, last - first,
                             static_cast<T>(edges.negative_slope), grad_values + first);
    });
    for_destinations(block, heads, [&](std::int64_t v, std::int64_t begin, std::int64_t end) {
      sum_rows<T>(grad_values + begin * heads, end - begin, heads,
                  gradients.at_destination->data<T>() + v * heads);
    });
    auto transposed = transpose<std::int32_t>(block, pool, edge_numbers);
    const std::int32_t* const offsets = transposed.offsets();
    for_row_ranges(offsets, block.num_sources, heads, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t u = first; u < last; ++u) {
        sum_edges<T>(grad_values, transposed.values(), offsets[u], offsets[u + 1], heads,
                     gradients.at_source->data<T>() + u * heads);
      }
    });
  });
}

}  // namespace kith::cpu
