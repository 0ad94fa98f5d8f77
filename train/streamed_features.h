// Features that a device has no room for, brought to it part by part: for evaluation, which reads all of them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/feature_store.h"
#include "graph/types.h"
#include "graph/views.h"
#include "kernels/backend.h"

namespace kith {

/// Some rows on the device, as operations read them. May be destroyed once they are launched.
struct StreamedRows {
  FeatureView table;            ///< of these rows alone
  std::span<const NodeId> ids;  ///< [num_nodes] row of `table` for each node it has; empty: not asked for
  DeviceArrays arrays;          ///< what `table` refers to
  Tensor numbers;               ///< what `ids` refers to

  TableRows rows() const { return {.table = table, .ids = ids}; }
};

/// Reads a table in host memory, or mapped there. One thread at a time.
class StreamedFeatures {
 public:
  /// graph: in host memory, the one that is aggregated over. All must outlive it.
  StreamedFeatures(Backend& backend, FeatureView table, CsrView graph);

  /// Nodes [first, first + count).
  StreamedRows nodes(std::int64_t first, std::int64_t count);

  /// All nodes that the lists of nodes [first, first + count) name.
  StreamedRows neighbors_of(std::int64_t first, std::int64_t count);

 private:
  Backend& backend_;
  FeatureView table_;
  CsrView graph_;
  std::vector<std::int64_t> last_use_;  ///< [num_nodes] the part that named a node last
  std::int64_t num_parts_ = 0;
  std::vector<std::byte> packed_;  ///< rows of one part; kept, as fresh memory costs more
};

}  // namespace kith
