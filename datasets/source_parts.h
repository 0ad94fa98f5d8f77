// What the importers share: node data that is read at once, edges that are handed on in chunks, labels that are
// checked.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "datasets/source.h"
#include "graph/limits.h"

namespace kith {

/// Most nodes of a source: ids are 32 bits and num_nodes is one as well.
inline constexpr std::int64_t kMaxNodes = INT32_MAX - 1;

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

/// What a header or a single id claims is held against the file's size on disk, because arrays of that length
/// are made before the claim is proven, and because a compressed file may stand for a thousand times its bytes.
/// No real graph comes near these bounds: for each byte on disk 16 nodes (2^22 in small files) and 64 edges
/// (2^24). Both throw IoError, naming `where`.
NodeId checked_num_nodes(std::int64_t count, std::int64_t file_bytes, const std::string& where);
void check_num_edges(std::int64_t count, std::int64_t file_bytes, const std::string& where);

/// Sparse rows become dense ones, so a width costs time and disk without a byte behind it. Throws IoError,
/// naming `where`, for one that is above both `usual` and the number of values that are there.
void check_sparse_width(std::int64_t width, std::int64_t num_values, std::int64_t usual,
                        const std::string& where);

/// A class as labels hold it. Throws IoError, naming `where`, unless it lies in [-1, kMaxClasses).
std::int32_t checked_class(std::int64_t value, const std::string& where);

/// Labels of one class a node; num_classes is the largest class + 1. All unlabelled: no labels at all.
Labels single_labels(std::vector<std::int32_t> of_node);

}  // namespace kith
