#include <algorithm>
#include <optional>
#include <type_traits>

#include "kernels/cuda/aggregate_max.h"
#include "kernels/cuda/columns.cuh"
#include "kernels/cuda/rows.cuh"
#include "kernels/cuda/tiling.h"
#include "kernels/cuda/transpose.h"
#include "kernels/dispatch.h"

namespace kith::cuda {
namespace {

constexpr int kUnroll = 4;  // source rows that a lane has under way

template <typename T>
inline constexpr int kWidest = std::is_same_v<T, double> ? 1 : 4;

/// out[row] = the largest value of each column over the rows that its edges name, argmax[row] = its edge.
template <typename T, int kVector>
struct LargestValue {
  static constexpr int kBlocksAtOnce = 4;
  using Columns = ColumnsOf<T, kVector>;
  static constexpr int kVectors = Columns::kVectors;
  struct State {
    T value[Columns::kValues];
    std::int32_t edge[Columns::kValues];  ///< -1: none yet
  };

  const T* x;  ///< [rows x columns]
  std::int32_t columns;
  const std::int32_t* sources;
  T* out;                ///< [num_rows x columns]
  std::int32_t* argmax;  ///< [num_rows x columns]

  __device__ State start(const Columns&, std::int64_t) const {
    State state{};
#pragma unroll
    for (int i = 0; i < Columns::kValues; ++i) state.edge[i] = -1;
    return state;
  }

  /// Where values are equal the earlier edge stays. A NaN wins over everything, so it is not lost.
  __device__ __forceinline__ void offer(State& state, int i, T value, std::int32_t edge) const {
    const bool wins = state.edge[i] < 0 || value > state.value[i] || value != value;
    state.value[i] = wins ? value : state.value[i];
    state.edge[i] = wins ? edge : state.edge[i];
  }

  __device__ __forceinline__ void reduce(State& state, const Columns& lane, std::int32_t begin,
                                         std::int32_t end) const {
    for (std::int32_t first = begin; first < end; first += kUnroll) {
      Packed<T, kVector> values[kUnroll][kVectors];
#pragma unroll
      for (int i = 0; i < kUnroll; ++i) {
        const std::int64_t row = __ldcs(sources + min(first + i, end - 1));
#pragma unroll
        for (int k = 0; k < kVectors; ++k) {
          values[i][k] = load_row<kVector>(x + row * columns + lane.readable(k), lane.policy);
        }
      }
#pragma unroll
      for (int i = 0; i < kUnroll; ++i) {
        if (first + i >= end) break;
#pragma unroll
        for (int j = 0; j < Columns::kValues; ++j) {
          offer(state, j, values[i][j / kVector].values[j % kVector], first + i);
        }
      }
    }
  }

  __device__ void merge(State& earlier, const State& later) const {
#pragma unroll
    for (int i = 0; i < Columns::kValues; ++i) {
      if (later.edge[i] >= 0) offer(earlier, i, later.value[i], later.edge[i]);
    }
  }

  __device__ void finish(const State& state, const Columns& lane, std::int64_t row, std::int32_t) const {
#pragma unroll
    for (int k = 0; k < kVectors; ++k) {
      if (!lane.has(k)) continue;
      const std::int64_t at = row * columns + lane.column(k);
      store<kVector>(out + at, state.value + k * kVector);
      store<kVector>(argmax + at, state.edge + k * kVector);
    }
  }
};

/// grad_x[row] += the rows of grad_out that its edges name, in the columns where the edge won.
template <typename T, int kVector>
struct WinnersGradient {
  static constexpr int kPairs = kUnroll / 2;  // each edge reads two rows
  static constexpr int kBlocksAtOnce = 4;
  using Columns = ColumnsOf<T, kVector>;
  static constexpr int kVectors = Columns::kVectors;
  struct State {
    T sum[Columns::kValues];
  };

  const T* grad_out;  ///< [num_destinations x columns]
  const std::int32_t* argmax;
  std::int32_t columns;
  const std::int32_t* destinations;
  const std::int32_t* edges;
  T* grad_x;  ///< [num_rows x columns]

  __device__ State start(const Columns&, std::int64_t) const { return {}; }

