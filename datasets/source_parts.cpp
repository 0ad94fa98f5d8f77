#include "datasets/source_parts.h"

#include <algorithm>
#include <utility>

#include "graph/errors.h"

namespace kith {

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
