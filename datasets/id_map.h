// Numbers arbitrary 64-bit ids 0..n-1 in ascending order, in memory that follows the ids seen, not their size.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "graph/types.h"

namespace kith {

/// First insert() every id, then freeze(), then look up.
///
/// Example, ids 7, 3, 900, 3: size() = 3, find(3) = 0, find(7) = 1, find(900) = 2, find(4) = none.
class IdMap {
 public:
  /// Ids below `dense_limit` cost a bit each up to the largest one seen; the others 8 bytes for each that
  /// differs.
  explicit IdMap(std::uint64_t dense_limit) : dense_limit_(dense_limit) {}

  void insert(std::uint64_t id) {
    if (id >= dense_limit_) {
      insert_sparse(id);
      return;
    }
    const std::uint64_t word = id / 64;
    if (word >= bits_.size()) {
      bits_.resize(word + 1 + word / 2);
    }
    bits_[word] |= std::uint64_t{1} << (id % 64);
  }

  /// Ends inserting. Returns the number of ids, which may be too many to be node ids: check before anything
  /// else.
  std::int64_t freeze();

  /// Position of `id` in ascending order, if it was inserted.
  std::optional<NodeId> find(std::uint64_t id) const;

  std::int64_t size() const { return num_dense_ + static_cast<std::int64_t>(sparse_.size()); }

  /// [size] the ids in ascending order; empty if they are 0..size-1.
  std::vector<std::int64_t> ids() const;

 private:
  void insert_sparse(std::uint64_t id);
  void merge_recent();

  std::uint64_t dense_limit_;
  std::vector<std::uint64_t> bits_;
  std::vector<std::int64_t> rank_;  ///< [bits_.size()] ids in the words before
  std::int64_t num_dense_ = 0;
  std::vector<std::uint64_t> sparse_;  ///< ascending, no repeats
  std::vector<std::uint64_t> recent_;  ///< not yet in sparse_
};

}  // namespace kith
