// One block of threads: the execution model that __syncthreads and the warp functions are made of.
#pragma once

#include <cstdint>
#include <functional>
#include <source_location>
#include <vector>

#include "tests/support/cuda/vector_types.h"

namespace kith::emulation {

inline constexpr unsigned kWarpSize = 32;

/// What the lanes of a warp do together.
enum class WarpOp : std::uint8_t {
  sync,
  shuffle,
  ballot,
  match,
  reduce_add,
  reduce_min_signed,
  reduce_min_unsigned,
  reduce_max_signed,
  reduce_max_unsigned,
  reduce_and,
  reduce_or,
  reduce_xor
};

/// One lane's part in it.
struct WarpCall {
  WarpOp op = WarpOp::sync;
  unsigned mask = 0;        ///< lanes that take part
  std::uint64_t value = 0;  ///< what this lane gives
  unsigned source = 0;      ///< shuffle: the lane to read
};

/// What __syncthreads and its kin count: threads that came with a true predicate.
struct BarrierResult {
  int num_true = 0;
  int num_threads = 0;
};

/// Waits for all threads of the block that have not returned. They must all wait at the same place in the
/// source.
BarrierResult block_barrier(bool predicate, const std::source_location& where);

/// Waits for the lanes of call.mask that have not returned, which must make the same call with the same mask.
std::uint64_t warp_together(const WarpCall& call, const std::source_location& where);

/// Lane of the running thread in its warp.
unsigned lane_id();

/// Runs `body` once a thread. Threads go on in the order given (numbers of threads, x fastest), each until it
/// waits or ends. Throws Violation where threads wait for each other for ever.
void run_block(dim3 block, const std::vector<unsigned>& order, const std::function<void()>& body);

}  // namespace kith::emulation

// Set for the thread that runs. They are the kernel's to read only.
extern uint3 threadIdx;
extern uint3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;
inline constexpr int warpSize = kith::emulation::kWarpSize;
