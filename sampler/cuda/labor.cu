// LABOR's choice: of each row the neighbours with the smallest variates. A block a row: it finds the variate at
// the threshold digit by digit, most significant first, and then takes what lies below it in the order of the
// row.
#include "kernels/cuda/threads.cuh"
#include "sampler/cuda/hop.h"

namespace kith::cuda {
namespace {

constexpr int kRowThreads = 128;
constexpr int kRowWarps = kRowThreads / kWarpSize;
constexpr int kDigitBits = 5;  ///< so that a warp has a bin of the histogram a lane
static_assert(1 << kDigitBits == kWarpSize);

/// The members of one class of a row, and their variates.
struct Candidates {
  const NodeId* row = nullptr;  ///< neighbours of the whole row
  RowClass members;
  RngStream shared;

  __device__ std::uint64_t variate(std::int32_t i) const {
    return shared.first64(static_cast<std::uint32_t>(row[members[i]]));
  }
};

/// What is chosen: the members whose variate >> shift is below `key`, and the first num_equal of those where it
/// is equal.
struct Threshold {
  std::uint64_t key = 0;
  int shift = 64;
  std::int32_t num_equal = 0;
};

__device__ std::int32_t sum_up_to_lane(std::int32_t value) {
  const auto lane = static_cast<int>(threadIdx.x % kWarpSize);
  for (int distance = 1; distance < kWarpSize; distance *= 2) {
    const std::int32_t before = __shfl_up_sync(kFullWarp, value, distance);
    if (lane >= distance) value += before;
  }
  return value;
}

/// Called by the whole block, and returns the same in all of it. 0 < count < candidates.members.size; bins:
/// shared, [kWarpSize].
__device__ Threshold find_threshold(const Candidates& candidates, std::int32_t count, std::int32_t* bins) {
  Threshold found{.num_equal = count};
  while (true) {
    const int digit_bits = found.shift < kDigitBits ? found.shift : kDigitBits;
    const int shift = found.shift - digit_bits;
    if (threadIdx.x < kWarpSize) bins[threadIdx.x] = 0;
    __syncthreads();
    for (auto i = static_cast<std::int32_t>(threadIdx.x); i < candidates.members.size; i += kRowThreads) {
      const std::uint64_t variate = candidates.variate(i);
      const bool is_left = found.shift == 64 || variate >> found.shift == found.key;
      if (is_left) atomicAdd(&bins[(variate >> shift) & ((1U << digit_bits) - 1)], 1);
    }
    __syncthreads();
    // Every warp reads the whole histogram, so all threads know the digit. Those before it are all chosen.
    const std::int32_t in_bin = bins[threadIdx.x % kWarpSize];
    const std::int32_t up_to = sum_up_to_lane(in_bin);
    const int digit = __popc(__ballot_sync(kFullWarp, up_to < found.num_equal));
    const std::int32_t num_before = __shfl_sync(kFullWarp, up_to - in_bin, digit);
    const std::int32_t num_left = __shfl_sync(kFullWarp, in_bin, digit);
    found = {.key = found.key << digit_bits | static_cast<std::uint64_t>(digit),
             .shift = shift,
             .num_equal = found.num_equal - num_before};
    __syncthreads();
    if (num_left == found.num_equal || shift == 0) return found;
  }
}

/// Writes the positions of the chosen ones, ascending. Called by the whole block; votes: shared, [2 *
/// kRowWarps].
__device__ void take(const Candidates& candidates, const Threshold& threshold, std::int32_t count,
                     std::int32_t* votes, std::int32_t* out) {
  const auto lane = static_cast<int>(threadIdx.x % kWarpSize), warp = static_cast<int>(threadIdx.x / kWarpSize);
  const unsigned lanes_before = (1U << lane) - 1;
  std::int32_t num_below = 0, num_equal = 0;  // in the tiles before
  for (std::int32_t tile = 0; num_below + min(num_equal, threshold.num_equal) < count; tile += kRowThreads) {
    const std::int32_t i = tile + static_cast<std::int32_t>(threadIdx.x);
    const bool is_member = i < candidates.members.size;
    const std::uint64_t key = is_member ? candidates.variate(i) >> threshold.shift : 0;
    const bool is_below = is_member && key < threshold.key, is_equal = is_member && key == threshold.key;
    const unsigned below = __ballot_sync(kFullWarp, is_below), equal = __ballot_sync(kFullWarp, is_equal);
    if (lane == 0) {
      votes[warp] = __popc(below);
      votes[kRowWarps + warp] = __popc(equal);
    }
    __syncthreads();
    std::int32_t below_before = num_below + __popc(below & lanes_before);
    std::int32_t equal_before = num_equal + __popc(equal & lanes_before);
    for (int w = 0; w < kRowWarps; ++w) {
      below_before += w < warp ? votes[w] : 0;
      equal_before += w < warp ? votes[kRowWarps + w] : 0;
      num_below += votes[w];
      num_equal += votes[kRowWarps + w];
    }
    if (is_below || (is_equal && equal_before < threshold.num_equal)) {
      out[below_before + min(equal_before, threshold.num_equal)] = candidates.members[i];
    }
    __syncthreads();
  }
}

/// The whole block chooses `count` of one class. shared: [kWarpSize + 2 * kRowWarps].
__device__ void choose(const Candidates& candidates, std::int32_t count, std::int32_t* shared,
                       std::int32_t* out) {
  if (count == candidates.members.size) {
    for (auto i = static_cast<std::int32_t>(threadIdx.x); i < count; i += kRowThreads) {
      out[i] = candidates.members[i];
    }
  } else if (count > 0) {
    take(candidates, find_threshold(candidates, count, shared), count, shared + kWarpSize, out);
  }
}

/// Block i: row i of the frontier, whose num_inside is drawn.
__global__ void choose_kernel(Hop hop) {
  const std::int64_t i = blockIdx.x;
  const std::int32_t begin = hop.offsets[hop.first + i];
  const std::int32_t count = hop.offsets[hop.first + i + 1] - begin;
  const HopRow found = hop.rows[i];
  const DrawRow row = found.row();
  std::int32_t* const shared = shared_memory<std::int32_t>();
  std::int32_t* const out = hop.sources + begin;
  Candidates candidates{.row = hop.graph.neighbors + row.begin, .members = {}, .shared = hop.streams.shared};
  if (draws_both_classes(hop.rule, row)) {
    candidates.members = RowClass::inside(row);
    choose(candidates, found.num_inside, shared, out);
    candidates.members = RowClass::outside(row);
    choose(candidates, count - found.num_inside, shared, out + found.num_inside);
  } else {
    candidates.members = only_class(hop.rule, row, count);
    choose(candidates, count, shared, out);
  }
}

}  // namespace

void choose_smallest(const Context& context, const Hop& hop) {
  launch(choose_kernel,
         {.grid = dim3(static_cast<unsigned>(hop.num_rows())),
          .block = dim3(kRowThreads),
          .shared_bytes = (kWarpSize + 2 * kRowWarps) * sizeof(std::int32_t),
          .stream = context.stream},
         hop);
}

}  // namespace kith::cuda
