// Feature rows in three tiers: a fast one of bounded size under a staging policy, host memory, and the dataset
// file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "graph/dataset.h"
#include "sampler/batch.h"
#include "train/loader.h"
#include "train/staging/background_training.h"
#include "train/staging/file_reader.h"
#include "train/staging/policy.h"
#include "train/staging/row_copies.h"
#include "train/staging/traffic.h"

namespace kith {

/// Where the rows are that the fast tier lacks: in host memory, or in the file.
class SlowTiers {
 public:
  /// host_pages: [num_pages] pages to keep in host memory; empty = the whole table lies there, and is read from
  /// `dataset` in place. Throws InvalidArgument if some are to be read from the file and the dataset has none.
  SlowTiers(const Dataset& dataset, const PageGeometry& geometry, const IdSet& host_pages);

  /// Null if it is in the file. Rows of a page are in one place, one after another.
  const std::byte* in_host(NodeId row) const;
  /// In the file, bytes.
  std::uint64_t offset_of(NodeId row) const;
  /// What reads the file from now on; null if nothing is in it.
  std::unique_ptr<FileReader> take_reader() { return std::move(reader_); }

 private:
  void load_host(const IdSet& host_pages);

  FeatureView table_;  ///< of the dataset; without data if some pages are to be read from the file
  PageGeometry geometry_;
  std::uint64_t file_offset_ = 0;
  std::unique_ptr<FileReader> reader_;
  std::vector<std::int32_t> frame_of_;  ///< [num_pages] in host_, or -1; empty = all in the table
  std::vector<std::byte> host_;
};

/// Owns the fast and the host tier. A batch's rows are copied out of the fast tier, so that what a batch still
/// computes on is never evicted under it. What goes where is decided by begin(), in order; the bytes follow
/// (row_copies.h), a read at a time, so that no more than the reader's buffers are in memory beside the tiers.
/// One thread at a time.
class TieredFeatures {
 public:
  /// Samples an epoch of `loader` for the statistics, places rows and pages by them, and reads what the policy
  /// would hold after it. Throws InvalidArgument, IoError, EnvironmentError. `dataset` must outlive it.
  TieredFeatures(const Dataset& dataset, const Loader& loader, const StagingOptions& options);

  /// Batches to be revealed before the one that is begun.
  std::int32_t lookahead() const { return policy_.lookahead; }

  /// Tells of a batch to come, in order.
  void reveal(const MiniBatch& batch);

  /// Starts to bring the rows of the oldest batch revealed, one after another: out: [rows.size() x row_bytes],
  /// which must stay until finish(), or until this object is gone. If it or reveal() throws, this is of no more
  /// use.
  void begin(std::span<const NodeId> rows, std::byte* out);
  /// Waits for the oldest batch begun. Throws IoError.
  StageTraffic finish();
  /// Both at once.
  StageTraffic stage(std::span<const NodeId> rows, std::byte* out);

  std::int64_t num_held() const { return static_cast<std::int64_t>(num_slots_ - free_.size()); }

 private:
  /// A row of a page, wanted somewhere.
  struct Wanted {
    NodeId row;
    std::byte* to;
  };

  std::byte* slot(std::int32_t index) {
    return fast_.data() + static_cast<std::size_t>(index) * geometry_.row_bytes();
  }
  /// A place for a row that the policy wants and that is not held; null if it is held or not wanted.
  std::byte* take_slot(NodeId row);
  void drop(NodeId row);
  void drop_unwanted();
  /// Adds the rows wanted of a page that is read whole, and those of it that are to be kept.
  void add_page(PageId page, std::span<const Wanted> wanted, RowCopies& copies, StageTraffic& traffic);
  /// Adds rows that are read alone, and kept if the policy wants them.
  void add_alone(std::vector<Wanted>& wanted, RowCopies& copies, StageTraffic& traffic);
  /// Ends a read of [first, last] with the rows that were added to copies.from_file.
  void add_read(NodeId first, NodeId last, RowCopies& copies, StageTraffic& traffic) const;
  /// Reads what the policy holds at the start.
  void fill();

  PageGeometry geometry_;
  Communities communities_;           ///< of the loader's level
  std::unique_ptr<Backend> backend_;  ///< the predictor's own
  MadePolicy policy_;
  std::unique_ptr<BatchSplitter> splitter_;
  std::unique_ptr<SlowTiers> slow_;
  std::vector<std::byte> fast_;  ///< [num_slots x row_bytes]; written by queue_ alone
  std::size_t num_slots_ = 0;
  std::vector<std::int32_t> slot_of_;             ///< [num_rows], or -1; the row's bytes may be under way
  std::vector<std::int32_t> free_;                ///< slots
  std::vector<std::int32_t> place_of_;            ///< [num_pages] scratch: among the dense ones, or -1
  std::deque<StageTraffic> begun_;                ///< of the batches that are not finished
  std::unique_ptr<RowCopyQueue> queue_;           ///< stops before what it writes to goes
  std::unique_ptr<BackgroundTraining> training_;  ///< of the predictor; destroyed first
};

}  // namespace kith
