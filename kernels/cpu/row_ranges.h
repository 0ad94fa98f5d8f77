// Parallel loops over the rows of an adjacency, whose lengths differ widely.
#pragma once

#include <tbb/parallel_for.h>

#include <algorithm>
#include <cstdint>

namespace kith::cpu {

/// Calls body(first, last) for ranges of rows of about equal work (edges and rows, `dim` values each), in
/// parallel. Ranges may depend on anything: the body must treat each row on its own.
template <typename Offset, typename Body>
void for_row_ranges(const Offset* offsets, std::int64_t num_rows, std::int64_t dim, const Body& body) {
  constexpr std::int64_t kValuesPerTask = 1 << 18;
  const auto work_before = [&](std::int64_t row) {
    return static_cast<std::int64_t>(offsets[row] - offsets[0]) + row;
  };
  const std::int64_t work = work_before(num_rows);
  const std::int64_t num_tasks =
      std::max<std::int64_t>(1, work * std::max<std::int64_t>(dim, 1) / kValuesPerTask);
  const auto first_row = [&](std::int64_t task) {
    const std::int64_t share = work / num_tasks * task + work % num_tasks * task / num_tasks;
    std::int64_t low = 0;
    std::int64_t high = num_rows;
    while (low < high) {
      const std::int64_t middle = (low + high) / 2;
      if (work_before(middle) < share) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  };
  const auto run = [&](std::int64_t task) {
    body(first_row(task), task + 1 == num_tasks ? num_rows : first_row(task + 1));
  };
  if (num_tasks == 1) {
    run(0);
  } else {
    tbb::parallel_for(std::int64_t{0}, num_tasks, run);
  }
}

}  // namespace kith::cpu
