#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include "kernels/cuda/aggregate.h"
#include "kernels/cuda/columns.cuh"
#include "kernels/cuda/edge_values.h"
#include "kernels/cuda/rows.cuh"
#include "kernels/cuda/tiling.h"
#include "kernels/cuda/transpose.h"
#include "kernels/dispatch.h"
#include "kernels/memo.h"

namespace kith::cuda {
namespace {

/// How a lane walks the edges of a row. The rows of a block are short, as its fanout says: half of such a walk
/// is waiting for the first edges, so a lane takes much of few source rows, and many warps wait together. Those
/// of a whole graph are long: a lane takes little of many.
template <typename Offset>
struct Walk {
  static constexpr int kUnroll = 4;   ///< source rows under way
  static constexpr int kVectors = 1;  ///< of each, at least
  static constexpr int kBlocks = 4;   ///< that a multiprocessor must have room for
};
template <>
struct Walk<std::int32_t> {
  static constexpr int kUnroll = 2;
  static constexpr int kVectors = 2;
  static constexpr int kBlocks = 5;
};

/// Vectors are for the type that trains; double only checks gradients.
template <typename Sum, typename Source>
inline constexpr int kWidest = std::is_same_v<Sum, double> ? 1 : static_cast<int>(16 / sizeof(Source));

/// A weight for each edge, or 1.
template <typename Weight>
struct EdgeWeights {
  static constexpr bool kIsPerHead = false;
  const Weight* values;  ///< [num_edges], or null

  __device__ int head_of(int) const { return 0; }
  template <typename Offset>
  __device__ Weight get(Offset edge, int) const {
    return values == nullptr ? Weight{1} : __ldcs(values + edge);
  }
};

/// A weight for each edge and head. A row of values is `num_heads` runs of head_columns values.
template <typename Weight>
struct HeadWeights {
  static constexpr bool kIsPerHead = true;
  const Weight* values;      ///< [num_edges x num_heads]
  const std::int32_t* rows;  ///< row of `values` for each edge, or null: its own
  std::int32_t num_heads;
  std::int32_t head_columns;

  __device__ int head_of(int column) const { return column / head_columns; }
  __device__ Weight get(std::int32_t edge, int head) const {
    const std::int64_t row = rows == nullptr ? edge : __ldcs(rows + edge);
    return __ldg(values + row * num_heads + head);
  }
};

/// out[row] (+)= weighted sum, or mean, over the rows that its edges name.
template <typename SumT, typename SourceT, int kVector, typename WeightsT, typename OffsetT>
struct WeightedSum {
  using Sum = SumT;
  using Source = SourceT;
  using Offset = OffsetT;
  static constexpr int kUnroll = Walk<Offset>::kUnroll;
  using Columns = ColumnsOf<Source, kVector, Walk<Offset>::kVectors>;
  static constexpr int kVectors = Columns::kVectors;
  /// Fewer where a thread holds more, so that nothing spills.
  static constexpr int kBlocksAtOnce = WeightsT::kIsPerHead || Columns::kValues > 8 ? 4 : Walk<Offset>::kBlocks;
  static constexpr int kWeights = WeightsT::kIsPerHead ? kVectors : 1;  // of an edge, for one lane
  struct State {
    Sum sum[Columns::kValues];
  };

  const Source* x;              ///< [rows x columns]
  std::int32_t columns;         ///< of a whole row
  const std::int32_t* sources;  ///< [num_edges]
  const NodeId* ids;            ///< row of x for each source, or null: its own
  WeightsT weights;
  Sum* out;  ///< [num_rows x columns]
  bool is_mean;
  bool is_adding;

  __device__ State start(const Columns& lane, std::int64_t row) const {
    if (is_adding) {  // what is added to is on its way while the sum is made
#pragma unroll
      for (int k = 0; k < kVectors; ++k) prefetch(out + row * columns + lane.readable(k));
    }
    return {};
  }

  __device__ const Source* row_of(Offset edge) const {
    std::int64_t row = __ldcs(sources + edge);
    if (ids != nullptr) row = __ldg(ids + row);
    return x + row * columns;
  }

