// Private to sampler/: the order in which an epoch visits its roots, before it is cut into batches.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/communities.h"
#include "graph/types.h"
#include "sampler/plan.h"

namespace kith {

/// Positions in a list of roots, run by run.
struct RootOrder {
  std::vector<std::int64_t> positions;   ///< [num_roots]
  std::vector<std::int64_t> run_bounds;  ///< [num_runs + 1] into positions; a run is a super-community
  std::int64_t num_full_runs = 0;        ///< runs of as many communities as the options ask for
};

/// See make_plan.
RootOrder order_roots(std::span<const NodeId> roots, std::span<const Communities> levels,
                      const PlanOptions& options);

}  // namespace kith
