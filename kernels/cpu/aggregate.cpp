#include "kernels/cpu/aggregate.h"

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"

namespace kith::cpu {
namespace {

constexpr std::int64_t kTileColumns = 1024;  // the running sum of a tile stays in the first-level cache
constexpr std::int64_t kPrefetchEdges =
    12;  // rows asked for ahead of use; asking for none took a third longer at 100 features
constexpr std::int64_t kPrefetchBytes = 1024;  // of a row, so that wide rows do not flood the memory system
constexpr std::int64_t kCacheLine = 64;
constexpr std::int64_t kValuesPerTask = 1 << 18;

/// Everything that is the same for all destination rows of one call.
template <typename Sum, typename Source, typename Weight>
struct Job {
  const Source* data;
  std::int64_t dim;
  const NodeId* ids;  ///< or null
  const std::int32_t* sources;
  const Weight* weights;   ///< or null: all 1
  std::int64_t num_edges;  ///< end of `sources`
  bool is_adding;          ///< add to out instead of overwriting it

  KITH_INLINE const Source* row(std::int64_t edge) const {
    const std::int64_t u = sources[edge];
    return data + (ids == nullptr ? u : static_cast<std::int64_t>(ids[u])) * dim;
  }
  KITH_INLINE Sum weight(std::int64_t edge) const {
    return weights == nullptr ? Sum{1} : static_cast<Sum>(weights[edge]);
  }
  /// Asks for the columns [column, column + width) of the row of `edge`, if there is such an edge.
  KITH_INLINE void prefetch(std::int64_t edge, std::int64_t column, std::int64_t width) const {
    if (edge < num_edges) {
      const char* const begin = reinterpret_cast<const char*>(row(edge) + column);
      const std::int64_t bytes = std::min<std::int64_t>(width * sizeof(Source), kPrefetchBytes);
      for (std::int64_t byte = 0; byte < bytes; byte += kCacheLine) {
        __builtin_prefetch(begin + byte);
      }
    }
  }
};

/// out[0:dim] (+)= scale * sum of the rows of edges [begin, end). The order of the additions is that of the
/// edges.
template <typename Sum, typename Source, typename Weight>
KITH_MULTIVERSION void sum_row(const Job<Sum, Source, Weight>& job, std::int64_t begin, std::int64_t end,
                               Sum scale, Sum* __restrict out) {
  alignas(kCacheLine) Sum sum[kTileColumns];
  for (std::int64_t column = 0; column < job.dim; column += kTileColumns) {
    const std::int64_t width = std::min(job.dim - column, kTileColumns);
    std::fill_n(sum, width, Sum{0});
    std::int64_t e = begin;
    // Four rows at a time: the running sum is loaded and stored once for all of them.
    for (; e + 4 <= end; e += 4) {
      for (std::int64_t i = 0; i < 4; ++i) {
        job.prefetch(e + i + kPrefetchEdges, column, width);
      }
      const Source* const x0 = job.row(e) + column;
      const Source* const x1 = job.row(e + 1) + column;
      const Source* const x2 = job.row(e + 2) + column;
      const Source* const x3 = job.row(e + 3) + column;
      const Sum w0 = job.weight(e), w1 = job.weight(e + 1), w2 = job.weight(e + 2), w3 = job.weight(e + 3);
      for (std::int64_t j = 0; j < width; ++j) {
        sum[j] = sum[j] + w0 * static_cast<Sum>(to_float(x0[j])) + w1 * static_cast<Sum>(to_float(x1[j])) +
                 w2 * static_cast<Sum>(to_float(x2[j])) + w3 * static_cast<Sum>(to_float(x3[j]));
      }
    }
    for (; e < end; ++e) {
      job.prefetch(e + kPrefetchEdges, column, width);
      const Source* const x = job.row(e) + column;
      const Sum w = job.weight(e);
      for (std::int64_t j = 0; j < width; ++j) {
        sum[j] += w * static_cast<Sum>(to_float(x[j]));
      }
    }
    Sum* const target = out + column;
    if (job.is_adding) {
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

template <typename Sum, typename Source>
KITH_MULTIVERSION void convert_row(const Source* __restrict from, std::int64_t dim, Sum* __restrict to) {
  for (std::int64_t j = 0; j < dim; ++j) {
    to[j] = static_cast<Sum>(to_float(from[j]));
  }
}

/// Calls body(first, last) for ranges of rows of about equal work (edges and rows), in parallel. Ranges may
/// depend on anything: each row is summed on its own.
template <typename Offset, typename Body>
void for_row_ranges(const Offset* offsets, std::int64_t num_rows, std::int64_t dim, const Body& body) {
  const auto work_before = [&](std::int64_t row) {
    return static_cast<std::int64_t>(offsets[row] - offsets[0]) + row;
  };
  const std::int64_t work = work_before(num_rows);
  const std::int64_t num_tasks =
      std::max<std::int64_t>(1, work * std::max<std::int64_t>(dim, 1) / kValuesPerTask);
  const auto first_row = [&](std::int64_t task) {
    const std::int64_t share = work / num_tasks * task + work % num_tasks * task / num_tasks;
    std::int64_t low = 0;
    std::int64_t high = num_rows;
    while (low < high) {
      const std::int64_t middle = (low + high) / 2;
      if (work_before(middle) < share) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  };
  const auto run = [&](std::int64_t task) {
    body(first_row(task), task + 1 == num_tasks ? num_rows : first_row(task + 1));
  };
  if (num_tasks == 1) {
    run(0);
  } else {
    tbb::parallel_for(std::int64_t{0}, num_tasks, run);
  }
}

template <typename Sum, typename Source, typename Offset>
void aggregate_typed(const Adjacency<Offset>& adjacency, const Rows& x, Tensor& out) {
  const Offset* const offsets = adjacency.offsets.data() + adjacency.first;
  const bool is_mean = adjacency.weights.empty();
  const Job<Sum, Source, float> job{.data = static_cast<const Source*>(x.data),
                                    .dim = x.dim,
                                    .ids = x.ids,
                                    .sources = adjacency.sources.data(),
                                    .weights = is_mean ? nullptr : adjacency.weights.data(),
                                    .num_edges = static_cast<std::int64_t>(adjacency.sources.size()),
                                    .is_adding = false};
  Sum* const result = out.data<Sum>();
  for_row_ranges(offsets, out.rows(), x.dim, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t v = first; v < last; ++v) {
      const auto degree = static_cast<Sum>(offsets[v + 1] - offsets[v]);
      const Sum scale = is_mean && degree > 0 ? Sum{1} / degree : Sum{1};
      sum_row<Sum, Source, float>(job, offsets[v], offsets[v + 1], scale, result + v * x.dim);
    }
  });
}

/// A block by source: row u lists the destinations that u sends to, in ascending order.
template <typename T>
struct Transposed {
  Tensor::Buffer offsets;       ///< int32 [num_sources + 1]
  Tensor::Buffer destinations;  ///< int32 [num_edges]
  Tensor::Buffer weights;       ///< T [num_edges]
};

std::int32_t* as_int(Tensor::Buffer& buffer) { return reinterpret_cast<std::int32_t*>(buffer.get()); }

/// Stable counting sort of the edges by source, in `num_parts` parallel parts of the destinations. Stable, so
/// the result does not depend on num_parts.
template <typename T>
class Transposition {
 public:
  Transposition(BlockCsrView block, std::span<const float> weights, BufferPool& pool)
      : block_(block), weights_(weights), pool_(pool) {
    constexpr std::int64_t kEdgesPerPart = 1 << 15;
    const std::int64_t threads = std::min<std::int64_t>(tbb::this_task_arena::max_concurrency(), 8);
    num_parts_ = std::clamp<std::int64_t>(block.num_edges() / kEdgesPerPart, 1, threads);
  }

  Transposed<T> run() {
    const auto num_sources = static_cast<std::int64_t>(block_.num_sources);
    const auto num_edges = static_cast<std::size_t>(block_.num_edges());
    Transposed<T> result{pool_.acquire((num_sources + 1) * sizeof(std::int32_t)),
                         pool_.acquire(num_edges * sizeof(std::int32_t)), pool_.acquire(num_edges * sizeof(T))};
    Tensor::Buffer cursor_buffer = pool_.acquire(num_parts_ * num_sources * sizeof(std::int32_t));
    std::int32_t* const cursors = as_int(cursor_buffer);
    tbb::parallel_for(std::int64_t{0}, num_parts_,
                      [&](std::int64_t part) { count(part, cursors + part * num_sources); });
    turn_counts_to_cursors(cursors, as_int(result.offsets));
    tbb::parallel_for(std::int64_t{0}, num_parts_,
                      [&](std::int64_t part) { place(part, cursors + part * num_sources, result); });
    return result;
  }

 private:
  std::int64_t first_destination(std::int64_t part) const {
    return block_.num_destinations() * part / num_parts_;
  }

  void count(std::int64_t part, std::int32_t* counts) const {
    std::fill_n(counts, block_.num_sources, 0);
    const std::int32_t begin = block_.offsets[first_destination(part)];
    const std::int32_t end = block_.offsets[first_destination(part + 1)];
    for (std::int32_t e = begin; e < end; ++e) {
      ++counts[block_.sources[e]];
    }
  }

  void turn_counts_to_cursors(std::int32_t* counts, std::int32_t* offsets) const {
    std::int32_t total = 0;
    for (std::int64_t u = 0; u < block_.num_sources; ++u) {
      offsets[u] = total;
      for (std::int64_t part = 0; part < num_parts_; ++part) {
        std::int32_t& cursor = counts[part * block_.num_sources + u];
        total += std::exchange(cursor, total);
      }
    }
    offsets[block_.num_sources] = total;
  }

  void place(std::int64_t part, std::int32_t* cursors, Transposed<T>& result) const {
    std::int32_t* const destinations = as_int(result.destinations);
    T* const edge_weights = reinterpret_cast<T*>(result.weights.get());
    for (std::int64_t v = first_destination(part); v < first_destination(part + 1); ++v) {
      const std::int32_t begin = block_.offsets[v];
      const std::int32_t end = block_.offsets[v + 1];
      const T share = T{1} / static_cast<T>(end - begin);
      for (std::int32_t e = begin; e < end; ++e) {
        const std::int32_t position = cursors[block_.sources[e]]++;
        destinations[position] = static_cast<std::int32_t>(v);
        edge_weights[position] = weights_.empty() ? share : static_cast<T>(weights_[e]);
      }
    }
  }

  BlockCsrView block_;
  std::span<const float> weights_;
  BufferPool& pool_;
  std::int64_t num_parts_ = 1;
};

}  // namespace

template <typename Offset>
void aggregate(const Adjacency<Offset>& adjacency, const Rows& x, Tensor& out) {
  with_type(x.type, [&](auto source) {
    using Source = decltype(source);
    if (out.scalar() == Scalar::f64) {
      return aggregate_typed<double, Source>(adjacency, x, out);
    }
    if constexpr (!std::is_same_v<Source, double>) {
      return aggregate_typed<float, Source>(adjacency, x, out);
    }
  });
}

template void aggregate(const Adjacency<std::int32_t>&, const Rows&, Tensor&);
template void aggregate(const Adjacency<std::int64_t>&, const Rows&, Tensor&);

void aggregate_backward(BlockCsrView block, std::span<const float> weights, const Tensor& grad_out,
                        BufferPool& pool, Tensor& grad_x) {
  with_scalar(grad_x.scalar(), [&](auto zero) {
    using T = decltype(zero);
    Transposed<T> transposed = Transposition<T>(block, weights, pool).run();
    const std::int32_t* const offsets = as_int(transposed.offsets);
    const Job<T, T, T> job{.data = grad_out.data<T>(),
                           .dim = grad_out.cols(),
                           .ids = nullptr,
                           .sources = as_int(transposed.destinations),
                           .weights = reinterpret_cast<const T*>(transposed.weights.get()),
                           .num_edges = block.num_edges(),
                           .is_adding = true};
    T* const result = grad_x.data<T>();
    for_row_ranges(offsets, block.num_sources, job.dim, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t u = first; u < last; ++u) {
        if (offsets[u] < offsets[u + 1]) {
          sum_row<T, T, T>(job, offsets[u], offsets[u + 1], T{1}, result + u * job.dim);
        }
      }
    });
  });
}

void gather(const Rows& x, Tensor& out) {
  constexpr std::int64_t kRowsPerTile = 1024;
  with_type(x.type, [&](auto source) {
    using Source = decltype(source);
    const auto* const data = static_cast<const Source*>(x.data);
    with_scalar(out.scalar(), [&](auto zero) {
      using T = decltype(zero);
      for_tiles(out.rows(), kRowsPerTile, [&](std::int64_t, std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first; i < last; ++i) {
          convert_row<T, Source>(data + static_cast<std::int64_t>(x.ids[i]) * x.dim, x.dim,
                                 out.data<T>() + i * x.dim);
        }
      });
    });
  });
}

}  // namespace kith::cpu
