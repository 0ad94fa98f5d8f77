// The rows of a graph in order, block by block: from memory, or from a file that need not fit there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/scratch.h"
#include "graph/types.h"
#include "graph/views.h"

namespace kith {

/// Consecutive rows of a graph. Ids are global.
///
/// Example, rows 1 and 2 of the graph of CsrView: begin = 1, end = 3, offsets = [0, 2, 2, 3], neighbors = [0].
struct RowBlock {
  NodeId begin = 0, end = 0;            ///< rows
  std::span<const EdgeOffset> offsets;  ///< [num_nodes + 1], of the whole graph
  std::span<const NodeId> neighbors;    ///< of these rows

  /// v in [begin, end).
  std::span<const NodeId> row(NodeId v) const {
    return neighbors.subspan(static_cast<std::size_t>(offsets[v] - offsets[begin]),
                             static_cast<std::size_t>(offsets[v + 1] - offsets[v]));
  }
};

/// Does not own the graph. Not thread-safe: all readers share one buffer.
class RowBlocks {
 public:
  /// A graph in memory is one block, so that whoever takes RowBlocks takes a CsrView as well.
  RowBlocks(CsrView graph);  // NOLINT(google-explicit-constructor)

  /// path: i32 [offsets.back()], rows one after the other. A block takes scratch.rows_bytes(), or what a single
  /// row needs. scratch must outlive this object. Throws IoError if the file has another size.
  RowBlocks(const std::string& path, std::span<const EdgeOffset> offsets, Scratch& scratch);

  ~RowBlocks();
  RowBlocks(RowBlocks&&) noexcept;

  std::span<const EdgeOffset> offsets() const { return offsets_; }
  NodeId num_nodes() const { return static_cast<NodeId>(offsets_.size()) - 1; }
  EdgeOffset num_edges() const { return offsets_.back(); }
  NodeId degree(NodeId v) const { return static_cast<NodeId>(offsets_[v + 1] - offsets_[v]); }

  /// What may be used beside the rows; nullptr if the graph is in memory.
  Scratch* scratch() const { return scratch_; }

  /// Calls visit for every block, in order; none for a graph without nodes. Throws IoError.
  void for_each(const std::function<void(const RowBlock&)>& visit) const;

  /// All neighbours, read at once. For a graph in memory they are in its view already.
  std::vector<NodeId> load() const;

 private:
  struct Reader;

  RowBlock read_block(NodeId begin) const;

  std::span<const EdgeOffset> offsets_;
  std::span<const NodeId> neighbors_;  ///< of a graph in memory
  Scratch* scratch_ = nullptr;
  std::unique_ptr<Reader> reader_;  ///< of a graph in a file
};

}  // namespace kith
