// A block by source, for gradients: each source then sums on its own, in a fixed order.
#pragma once

#include <cstdint>
#include <optional>

#include "graph/views.h"
#include "kernels/cuda/context.h"
#include "kernels/tensor.h"

namespace kith::cuda {

/// Row u lists the destinations that u sends to, in the order of the edges of the block, hence ascending. All
/// arrays are on the device.
struct Transposed {
  std::int32_t num_sources = 0;
  std::int32_t num_destinations = 0;
  std::int32_t num_edges = 0;
  Tensor::Buffer offsets_buffer, destinations_buffer, edges_buffer;

  const std::int32_t* offsets() const { return array_of<std::int32_t>(offsets_buffer); }  ///< [num_sources + 1]
  const std::int32_t* destinations() const {
    return array_of<std::int32_t>(destinations_buffer);
  }  ///< [num_edges]
  const std::int32_t* edges() const {
    return array_of<std::int32_t>(edges_buffer);
  }  ///< their numbers in the block
  /// As a block of its own: sources are the destinations. memo: of the block, if it keeps this.
  BlockCsrView view(Memo* memo = nullptr) const {
    return {.num_sources = num_destinations,
            .offsets = {offsets(), static_cast<std::size_t>(num_sources) + 1},
            .sources = {destinations(), static_cast<std::size_t>(num_edges)},
            .memo = memo};
  }
};

/// `block` by source: a stable radix sort, so the same block gives the same result, bit for bit. Scratch (20
/// bytes an edge and more) comes from context.memory.
Transposed transpose(const Context& context, BlockCsrView block);

/// The same, made once for all operations on a block that has a memo; for one without, it is put into `own`.
const Transposed& transposed_of(const Context& context, BlockCsrView block, std::optional<Transposed>& own);

}  // namespace kith::cuda