  /// Adds kCount edges from `edge` on.
  template <int kCount>
  __device__ __forceinline__ void add_edges(State& state, const int (&column)[kVectors],
                                            const int (&head)[kVectors], Offset edge,
                                            CachePolicy policy) const {
    const Source* rows[kCount];
    Sum weight[kCount][kWeights];
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      rows[i] = row_of(edge + i);
#pragma unroll
      for (int k = 0; k < kWeights; ++k) weight[i][k] = static_cast<Sum>(weights.get(edge + i, head[k]));
    }
    Packed<Source, kVector> values[kCount][kVectors];
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
#pragma unroll
      for (int k = 0; k < kVectors; ++k) values[i][k] = load_row<kVector>(rows[i] + column[k], policy);
    }
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
#pragma unroll
      for (int k = 0; k < kVectors; ++k) {
        const Sum w = weight[i][WeightsT::kIsPerHead ? k : 0];
#pragma unroll
        for (int j = 0; j < kVector; ++j) {
          state.sum[k * kVector + j] += w * static_cast<Sum>(to_number(values[i][k].values[j]));
        }
      }
    }
  }

  __device__ __forceinline__ void reduce(State& state, const Columns& lane, Offset begin, Offset end) const {
    static_assert(kUnroll == 2 || kUnroll == 4);  // for the tail below
    int column[kVectors];
    int head[kVectors];
#pragma unroll
    for (int k = 0; k < kVectors; ++k) {
      column[k] = lane.readable(k);
      head[k] = weights.head_of(column[k]);
    }
    Offset e = begin;
    for (; e + kUnroll <= end; e += kUnroll) add_edges<kUnroll>(state, column, head, e, lane.policy);
    if (kUnroll > 2 && e + 2 <= end) {
      add_edges<2>(state, column, head, e, lane.policy);
      e += 2;
    }
    if (e < end) add_edges<1>(state, column, head, e, lane.policy);
  }

  __device__ void merge(State& earlier, const State& later) const {
#pragma unroll
    for (int i = 0; i < Columns::kValues; ++i) earlier.sum[i] += later.sum[i];
  }

  __device__ void finish(const State& state, const Columns& lane, std::int64_t row, Offset num_edges) const {
    if (is_adding && num_edges == 0) return;
    const Sum scale = is_mean && num_edges > 0 ? Sum{1} / static_cast<Sum>(num_edges) : Sum{1};
#pragma unroll
    for (int k = 0; k < kVectors; ++k) {
      if (!lane.has(k)) continue;
      Sum values[kVector];
#pragma unroll
      for (int j = 0; j < kVector; ++j) values[j] = scale * state.sum[k * kVector + j];
      Sum* const to = out + row * columns + lane.column(k);
      if (is_adding) {
        add<kVector>(to, values);
      } else {
        store<kVector>(to, values);
      }
    }
  }
};

/// One call of weighted sums.
template <typename Sum, typename Source, typename Weights, typename Offset>
struct SumCall {
  const Source* x;
  std::int64_t columns;
  std::int64_t num_sources;  ///< rows of x that may be read
  const Offset* offsets;
  std::int64_t num_rows;
  std::int64_t num_edges;  ///< of all rows together, at least about
  const std::int32_t* sources;
  const NodeId* ids = nullptr;
  Weights weights;
  Sum* out;
  bool is_mean = false;
  bool is_adding = false;

  /// run_columns: what a vector must divide, the columns of a head.
  int widest(std::int64_t run_columns) const {
    return widest_vector(kWidest<Sum, Source>, run_columns, {{x, sizeof(Source)}, {out, sizeof(Sum)}});
  }
  RowReads reads() const {
    return {.columns = columns,
            .value_bytes = sizeof(Source),
            .num_rows = std::min(num_sources, num_edges),
            .num_reads = num_edges};
  }
};

template <typename Sum, typename Source, typename Weights, typename Offset>
void run(const Context& context, const SumCall<Sum, Source, Weights, Offset>& call, std::int64_t run_columns) {
  const int vector = call.widest(run_columns);
  with_vector<kWidest<Sum, Source>>(vector, [&](auto width) {
    using Work = WeightedSum<Sum, Source, decltype(width)::value, Weights, Offset>;
    launch_rows(context, call.offsets, call.num_rows, call.reads(),
                Work{.x = call.x,
                     .columns = static_cast<std::int32_t>(call.columns),
                     .sources = call.sources,
                     .ids = call.ids,
                     .weights = call.weights,
                     .out = call.out,
                     .is_mean = call.is_mean,
                     .is_adding = call.is_adding});
  });
}

