#include <cstdint>

#include "kernels/cuda/edge_values.h"
#include "kernels/cuda/search.cuh"
#include "kernels/cuda/threads.cuh"

namespace kith::cuda {
namespace {

template <typename T>
__global__ void edge_values_kernel(const std::int32_t* offsets, std::int32_t num_rows, const float* weights,
                                   std::int32_t num_edges, T* values) {
  const std::int64_t e = thread_index();
  if (e >= num_edges) return;
  if (weights != nullptr) {
    values[e] = static_cast<T>(weights[e]);
  } else {
    const std::int32_t row = row_of_edge(offsets, num_rows, static_cast<std::int32_t>(e));
    values[e] = T{1} / static_cast<T>(offsets[row + 1] - offsets[row]);
  }
}

/// values[i] = weight of the edge edges[i], or 1 / in-degree of destinations[i] where weights is null.
template <typename T>
__global__ void transposed_weights_kernel(const std::int32_t* edges, const std::int32_t* destinations,
                                          const std::int32_t* offsets, const float* weights,
                                          std::int32_t num_edges, T* values) {
  const std::int64_t i = thread_index();
  if (i >= num_edges) return;
  if (weights != nullptr) {
    values[i] = static_cast<T>(__ldg(weights + edges[i]));
  } else {
    const std::int32_t v = destinations[i];
    values[i] = T{1} / static_cast<T>(__ldg(offsets + v + 1) - __ldg(offsets + v));
  }
}

}  // namespace

template <typename T>
void write_edge_values(const Context& context, BlockCsrView block, std::span<const float> weights, T* values) {
  launch(&edge_values_kernel<T>, shape_for(context, block.num_edges()), block.offsets.data(),
         block.num_destinations(), weights.empty() ? nullptr : weights.data(), block.num_edges(), values);
}

template void write_edge_values(const Context&, BlockCsrView, std::span<const float>, float*);
template void write_edge_values(const Context&, BlockCsrView, std::span<const float>, double*);

template <typename T>
void write_transposed_values(const Context& context, const Transposed& transposed, BlockCsrView block,
                             std::span<const float> weights, T* values) {
  launch(&transposed_weights_kernel<T>, shape_for(context, block.num_edges()), transposed.edges(),
         transposed.destinations(), block.offsets.data(), weights.empty() ? nullptr : weights.data(),
         block.num_edges(), values);
}

template void write_transposed_values(const Context&, const Transposed&, BlockCsrView, std::span<const float>,
                                      float*);
template void write_transposed_values(const Context&, const Transposed&, BlockCsrView, std::span<const float>,
                                      double*);

}  // namespace kith::cuda
