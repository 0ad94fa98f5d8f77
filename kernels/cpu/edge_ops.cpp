#include "kernels/cpu/edge_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/edge_rows.h"
#include "kernels/cpu/multiversion.h"
#include "kernels/cpu/row_ranges.h"
#include "kernels/dispatch.h"

namespace kith::cpu {
namespace {

constexpr std::int64_t kTileHeads = 64;  // running maxima and sums stay in registers or the first-level cache
constexpr std::int64_t kExpWork = 16;    // an exponential takes about as long as this many plain values
constexpr std::int64_t kLanes = 8;       // independent sums of a dot product: fixes its shape, and vectorises

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

template <typename T>
KITH_INLINE T dot(const T* __restrict a, const T* __restrict b, std::int64_t count) {
  T lanes[kLanes] = {};
  std::int64_t j = 0;
  for (; j + kLanes <= count; j += kLanes) {
    for (std::int64_t k = 0; k < kLanes; ++k) {
      lanes[k] += a[j + k] * b[j + k];
    }
  }
  T sum = ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
  for (; j < count; ++j) {
    sum += a[j] * b[j];
  }
  return sum;
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

}  // namespace kith::cpu
