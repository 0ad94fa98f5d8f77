#include "kernels/block_check.h"

#include <algorithm>

#include "graph/errors.h"

namespace kith {

void check_block(std::string_view who, BlockCsrView block) {
  KITH_CHECK(block.num_sources >= 0, InvalidArgument, who, ": num_src must be >= 0, got ", block.num_sources);
  KITH_CHECK(!block.offsets.empty() && block.offsets.front() == 0, InvalidArgument, who,
             ": indptr must start with 0, got ",
             block.offsets.empty() ? "no values" : concat(block.offsets.front()));
  const auto fall = std::ranges::adjacent_find(block.offsets, std::ranges::greater{});
  KITH_CHECK(fall == block.offsets.end(), InvalidArgument, who, ": indptr must not fall, got ", *fall,
             " before ", *std::next(fall), " at position ", fall - block.offsets.begin());
  KITH_CHECK(static_cast<std::size_t>(block.offsets.back()) == block.sources.size(), InvalidArgument, who,
             ": indptr must end with the number of indices (", block.sources.size(), "), got ",
             block.offsets.back());
  const auto is_outside = [&](std::int32_t u) { return u < 0 || u >= block.num_sources; };
  const auto outside = std::ranges::find_if(block.sources, is_outside);
  KITH_CHECK(outside == block.sources.end(), InvalidArgument, who, ": indices must be in [0, ",
             block.num_sources, "), got ", *outside, " at position ", outside - block.sources.begin());
}

}  // namespace kith
