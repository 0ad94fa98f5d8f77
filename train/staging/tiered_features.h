// Feature rows in three tiers: a fast one of bounded size under a staging policy, host memory, and the dataset
// file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "graph/dataset.h"
#include "sampler/batch.h"
#include "train/loader.h"
#include "train/staging/background_training.h"
#include "train/staging/file_reader.h"
#include "train/staging/policy.h"
#include "train/staging/traffic.h"

namespace kith {

/// Reads pieces of the feature table below the fast tier. One thread at a time.
class SlowTiers {
 public:
  /// host_pages: [num_pages] pages to keep in host memory; empty = the whole table lies there, and is read from
  /// `dataset` in place. Throws InvalidArgument if some are to be read from the file and the dataset has none.
  SlowTiers(const Dataset& dataset, const PageGeometry& geometry, IdSet host_pages);

  /// Rows [first, first + count), of one page, go to `into`. Wait for them with finish().
  void read(NodeId first, std::int32_t count, std::byte* into, StageTraffic& traffic);
  void finish();

 private:
  void load_host(const IdSet& host_pages);

  FeatureView table_;  ///< of the dataset; read only if `reader_` is null
  PageGeometry geometry_;
  std::uint64_t file_offset_ = 0;
  std::unique_ptr<FileReader> reader_;
  std::vector<std::int32_t> frame_of_;  ///< [num_pages] in host_, or -1
  std::vector<std::byte> host_;
  std::vector<FileRead> pending_;
};

/// Owns the fast and the host tier. A batch's rows are copied out of the fast tier, so that what a batch still
/// computes on is never evicted under it. One thread at a time.
class TieredFeatures {
 public:
  /// Samples an epoch of `loader` for the statistics, places rows and pages by them, and reads what the policy
  /// would hold after it. Throws
  /// InvalidArgument, IoError. `dataset` must outlive it.
  TieredFeatures(const Dataset& dataset, const Loader& loader, const StagingOptions& options);

  /// Batches to be revealed before the one that is staged.
  std::int32_t lookahead() const { return policy_.lookahead; }

  /// Tells of a batch to come, in order.
  void reveal(const MiniBatch& batch);

  /// The rows of the oldest batch revealed, one after another: out: [rows.size() x row_bytes].
  StageTraffic stage(std::span<const NodeId> rows, std::byte* out);

  std::int64_t num_held() const { return static_cast<std::int64_t>(num_slots_ - free_.size()); }

 private:
  /// Rows of a batch that the fast tier lacks, and their places in the batch.
  struct Missing {
    std::vector<NodeId> rows;
    std::vector<std::size_t> places;
  };

  std::byte* slot(std::int32_t index) {
    return fast_.data() + static_cast<std::size_t>(index) * geometry_.row_bytes();
  }
  /// Keeps a row that the policy wants and that is at hand.
  void keep(NodeId row, const std::byte* bytes);
  void drop(NodeId row);
  void drop_unwanted();
  void read_missing(const Missing& missing, std::span<const PageId> dense, std::byte* out,
                    StageTraffic& traffic);
  void read_ahead(StageTraffic& traffic);
  /// Where a row lies in pages_, of a page that was read into this frame of it.
  std::byte* row_in_pages(NodeId row, std::size_t frame);
  void keep_page(PageId page, std::size_t frame);
  /// Reads what the policy holds at the start.
  void fill();

  PageGeometry geometry_;
  Communities communities_;           ///< of the loader's level
  std::unique_ptr<Backend> backend_;  ///< the predictor's own
  MadePolicy policy_;
  std::unique_ptr<BatchSplitter> splitter_;
  std::unique_ptr<SlowTiers> slow_;
  std::vector<std::byte> fast_;  ///< [num_slots x row_bytes]
  std::size_t num_slots_ = 0;
  std::vector<std::int32_t> slot_of_;             ///< [num_rows], or -1
  std::vector<std::int32_t> free_;                ///< slots
  std::vector<std::int32_t> frame_of_;            ///< [num_pages] scratch: in pages_, or -1
  std::vector<std::byte> pages_;                  ///< pages read whole for the present batch
  std::unique_ptr<BackgroundTraining> training_;  ///< of the predictor; destroyed first
};

}  // namespace kith
