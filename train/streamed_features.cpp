#include "train/streamed_features.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace kith {

StreamedFeatures::StreamedFeatures(Backend& backend, FeatureView table, CsrView graph)
    : backend_(backend), table_(table), graph_(graph) {}

StreamedRows StreamedFeatures::nodes(std::int64_t first, std::int64_t count) {
  StreamedRows out{.table = table_.rows(first, count), .ids = {}, .arrays = {}, .numbers = {}};
  const std::size_t bytes = static_cast<std::size_t>(count) * table_.row_bytes();
  out.arrays = backend_.to_device(std::span(out.table.data, bytes));
  backend_.wait_for(out.arrays);
  out.table.data = out.arrays.get<std::byte>(0).data();
  return out;
}

StreamedRows StreamedFeatures::neighbors_of(std::int64_t first, std::int64_t count) {
  const std::int64_t part = ++num_parts_;
  last_use_.resize(static_cast<std::size_t>(graph_.num_nodes()));
  std::vector<NodeId> nodes;
  const EdgeOffset end = graph_.offsets[static_cast<std::size_t>(first + count)];
  for (EdgeOffset e = graph_.offsets[static_cast<std::size_t>(first)]; e < end; ++e) {
    const NodeId node = graph_.neighbors[static_cast<std::size_t>(e)];
    if (std::exchange(last_use_[static_cast<std::size_t>(node)], part) != part) nodes.push_back(node);
  }
  std::ranges::sort(nodes);  // so that the table is read forwards
  const std::size_t row_bytes = table_.row_bytes();
  const std::size_t bytes = nodes.size() * row_bytes;
  packed_.resize(std::max(packed_.size(), bytes));
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    std::memcpy(packed_.data() + i * row_bytes, table_.row(nodes[i]), row_bytes);
  }
  StreamedRows out{.table = table_, .ids = {}, .arrays = {}, .numbers = {}};
  out.arrays =
      backend_.to_device(std::span<const std::byte>(packed_.data(), bytes), std::span<const NodeId>(nodes));
  backend_.wait_for(out.arrays);
  out.table.data = out.arrays.get<std::byte>(0).data();
  out.table.num_rows = static_cast<std::int64_t>(nodes.size());
  out.numbers = backend_.empty(1, graph_.num_nodes(), Scalar::f32);  // 4 bytes a node
  const std::span<std::int32_t> ids = out.numbers.values<std::int32_t>();
  backend_.number_rows(out.arrays.get<NodeId>(1), ids);
  out.ids = ids;
  return out;
}

}  // namespace kith
