// Feature rows in three tiers: a fast one of bounded size under a staging policy, host memory, and the dataset
// file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "graph/dataset.h"
#include "kernels/row_tier.h"
#include "sampler/batch.h"
#include "train/loader.h"
#include "train/staging/file_reader.h"
#include "train/staging/row_copies.h"
#include "train/staging/tier_planner.h"
#include "train/staging/traffic.h"

namespace kith {

/// Host memory that a device reads.
struct PinnedTier {
  RowTier* memory = nullptr;  ///< where host pages are to lie; null: anywhere
  FeatureView table = {};     ///< the whole table, if it lies there; else nothing
};

/// Where the rows are that the fast tier lacks: in host memory, or in the file. One thread at a time.
class SlowTiers {
 public:
  /// host_pages: [num_pages] pages to keep in host memory; empty = the whole table lies there, and is read in
  /// place: from `pinned`, if that has one, else from `dataset`. Throws InvalidArgument if some are to be read
  /// from the file and the dataset has none.
  SlowTiers(const Dataset& dataset, const PageGeometry& geometry, const IdSet& host_pages,
            PinnedTier pinned = {});

  bool is_all_in_host() const { return frame_of_.empty(); }
  /// The rows of the host tier, and the place there of a row of the table; nothing for one in the file. The
  /// rows of a page lie one behind the other.
  const std::byte* host_rows() const { return frame_of_.empty() ? table_.data : host_.get(); }
  std::optional<std::int64_t> host_row(NodeId row) const;
  /// Null if it is in the file.
  const std::byte* in_host(NodeId row) const;
  /// In the file, bytes.
  std::uint64_t offset_of(NodeId row) const {
    return file_offset_ + static_cast<std::uint64_t>(row) * geometry_.row_bytes();
  }

  /// Rows [first, first + count) of the file, of one page, go to `into`. Wait for them with finish().
  void read(NodeId first, std::int32_t count, std::byte* into, StageTraffic& traffic);
  void finish();

  /// What reads the file from now on in the place of read(); null if nothing is in it.
  std::unique_ptr<FileReader> take_reader() { return std::move(reader_); }

 private:
  void load_host(const IdSet& host_pages, RowTier* memory);

  FeatureView table_;  ///< without data if some pages are to be read from the file
  PageGeometry geometry_;
  std::uint64_t file_offset_ = 0;
  std::unique_ptr<FileReader> reader_;
  std::vector<std::int32_t> frame_of_;  ///< [num_pages] in host_, or -1; empty = all in the table
  Tensor::Buffer host_;
  std::vector<FileRead> pending_;
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
  std::int32_t lookahead() const { return planner_.lookahead(); }

  /// Tells of a batch to come, in order.
  void reveal(const MiniBatch& batch) { reveal(batch.input_nodes, batch.roots().size()); }
  /// The same; rows: global ids, each once, its roots first.
  void reveal(std::span<const NodeId> rows, std::size_t num_roots) { planner_.reveal(rows, num_roots); }

  /// Starts to bring the rows of the oldest batch revealed, one after another: out: [rows.size() x row_bytes],
  /// which must stay until finish(), or until this object is gone. If it or reveal() throws, this is of no more
  /// use.
  void begin(std::span<const NodeId> rows, std::byte* out) { start(planner_.plan(rows), out); }
  /// Waits for the oldest batch begun. Throws IoError.
  StageTraffic finish();
  /// Both at once.
  StageTraffic stage(std::span<const NodeId> rows, std::byte* out);

  std::int64_t num_held() const { return planner_.num_held(); }

 private:
  /// A row that is to come from the tiers below, and where to.
  struct Wanted {
    std::int64_t from;  ///< row of the plan's pages, or row of the table
    std::byte* to;
  };

  std::byte* slot(std::int64_t index) {
    return fast_.data() + static_cast<std::size_t>(index) * planner_.geometry().row_bytes();
  }
  void start(const RowPlan& plan, std::byte* out);
  /// Adds the rows that are wanted of the plan's pages, which are read whole if there are any.
  void add_pages(const RowPlan& plan, std::byte* out, RowCopies& copies, StageTraffic& traffic);
  /// Adds the plan's rows that are read by themselves.
  void add_rows(const RowPlan& plan, std::byte* out, RowCopies& copies, StageTraffic& traffic);
  /// Of `wanted`, ascending, those that one read brings. in_host: of the first one.
  std::size_t end_of_read(std::span<const Wanted> wanted, const std::byte* in_host) const;
  /// Ends a read of [first, last] with the rows that were added to copies.from_file.
  void add_read(NodeId first, NodeId last, RowCopies& copies, StageTraffic& traffic) const;

  TierPlanner planner_;
  SlowTiers slow_;
  std::vector<std::byte> fast_;          ///< [num_slots x row_bytes]; written by queue_ alone
  std::deque<StageTraffic> begun_;       ///< of the batches that are not finished
  std::unique_ptr<RowCopyQueue> queue_;  ///< stops before what it writes to goes
};

/// How much is read at a time to fill a tier.
inline constexpr std::int64_t kFillBytes = 8 << 20;

}  // namespace kith
