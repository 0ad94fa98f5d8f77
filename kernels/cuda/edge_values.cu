#include <cstdint>

#include "kernels/cuda/edge_values.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/search.cuh"

namespace kith::cuda {
namespace {

constexpr int kThreads = 256;

template <typename T>
__global__ void edge_values_kernel(const std::int32_t* offsets, std::int32_t num_rows, const float* weights,
                                   std::int32_t num_edges, T* values) {
  const std::int64_t e = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (e >= num_edges) return;
  if (weights != nullptr) {
    values[e] = static_cast<T>(weights[e]);
  } else {
    const std::int32_t row = row_of_edge(offsets, num_rows, static_cast<std::int32_t>(e));
    values[e] = T{1} / static_cast<T>(offsets[row + 1] - offsets[row]);
  }
}

}  // namespace

template <typename T>
void write_edge_values(const Context& context, BlockCsrView block, std::span<const float> weights, T* values) {
  launch(&edge_values_kernel<T>,
         LaunchShape{.grid = dim3(static_cast<unsigned>(ceil_div(block.num_edges(), kThreads))),
                     .block = dim3(kThreads),
                     .stream = context.stream},
         block.offsets.data(), block.num_destinations(), weights.empty() ? nullptr : weights.data(),
         block.num_edges(), values);
}

template void write_edge_values(const Context&, BlockCsrView, std::span<const float>, float*);
template void write_edge_values(const Context&, BlockCsrView, std::span<const float>, double*);

}  // namespace kith::cuda
