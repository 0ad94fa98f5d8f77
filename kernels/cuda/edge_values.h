// The value of every edge of a block, for libraries that know no mean.
#pragma once

#include <span>

#include "graph/views.h"
#include "kernels/cuda/context.h"
#include "kernels/cuda/transpose.h"

namespace kith::cuda {

/// values[e] = weights[e], or 1 / in-degree in the block where there are no weights. values: [num_edges], T
/// float or double.
template <typename T>
void write_edge_values(const Context& context, BlockCsrView block, std::span<const float> weights, T* values);

extern template void write_edge_values(const Context&, BlockCsrView, std::span<const float>, float*);
extern template void write_edge_values(const Context&, BlockCsrView, std::span<const float>, double*);

/// The same in the order of the block by source.
template <typename T>
void write_transposed_values(const Context& context, const Transposed& transposed, BlockCsrView block,
                             std::span<const float> weights, T* values);

extern template void write_transposed_values(const Context&, const Transposed&, BlockCsrView,
                                             std::span<const float>, float*);
extern template void write_transposed_values(const Context&, const Transposed&, BlockCsrView,
                                             std::span<const float>, double*);

}  // namespace kith::cuda
