#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/cuda/edge_ops.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/rows.cuh"
#include "kernels/dispatch.h"

namespace kith::cuda {
namespace {

/// Threads that reduce the edges of one row together, each for one head: `num_parts` of them for every head.
/// reduce() gives all threads of a head the same value; combine must not depend on the order of its arguments.
struct WarpTeam {
  int part;
  int num_parts;
  int num_heads;  ///< of the team: a power of two

  template <typename T, typename Combine>
  __device__ T reduce(T value, const Combine& combine) const {
    const int lanes = num_parts * num_heads;  // at most a warp, so these lanes and no others are in the mask
    const unsigned all = lanes == kWarpSize ? ~0U : (1U << lanes) - 1;
    const unsigned first = (threadIdx.y * static_cast<unsigned>(lanes)) % kWarpSize;
    for (int step = num_heads; step < lanes; step *= 2) {
      value = combine(value, __shfl_xor_sync(all << first, value, step));
    }
    return value;
  }
};

/// The same, by all threads of a block.
struct BlockTeam {
  int part;
  int num_parts;
  int num_heads;

  template <typename T, typename Combine>
  __device__ T reduce(T value, const Combine& combine) const {
    T* const values = shared_memory<T>();
    const int thread = static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x);
    values[thread] = value;
    for (int step = num_parts / 2; step > 0; step /= 2) {
      __syncthreads();
      if (part < step) values[thread] = combine(values[thread], values[thread + step * num_heads]);
    }
    __syncthreads();
    const T result = values[thread % num_heads];
    __syncthreads();  // before the next use
    return result;
  }
};

struct Largest {
  template <typename T>
  __device__ T operator()(T a, T b) const {
    return a < b ? b : a;
  }
};

struct Plus {
  template <typename T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};

__device__ inline float exponential(float x) { return expf(x); }
__device__ inline double exponential(double x) { return exp(x); }

/// Sums are in double: a row may be a hub. A thread without a head of its own reads nothing, but takes part.
template <typename T>
struct Softmax {
  const T* scores;  ///< [num_edges x num_heads]
  T* out;
  std::int32_t num_heads;

  template <typename Team>
  __device__ void run(const Team& team, std::int32_t begin, std::int32_t end, std::int32_t head) const {
    const std::int64_t first = std::int64_t{begin + team.part} * num_heads + head;
    const std::int64_t last = head < num_heads ? std::int64_t{end} * num_heads : 0;
    const std::int64_t step = std::int64_t{team.num_parts} * num_heads;
    T largest = static_cast<T>(-INFINITY);
    for (std::int64_t i = first; i < last; i += step) largest = Largest{}(largest, scores[i]);
    largest = team.reduce(largest, Largest{});  // without it the exponentials of large scores would overflow
    double sum = 0;
    for (std::int64_t i = first; i < last; i += step) {
      sum += static_cast<double>(exponential(scores[i] - largest));
    }
    const T scale = static_cast<T>(1 / team.reduce(sum, Plus{}));
    for (std::int64_t i = first; i < last; i += step) out[i] = exponential(scores[i] - largest) * scale;
  }
};

/// grad = out * (grad_out - <out, grad_out>), a head at a time.
template <typename T>
struct SoftmaxGradient {
  const T* softmax;  ///< [num_edges x num_heads]
  const T* grad_out;
  T* out;
  std::int32_t num_heads;