/// Calls body(Sum{}, Source{}) for the types of a result and of the rows it is made from; f64 rows give f64
/// only.
template <typename Body>
void with_types(Scalar scalar, Rows::Type type, const Body& body) {
  with_type<__half, __nv_bfloat16>(type, [&](auto source) {
    if (scalar == Scalar::f64) return body(double{}, source);
    if constexpr (!std::is_same_v<decltype(source), double>) return body(float{}, source);
  });
}

/// Calls body(call) with the call that sums the rows of x over the adjacency's.
template <typename Offset, typename Body>
void with_call(const Adjacency<Offset>& adjacency, const Rows& x, Tensor& out, const Body& body) {
  const auto num_rows_in_all =
      std::max<std::int64_t>(static_cast<std::int64_t>(adjacency.offsets.size()) - 1, 1);
  const auto edges_per_row =
      static_cast<double>(adjacency.sources.size()) / static_cast<double>(num_rows_in_all);
  with_types(out.scalar(), x.type, [&](auto sum, auto source) {
    using Sum = decltype(sum);
    using Source = decltype(source);
    body(SumCall<Sum, Source, EdgeWeights<float>, Offset>{
        .x = static_cast<const Source*>(x.data),
        .columns = x.dim,
        .num_sources = adjacency.num_sources,
        .offsets = adjacency.offsets.data() + adjacency.first,
        .num_rows = out.rows(),
        .num_edges = static_cast<std::int64_t>(edges_per_row * static_cast<double>(out.rows())),
        .sources = adjacency.sources.data(),
        .ids = x.ids,
        .weights = {.values = adjacency.weights.empty() ? nullptr : adjacency.weights.data()},
        .out = out.data<Sum>(),
        .is_mean = adjacency.weights.empty()});
  });
}

/// grad_x[u] += the weighted rows of grad_out over row u of the transposed block.
template <typename T, typename Weights>
void add_transposed(const Context& context, const Transposed& transposed, const Weights& weights,
                    std::int64_t run_columns, const Tensor& grad_out, Tensor& grad_x) {
  run(context,
      SumCall<T, T, Weights, std::int32_t>{.x = grad_out.data<T>(),
                                           .columns = grad_x.cols(),
                                           .num_sources = transposed.num_destinations,
                                           .offsets = transposed.offsets(),
                                           .num_rows = transposed.num_sources,
                                           .num_edges = transposed.num_edges,
                                           .sources = transposed.destinations(),
                                           .weights = weights,
                                           .out = grad_x.data<T>(),
                                           .is_adding = true},
      run_columns);
}

/// Weights of the edges of a transposed block.
template <typename T>
struct TransposedWeights {
  Tensor::Buffer values;  ///< [num_edges]
};

/// Those of a mean are kept with the block, if it has a memo; others, which the block does not know, are put
/// into `own`.
template <typename T>
const TransposedWeights<T>& weights_of(const Context& context, const Transposed& transposed, BlockCsrView block,
                                       std::span<const float> weights, TransposedWeights<T>& own) {
  const bool is_kept = weights.empty() && block.memo != nullptr;
  const MemoKey key = MemoKey::of(block);
  if (is_kept) {
    if (const auto* const kept = block.memo->find<TransposedWeights<T>>(key)) return *kept;
  }
  own.values = context.memory.acquire_array<T>(block.num_edges());
  write_transposed_values(context, transposed, block, weights, array_of<T>(own.values));
  return is_kept ? block.memo->keep(key, std::move(own)) : own;
}

template <typename Sum, typename Source, int kVector>
__global__ void __launch_bounds__(kBlockThreads)
    gather_kernel(const Source* x, const NodeId* ids, std::int64_t num_rows, ColumnSplit split, Sum* out) {
  using Columns = ColumnsOf<Source, kVector>;
  constexpr int kVectors = Columns::kVectors;
  const Columns columns(split);
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (i >= num_rows) return;
  const std::int64_t row = ids == nullptr ? i : __ldcs(ids + i);
  Packed<Source, kVector> from[kVectors];
#pragma unroll
  for (int k = 0; k < kVectors; ++k) {
    from[k] = load_read_only<kVector>(x + row * split.columns + columns.readable(k));
  }
#pragma unroll
  for (int k = 0; k < kVectors; ++k) {
    if (!columns.has(k)) continue;
    Sum values[kVector];
#pragma unroll
    for (int j = 0; j < kVector; ++j) values[j] = static_cast<Sum>(to_number(from[k].values[j]));
    store<kVector>(out + i * split.columns + columns.column(k), values);
  }
}

}  // namespace

