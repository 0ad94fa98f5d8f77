#include "datasets/source_parts.h"

#include <algorithm>
#include <utility>

#include "graph/errors.h"

namespace kith {

NodeId checked_num_nodes(std::int64_t count, std::int64_t file_bytes, const std::string& where) {
  const std::int64_t most =
      std::min(kMaxNodes, std::max(std::int64_t{1} << 22, 16 * std::min(file_bytes, kMaxNodes)));
  KITH_CHECK(count >= 0 && count <= most, IoError, where, ": the number of nodes must lie in 0..", most,
             " for a file of ", file_bytes, " bytes, got ", count);
  return static_cast<NodeId>(count);
}

void check_num_edges(std::int64_t count, std::int64_t file_bytes, const std::string& where) {
  constexpr std::int64_t kMostBytes = std::int64_t{1} << 56;
  const std::int64_t most = std::max(std::int64_t{1} << 24, 64 * std::min(file_bytes, kMostBytes));
  KITH_CHECK(count <= most, IoError, where, ": at most ", most, " edges are read from a file of ", file_bytes,
             " bytes, got ", count);
}

void check_sparse_width(std::int64_t width, std::int64_t num_values, std::int64_t usual,
                        const std::string& where) {
  KITH_CHECK(width <= std::max(usual, num_values), IoError, where, ": says ", width,
             " columns, but there are only ", num_values, " values");
}

std::int32_t checked_class(std::int64_t value, const std::string& where) {
  KITH_CHECK(value >= kNoLabel && value < kMaxClasses, IoError, where, ": a class must lie in -1..",
             kMaxClasses - 1, ", got ", value);
  return static_cast<std::int32_t>(value);
}

Labels single_labels(std::vector<std::int32_t> of_node) {
  const auto largest = std::max_element(of_node.begin(), of_node.end());
  if (largest == of_node.end() || *largest == kNoLabel) {
    return {};
  }
  Labels labels;
  labels.num_classes = *largest + 1;
  labels.of_node = std::move(of_node);
  return labels;
}

}  // namespace kith
