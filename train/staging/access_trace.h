// What the batches of a stretch of training read of the feature table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "graph/communities.h"
#include "graph/types.h"
#include "sampler/batch.h"
#include "train/loader.h"

namespace kith {

/// The feature rows of every batch, each once, in the order of first touch (roots first), and where its roots
/// come from. Owns everything; 4 bytes a row.
class AccessTrace {
 public:
  /// rows: global ids, each once. root_communities: of the roots, the one with most roots first. references:
  /// reads of a row that the batch makes, the repeated ones counted too.
  void add(std::span<const NodeId> rows, std::span<const std::int32_t> root_communities,
           std::int64_t references);

  /// The same from a sampled batch. An edge of the outermost layer reads its source, and each destination its
  /// own row.
  void add(const MiniBatch& batch, const Communities& communities);

  std::size_t num_batches() const { return references_.size(); }
  std::span<const NodeId> rows(std::size_t batch) const;
  std::span<const std::int32_t> root_communities(std::size_t batch) const;
  std::int64_t references(std::size_t batch) const { return references_[batch]; }
  std::int64_t num_rows_read() const { return static_cast<std::int64_t>(rows_.size()); }  ///< over all batches

 private:
  std::vector<NodeId> rows_;
  std::vector<std::size_t> row_bounds_{0};
  std::vector<std::int32_t> communities_;
  std::vector<std::size_t> community_bounds_{0};
  std::vector<std::int64_t> references_;
};

/// The trace of `num_epochs` epochs from first_epoch on, as training would read them.
AccessTrace record_trace(const Loader& loader, std::int32_t first_epoch, std::int32_t num_epochs);

/// Communities of the roots, without repeats, the one with most roots first; of equals the smaller id.
std::vector<std::int32_t> communities_by_roots(std::span<const NodeId> roots, const Communities& communities);

/// How often a row is read again where once would do.
struct DedupCounts {
  std::int64_t references = 0;   ///< reads as the edges make them
  std::int64_t batch_rows = 0;   ///< each row once a batch
  std::int64_t window_rows = 0;  ///< each row once a window of batches
};

/// Counts over windows of `window` > 0 consecutive batches, the last one perhaps short. Throws InvalidArgument.
DedupCounts count_dedup(const AccessTrace& trace, std::int64_t num_rows, std::size_t window);

/// In how many batches each row occurs: [num_rows].
std::vector<std::int32_t> count_accesses(const AccessTrace& trace, std::int64_t num_rows);

}  // namespace kith