template <typename Offset>
void aggregate(const Context& context, const Adjacency<Offset>& adjacency, const Rows& x, Tensor& out) {
  with_call(adjacency, x, out, [&](const auto& call) { run(context, call, x.dim); });
}

template void aggregate(const Context&, const Adjacency<std::int32_t>&, const Rows&, Tensor&);
template void aggregate(const Context&, const Adjacency<std::int64_t>&, const Rows&, Tensor&);

void aggregate_backward(const Context& context, BlockCsrView block, std::span<const float> weights,
                        const Tensor& grad_out, Tensor& grad_x) {
  std::optional<Transposed> own;
  const Transposed& transposed = transposed_of(context, block, own);
  with_scalar(grad_x.scalar(), [&](auto zero) {
    using T = decltype(zero);
    TransposedWeights<T> values;
    const Tensor::Buffer& of_edges = weights_of(context, transposed, block, weights, values).values;
    add_transposed<T>(context, transposed, EdgeWeights<T>{.values = array_of<T>(of_edges)}, grad_x.cols(),
                      grad_out, grad_x);
  });
}

void aggregate_heads(const Context& context, BlockCsrView block, const Tensor& weights, const Tensor& x,
                     Tensor& out) {
  with_scalar(out.scalar(), [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t head_columns = x.cols() / weights.cols();
    run(context,
        SumCall<T, T, HeadWeights<T>, std::int32_t>{
            .x = x.data<T>(),
            .columns = x.cols(),
            .num_sources = block.num_sources,
            .offsets = block.offsets.data(),
            .num_rows = out.rows(),
            .num_edges = block.num_edges(),
            .sources = block.sources.data(),
            .weights = {.values = weights.data<T>(),
                        .rows = nullptr,
                        .num_heads = static_cast<std::int32_t>(weights.cols()),
                        .head_columns = static_cast<std::int32_t>(head_columns)},
            .out = out.data<T>()},
        head_columns);
  });
}

void aggregate_heads_backward(const Context& context, BlockCsrView block, const Tensor& weights,
                              const Tensor& grad_out, Tensor& grad_x) {
  std::optional<Transposed> own;
  const Transposed& transposed = transposed_of(context, block, own);
  with_scalar(grad_x.scalar(), [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t head_columns = grad_x.cols() / weights.cols();
    add_transposed<T>(context, transposed,
                      HeadWeights<T>{.values = weights.data<T>(),
                                     .rows = transposed.edges(),
                                     .num_heads = static_cast<std::int32_t>(weights.cols()),
                                     .head_columns = static_cast<std::int32_t>(head_columns)},
                      head_columns, grad_out, grad_x);
  });
}

void gather(const Context& context, const Rows& x, Tensor& out) {
  with_types(out.scalar(), x.type, [&](auto sum, auto source) {
    using Sum = decltype(sum);
    using Source = decltype(source);
    const auto* const data = static_cast<const Source*>(x.data);
    Sum* const to = out.data<Sum>();
    constexpr int kMost = kWidest<Sum, Source>;
    const int vector = widest_vector(kMost, x.dim, {{data, sizeof(Source)}, {to, sizeof(Sum)}});
    const ColumnTiling tiling = tile_columns(
        {.columns = x.dim, .value_bytes = sizeof(Source), .num_rows = out.rows()},
        {.vector = vector, .vectors = vectors_per_lane(sizeof(Source), vector)}, context.traits.l2_bytes);
    const auto groups = static_cast<unsigned>(tiling.rows_per_block());
    const LaunchShape shape{.grid = dim3(static_cast<unsigned>(ceil_div(out.rows(), groups)),
                                         static_cast<unsigned>(tiling.num_tiles)),
                            .block = dim3(static_cast<unsigned>(tiling.lanes), groups),
                            .stream = context.stream};
    with_vector<kMost>(vector, [&](auto width) {
      launch(&gather_kernel<Sum, Source, decltype(width)::value>, shape, data, x.ids, out.rows(),
             ColumnSplit{.columns = static_cast<std::int32_t>(x.dim), .tile_columns = tiling.tile_columns}, to);
    });
  });
}

}  // namespace kith::cuda
