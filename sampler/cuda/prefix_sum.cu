#include <cub/cub.cuh>

#include "kernels/cuda/check.h"
#include "sampler/cuda/prefix_sum.h"

namespace kith::cuda {
namespace {

/// For CUB's default tuning: that of its own sum spills registers on sm_90.
struct Add {
  constexpr std::uint32_t operator()(std::uint32_t a, std::uint32_t b) const { return a + b; }
};

}  // namespace

void add_up(const Context& context, std::uint32_t* values, std::int64_t count) {
  const auto scan = [&](void* scratch, std::size_t& bytes) {
    CUDA_CHECK(cub::DeviceScan::InclusiveScan(scratch, bytes, values, values, Add{}, count, context.stream));
  };
  std::size_t bytes = 0;
  scan(nullptr, bytes);
  const Tensor::Buffer scratch = context.memory.acquire(bytes);
  scan(scratch.get(), bytes);
}

}  // namespace kith::cuda
