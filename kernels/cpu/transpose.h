// A block by source, for gradients: each source then sums on its own, in a fixed order.
#pragma once

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>

#include "graph/views.h"
#include "kernels/cpu/buffer_pool.h"
#include "kernels/tensor.h"

namespace kith::cpu {

/// Row u lists the destinations that u sends to, in ascending order, with a value of each edge.
template <typename Value>
class Transposed {
 public:
  Transposed(BlockCsrView block, BufferPool& pool)
      : offsets_(pool.acquire((block.num_sources + std::size_t{1}) * sizeof(std::int32_t))),
        destinations_(pool.acquire(block.sources.size() * sizeof(std::int32_t))),
        values_(pool.acquire(block.sources.size() * sizeof(Value))) {}

  std::int32_t* offsets() { return reinterpret_cast<std::int32_t*>(offsets_.get()); }  ///< [num_sources + 1]
  std::int32_t* destinations() { return reinterpret_cast<std::int32_t*>(destinations_.get()); }  ///< [edges]
  Value* values() { return reinterpret_cast<Value*>(values_.get()); }                            ///< [edges]

 private:
  Tensor::Buffer offsets_, destinations_, values_;
};

/// Stable counting sort of the edges by source, in `num_parts` parallel parts of the destinations. Stable, so
/// the result does not depend on num_parts. values_of(v)(e): what to keep of edge e to destination v.
template <typename Value, typename ValuesOf>
class Transposition {
 public:
  Transposition(BlockCsrView block, BufferPool& pool, const ValuesOf& values_of)
      : block_(block), pool_(pool), values_of_(values_of) {
    constexpr std::int64_t kEdgesPerPart = 1 << 15;
    const std::int64_t threads = std::min<std::int64_t>(tbb::this_task_arena::max_concurrency(), 8);
    num_parts_ = std::clamp<std::int64_t>(block.num_edges() / kEdgesPerPart, 1, threads);
  }

  Transposed<Value> run() {
    const auto num_sources = static_cast<std::int64_t>(block_.num_sources);
    Transposed<Value> result(block_, pool_);
    Tensor::Buffer cursor_buffer = pool_.acquire(num_parts_ * num_sources * sizeof(std::int32_t));
    auto* const cursors = reinterpret_cast<std::int32_t*>(cursor_buffer.get());
    tbb::parallel_for(std::int64_t{0}, num_parts_,
                      [&](std::int64_t part) { count(part, cursors + part * num_sources); });
    turn_counts_to_cursors(cursors, result.offsets());
    tbb::parallel_for(std::int64_t{0}, num_parts_,
                      [&](std::int64_t part) { place(part, cursors + part * num_sources, result); });
    return result;
  }

 private:
  std::int64_t first_destination(std::int64_t part) const {
    return block_.num_destinations() * part / num_parts_;
  }

  void count(std::int64_t part, std::int32_t* counts) const {
    std::fill_n(counts, block_.num_sources, 0);
    const std::int32_t begin = block_.offsets[first_destination(part)];
    const std::int32_t end = block_.offsets[first_destination(part + 1)];
    for (std::int32_t e = begin; e < end; ++e) {
      ++counts[block_.sources[e]];
    }
  }

  void turn_counts_to_cursors(std::int32_t* counts, std::int32_t* offsets) const {
    std::int32_t total = 0;
    for (std::int64_t u = 0; u < block_.num_sources; ++u) {
      offsets[u] = total;
      for (std::int64_t part = 0; part < num_parts_; ++part) {
        std::int32_t& cursor = counts[part * block_.num_sources + u];
        total += std::exchange(cursor, total);
      }
    }
    offsets[block_.num_sources] = total;
  }

  void place(std::int64_t part, std::int32_t* cursors, Transposed<Value>& result) const {
    std::int32_t* const destinations = result.destinations();
    Value* const values = result.values();
    for (std::int64_t v = first_destination(part); v < first_destination(part + 1); ++v) {
      const auto value_of = values_of_(v);
      for (std::int32_t e = block_.offsets[v]; e < block_.offsets[v + 1]; ++e) {
        const std::int32_t position = cursors[block_.sources[e]]++;
        destinations[position] = static_cast<std::int32_t>(v);
        values[position] = value_of(e);
      }
    }
  }

  BlockCsrView block_;
  BufferPool& pool_;
  const ValuesOf& values_of_;
  std::int64_t num_parts_ = 1;
};

/// Keeps the number of each edge.
inline constexpr auto edge_numbers = [](std::int64_t) { return std::identity{}; };

/// `block` by source. Scratch comes from `pool`.
template <typename Value, typename ValuesOf>
Transposed<Value> transpose(BlockCsrView block, BufferPool& pool, const ValuesOf& values_of) {
  return Transposition<Value, ValuesOf>(block, pool, values_of).run();
}

}  // namespace kith::cpu