  __device__ __forceinline__ void reduce(State& state, const Columns& lane, std::int32_t begin,
                                         std::int32_t end) const {
    for (std::int32_t first = begin; first < end; first += kPairs) {
      Packed<T, kVector> values[kPairs][kVectors];
      Packed<std::int32_t, kVector> winners[kPairs][kVectors];
      std::int32_t edge[kPairs];
#pragma unroll
      for (int i = 0; i < kPairs; ++i) {
        const std::int32_t position = min(first + i, end - 1);
        const std::int64_t row = __ldcs(destinations + position);
        edge[i] = __ldcs(edges + position);
#pragma unroll
        for (int k = 0; k < kVectors; ++k) {
          values[i][k] = load_row<kVector>(grad_out + row * columns + lane.readable(k), lane.policy);
          winners[i][k] = load_row<kVector>(argmax + row * columns + lane.readable(k), lane.policy);
        }
      }
#pragma unroll
      for (int i = 0; i < kPairs; ++i) {
        if (first + i >= end) break;
#pragma unroll
        for (int j = 0; j < Columns::kValues; ++j) {
          const bool won = winners[i][j / kVector].values[j % kVector] == edge[i];
          state.sum[j] += won ? values[i][j / kVector].values[j % kVector] : T{0};
        }
      }
    }
  }

  __device__ void merge(State& earlier, const State& later) const {
#pragma unroll
    for (int i = 0; i < Columns::kValues; ++i) earlier.sum[i] += later.sum[i];
  }

  __device__ void finish(const State& state, const Columns& lane, std::int64_t row,
                         std::int32_t num_edges) const {
    if (num_edges == 0) return;
#pragma unroll
    for (int k = 0; k < kVectors; ++k) {
      if (lane.has(k)) add<kVector>(grad_x + row * columns + lane.column(k), state.sum + k * kVector);
    }
  }
};

}  // namespace

void aggregate_max(const Context& context, BlockCsrView block, const Tensor& x, Tensor& out,
                   std::span<std::int32_t> argmax) {
  with_scalar(out.scalar(), [&](auto zero) {
    using T = decltype(zero);
    const T* const from = x.data<T>();
    T* const to = out.data<T>();
    const int vector = widest_vector(
        kWidest<T>, x.cols(), {{from, sizeof(T)}, {to, sizeof(T)}, {argmax.data(), sizeof(std::int32_t)}});
    const RowReads reads{.columns = x.cols(),
                         .value_bytes = sizeof(T),
                         .num_rows = std::min(block.num_sources, block.num_edges()),
                         .num_reads = block.num_edges()};
    with_vector<kWidest<T>>(vector, [&](auto width) {
      launch_rows(context, block.offsets.data(), out.rows(), reads,
                  LargestValue<T, decltype(width)::value>{.x = from,
                                                          .columns = static_cast<std::int32_t>(x.cols()),
                                                          .sources = block.sources.data(),
                                                          .out = to,
                                                          .argmax = argmax.data()});
    });
  });
}

void aggregate_max_backward(const Context& context, BlockCsrView block, std::span<const std::int32_t> argmax,
                            const Tensor& grad_out, Tensor& grad_x) {
  std::optional<Transposed> own;
  const Transposed& transposed = transposed_of(context, block, own);
  with_scalar(grad_x.scalar(), [&](auto zero) {
    using T = decltype(zero);
    const T* const from = grad_out.data<T>();
    T* const to = grad_x.data<T>();
    const int vector = widest_vector(
        kWidest<T>, grad_x.cols(), {{from, sizeof(T)}, {to, sizeof(T)}, {argmax.data(), sizeof(std::int32_t)}});
    const RowReads reads{.columns = grad_x.cols(),
                         .value_bytes = sizeof(T),
                         .num_rows = std::min(block.num_destinations(), block.num_edges()),
                         .num_reads = block.num_edges()};
    with_vector<kWidest<T>>(vector, [&](auto width) {
      launch_rows(
          context, transposed.offsets(), block.num_sources, reads,
          WinnersGradient<T, decltype(width)::value>{.grad_out = from,
                                                     .argmax = argmax.data(),
                                                     .columns = static_cast<std::int32_t>(grad_x.cols()),
                                                     .destinations = transposed.destinations(),
                                                     .edges = transposed.edges(),
                                                     .grad_x = to});
    });
  });
}

}  // namespace kith::cuda
