// What the importers share: node data that is read at once, edges that are handed on in chunks, labels that are
// checked.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "datasets/source.h"

namespace kith {

/// Most nodes of a source: ids are 32 bits and num_nodes is one as well.
inline constexpr std::int64_t kMaxNodes = INT32_MAX - 1;

/// Most values of one feature row. Sparse rows become dense one at a time, so this bounds that buffer (16 MiB).
inline constexpr std::int64_t kMaxFeatureDim = std::int64_t{1} << 22;

/// Most classes. Labels beyond it are node ids or hashes by mistake.
inline constexpr std::int64_t kMaxClasses = std::int64_t{1} << 20;

/// A source that knows its node count and small node data when it is made.
class StoredSource : public Source {
 public:
  NodeId num_nodes() const final { return num_nodes_; }
  NodeData& node_data() final { return data_; }

 protected:
  NodeId num_nodes_ = 0;
  NodeData data_;
};

/// Collects single edges and hands them to `visit` in chunks. Call flush() at the end.
class EdgeBuffer {
 public:
  using Visit = std::function<void(std::span<const Edge>)>;

  explicit EdgeBuffer(const Visit& visit) : visit_(visit) { edges_.reserve(kChunk); }

  void add(Edge edge) {
    edges_.push_back(edge);
    if (edges_.size() == kChunk) {
      flush();
    }
  }
  void flush() {
    if (!edges_.empty()) {
      visit_(edges_);
      edges_.clear();
    }
  }

 private:
  static constexpr std::size_t kChunk = 1 << 16;
  const Visit& visit_;
  std::vector<Edge> edges_;
};

/// A class as labels hold it. Throws IoError, naming `where`, unless it lies in [-1, kMaxClasses).
std::int32_t checked_class(std::int64_t value, const std::string& where);

/// Labels of one class a node; num_classes is the largest class + 1. All unlabelled: no labels at all.
Labels single_labels(std::vector<std::int32_t> of_node);

}  // namespace kith
