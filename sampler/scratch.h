// Private to sampler/: what one call of sample() works in, kept between calls.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "graph/errors.h"
#include "graph/huge_pages.h"
#include "graph/types.h"
#include "sampler/draw.h"

namespace kith {

/// Global id -> local id of one batch, 8 bytes a node. Valid marks carry this batch's stamp, so nothing is
/// cleared between batches.
class LocalIds {
 public:
  struct Mark {
    std::int32_t local_id = 0;
    std::int32_t stamp = 0;
  };

  /// Forgets the batch before.
  void begin_batch(NodeId num_nodes) {
    if (marks_.size() != static_cast<std::size_t>(num_nodes)) {
      marks_.assign(static_cast<std::size_t>(num_nodes), Mark{});
      use_huge_pages(std::span(std::as_const(marks_)));
      stamp_ = 0;
    }
    if (stamp_ == std::numeric_limits<std::int32_t>::max()) {
      std::fill(marks_.begin(), marks_.end(), Mark{});
      stamp_ = 0;
    }
    ++stamp_;
  }

  bool has(NodeId node) const { return marks_[static_cast<std::size_t>(node)].stamp == stamp_; }
  std::int32_t operator[](NodeId node) const { return marks_[static_cast<std::size_t>(node)].local_id; }
  void set(NodeId node, std::int32_t local_id) { marks_[static_cast<std::size_t>(node)] = {local_id, stamp_}; }

  /// `next` if the node had no local id; then it has now.
  std::int32_t get_or_set(NodeId node, std::int32_t next) {
    Mark& mark = marks_[static_cast<std::size_t>(node)];
    if (mark.stamp != stamp_) mark = {next, stamp_};
    return mark.local_id;
  }

  void prefetch(NodeId node) const { __builtin_prefetch(marks_.data() + node); }

  /// Gives the roots the first local ids. Throws InvalidArgument for an id out of range or a repeated root.
  void set_roots(std::span<const NodeId> roots) {
    for (std::size_t i = 0; i < roots.size(); ++i) {
      KITH_CHECK(roots[i] >= 0 && static_cast<std::size_t>(roots[i]) < marks_.size(), InvalidArgument,
                 "NeighborSampler: roots must be in [0, ", marks_.size(), "), got ", roots[i]);
      KITH_CHECK(!has(roots[i]), InvalidArgument, "NeighborSampler: root ", roots[i],
                 " comes twice in one batch");
      set(roots[i], static_cast<std::int32_t>(i));
    }
  }

 private:
  std::vector<Mark> marks_;  ///< [num_nodes]
  std::int32_t stamp_ = 0;
};

/// 8 bytes a node of the graph, and 24 bytes a node of the widest frontier so far.
struct SamplerScratch {
  LocalIds local_ids;
  std::vector<DrawRow> rows;  ///< [frontier] of the present hop
};

/// Lends scratches, one a call that is under way. A call that throws gives its scratch back too.
class ScratchPool {
 public:
  class Lease {
   public:
    explicit Lease(ScratchPool& pool) : pool_(pool), scratch_(pool.take()) {}
    ~Lease() { pool_.give(std::move(scratch_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    SamplerScratch& operator*() { return *scratch_; }

   private:
    ScratchPool& pool_;
    std::unique_ptr<SamplerScratch> scratch_;
  };

 private:
  std::unique_ptr<SamplerScratch> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) {
      free_.reserve(++num_scratches_);  // so that giving back never allocates
      return std::make_unique<SamplerScratch>();
    }
    auto scratch = std::move(free_.back());
    free_.pop_back();
    return scratch;
  }

  void give(std::unique_ptr<SamplerScratch> scratch) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(scratch));
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<SamplerScratch>> free_;
  std::size_t num_scratches_ = 0;
};

}  // namespace kith