  template <typename Team>
  __device__ void run(const Team& team, std::int32_t begin, std::int32_t end, std::int32_t head) const {
    const std::int64_t first = std::int64_t{begin + team.part} * num_heads + head;
    const std::int64_t last = head < num_heads ? std::int64_t{end} * num_heads : 0;
    const std::int64_t step = std::int64_t{team.num_parts} * num_heads;
    double dot = 0;
    for (std::int64_t i = first; i < last; i += step) {
      dot += static_cast<double>(softmax[i]) * static_cast<double>(grad_out[i]);
    }
    const T mean = static_cast<T>(team.reduce(dot, Plus{}));
    for (std::int64_t i = first; i < last; i += step) out[i] = softmax[i] * (grad_out[i] - mean);
  }
};

/// Runs `work` on every row and head. Block: [lanes of a team x teams], a row each; a lane is head + part *
/// heads. Blocks along y share out the heads, `team_heads` at a time.
template <typename Work>
__global__ void __launch_bounds__(kBlockThreads)
    edge_rows_kernel(const std::int32_t* offsets, std::int32_t num_rows, int team_heads, Work work) {
  const std::int64_t first_row = static_cast<std::int64_t>(blockIdx.x) * blockDim.y;
  const std::int64_t row = first_row + threadIdx.y;
  const int lane = static_cast<int>(threadIdx.x);
  const auto head = static_cast<std::int32_t>(blockIdx.y) * team_heads + lane % team_heads;
  bool is_hub = false;
  if (row < num_rows) {
    const std::int32_t begin = offsets[row];
    const std::int32_t end = offsets[row + 1];
    is_hub = end - begin > kHubEdges;
    const WarpTeam team{.part = lane / team_heads,
                        .num_parts = static_cast<int>(blockDim.x) / team_heads,
                        .num_heads = team_heads};
    if (!is_hub) work.run(team, begin, end, head);
  }
  if (__syncthreads_or(is_hub ? 1 : 0) == 0) return;
  const int thread = static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x);
  const BlockTeam team{
      .part = thread / team_heads, .num_parts = kBlockThreads / team_heads, .num_heads = team_heads};
  for (std::int64_t hub = first_row; hub < min(first_row + blockDim.y, std::int64_t{num_rows}); ++hub) {
    const std::int32_t begin = offsets[hub];
    const std::int32_t end = offsets[hub + 1];
    if (end - begin > kHubEdges) work.run(team, begin, end, head);
  }
}

/// A team has a lane for each head, up to a warp, and several if the rows are long on average.
template <typename Work>
void launch_edge_rows(const Context& context, BlockCsrView block, std::int32_t num_heads, const Work& work) {
  const std::int32_t num_rows = block.num_destinations();
  if (num_rows == 0) return;
  const auto heads = static_cast<int>(std::bit_ceil(static_cast<unsigned>(std::min(num_heads, kWarpSize))));
  const auto edges_per_row = static_cast<unsigned>(block.num_edges() / num_rows);
  const auto parts = static_cast<int>(std::bit_floor(std::max(edges_per_row / 2, 1U)));
  const int lanes = std::min(heads * parts, kWarpSize);
  const auto teams = static_cast<unsigned>(kBlockThreads / lanes);
  launch(&edge_rows_kernel<Work>,
         LaunchShape{.grid = dim3(static_cast<unsigned>(ceil_div(num_rows, teams)),
                                  static_cast<unsigned>(ceil_div(num_heads, heads))),
                     .block = dim3(static_cast<unsigned>(lanes), teams),
                     .shared_bytes = kBlockThreads * sizeof(double),
                     .stream = context.stream},
         block.offsets.data(), num_rows, heads, work);
}

}  // namespace

void edge_softmax(const Context& context, BlockCsrView block, const Tensor& scores, Tensor& out) {
  with_scalar(out.scalar(), [&](auto zero) {
    using T = decltype(zero);
    const auto heads = static_cast<std::int32_t>(scores.cols());
    launch_edge_rows(context, block, heads,
                     Softmax<T>{.scores = scores.data<T>(), .out = out.data<T>(), .num_heads = heads});
  });
}

void edge_softmax_backward(const Context& context, BlockCsrView block, const Tensor& out,
                           const Tensor& grad_out, Tensor& grad_scores) {
  with_scalar(out.scalar(), [&](auto zero) {
    using T = decltype(zero);
    const auto heads = static_cast<std::int32_t>(out.cols());
    launch_edge_rows(context, block, heads,
                     SoftmaxGradient<T>{.softmax = out.data<T>(),
                                        .grad_out = grad_out.data<T>(),
                                        .out = grad_scores.data<T>(),
                                        .num_heads = heads});
  });
}

}  // namespace kith::cuda
