#include "train/staging/tiered_features.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "graph/errors.h"
#include "graph/memory_limit.h"
#include "train/staging/direct_file.h"

namespace kith {
namespace {

constexpr std::size_t kReadBytes = 64 << 10;   // the least that a reader's buffer holds
constexpr std::size_t kBufferBytes = 4 << 20;  // of all buffers, where pages are not large
constexpr std::size_t kMinReadsUnderWay = 8, kMaxReadsUnderWay = 64;

/// Enough reads under way to keep a disk busy; fewer of larger pages.
FileReaderOptions reader_options(const PageGeometry& geometry) {
  const std::size_t size = std::max(geometry.page_bytes(), kReadBytes);
  const std::size_t depth = std::clamp(kBufferBytes / size, kMinReadsUnderWay, kMaxReadsUnderWay);
  return {.queue_depth = static_cast<std::int32_t>(depth), .max_read_bytes = size};
}

void require_tiers(std::int64_t table_bytes, const StagingOptions& options) {
  const std::int64_t fast = std::min(options.stage_bytes, table_bytes);
  const std::int64_t host = options.host_bytes < 0 ? 0 : std::min(options.host_bytes, table_bytes);
  require_memory(fast + host, "train: the tiers of --stage", "smaller --stage-bytes or --host-bytes need less");
}

}  // namespace

SlowTiers::SlowTiers(const Dataset& dataset, const PageGeometry& geometry, const IdSet& host_pages)
    : table_(dataset.features.view()), geometry_(geometry) {
  if (host_pages.empty()) {
    KITH_CHECK(dataset.features.is_in_memory(), InvalidArgument,
               "staging: a host tier of the whole table needs the features in memory");
    return;
  }
  const std::optional<FeatureFile>& file = dataset.features.file();
  KITH_CHECK(file.has_value(), InvalidArgument,
             "staging: --host-bytes below the size of the features needs them in a file, mapped");
  file_offset_ = file->offset;
  reader_ = open_file_reader(file->path, reader_options(geometry));
  load_host(host_pages);
}

void SlowTiers::load_host(const IdSet& host_pages) {
  frame_of_.assign(host_pages.size(), -1);
  std::int32_t num_frames = 0;
  for (std::size_t page = 0; page < host_pages.size(); ++page) {
    if (host_pages[page]) frame_of_[page] = num_frames++;
  }
  host_.resize(static_cast<std::size_t>(num_frames) * geometry_.page_bytes());
  std::vector<FileRead> reads;
  for (PageId page = 0; page < geometry_.num_pages(); ++page) {
    if (frame_of_[page] < 0) continue;
    const std::size_t size = static_cast<std::size_t>(geometry_.rows_in(page)) * geometry_.row_bytes();
    std::byte* const frame = host_.data() + static_cast<std::size_t>(frame_of_[page]) * geometry_.page_bytes();
    reads.push_back({.offset = offset_of(geometry_.first_row(page)), .into = {frame, size}});
  }
  reader_->read(reads);
}

const std::byte* SlowTiers::in_host(NodeId row) const {
  if (frame_of_.empty()) return table_.row(row);
  const PageId page = geometry_.page_of(row);
  if (frame_of_[page] < 0) return nullptr;
  const auto within = static_cast<std::size_t>(row - geometry_.first_row(page));
  return host_.data() + static_cast<std::size_t>(frame_of_[page]) * geometry_.page_bytes() +
         within * geometry_.row_bytes();
}

std::uint64_t SlowTiers::offset_of(NodeId row) const {
  return file_offset_ + static_cast<std::uint64_t>(row) * geometry_.row_bytes();
}

TieredFeatures::TieredFeatures(const Dataset& dataset, const Loader& loader, const StagingOptions& options)
    : geometry_(dataset.num_nodes(), dataset.features.view().row_bytes(), options.page_bytes),
      communities_(loader.communities()),
      backend_(make_cpu_backend()),
      slot_of_(static_cast<std::size_t>(dataset.num_nodes()), -1),
      place_of_(static_cast<std::size_t>(geometry_.num_pages()), -1) {
  require_tiers(static_cast<std::int64_t>(dataset.features.num_bytes()), options);
  StagingOptions own = options;
  own.training_steps = 0;
  const AccessTrace sample = record_trace(loader, 0, 1);
  const PolicyFactory factory(dataset, sample, *backend_, own);
  policy_ = factory.make(options.policy);
  splitter_ =
      std::make_unique<BatchSplitter>(geometry_, options.model, factory.host_pages(), options.isolation);
  slow_ = std::make_unique<SlowTiers>(dataset, geometry_, factory.host_pages());
  num_slots_ = static_cast<std::size_t>(std::min<std::int64_t>(
      options.stage_bytes / static_cast<std::int64_t>(geometry_.row_bytes()), geometry_.num_rows()));
  fast_.resize(num_slots_ * geometry_.row_bytes());
  free_.resize(num_slots_);
  std::iota(free_.rbegin(), free_.rend(), 0);
  queue_ = std::make_unique<RowCopyQueue>(slow_->take_reader(), geometry_.row_bytes());
  fill();
  if (policy_.learned == nullptr) return;
  PagePredictor& predictor = policy_.learned->predictor();
  training_ = std::make_unique<BackgroundTraining>(options.predictor_percent, [&predictor] {
    return predictor.train(1) > 0;  // the loss; nothing is known of any page at first
  });
}

void TieredFeatures::fill() {
  StageTraffic ignored;
  RowCopies copies;
  for (PageId page = 0; page < geometry_.num_pages() && !free_.empty(); ++page) {
    add_page(page, {}, copies, ignored);
  }
  queue_->start(std::move(copies));
  queue_->finish();
}

void TieredFeatures::reveal(const MiniBatch& batch) {
  const std::vector<std::int32_t> communities = communities_by_roots(batch.roots(), communities_);
  policy_.replay->reveal(batch.input_nodes, communities.empty() ? 0 : communities.front());
}

std::byte* TieredFeatures::take_slot(NodeId row) {
  if (slot_of_[row] >= 0 || free_.empty() || !policy_.replay->holds(row)) return nullptr;
  slot_of_[row] = free_.back();
  free_.pop_back();
  return slot(slot_of_[row]);
}

void TieredFeatures::drop(NodeId row) {
  if (slot_of_[row] < 0 || policy_.replay->holds(row)) return;
  free_.push_back(slot_of_[row]);
  slot_of_[row] = -1;
}

void TieredFeatures::drop_unwanted() {
  if (policy_.replay->is_renewed()) {
    for (NodeId row = 0; row < geometry_.num_rows(); ++row) drop(row);
    return;
  }
  for (const PageId page : policy_.replay->changes().evicted) {
    const NodeId first = geometry_.first_row(page);
    for (NodeId row = first; row < first + geometry_.rows_in(page); ++row) drop(row);
  }
}

void TieredFeatures::add_read(NodeId first, NodeId last, RowCopies& copies, StageTraffic& traffic) const {
  const std::uint64_t offset = slow_->offset_of(first), size = slow_->offset_of(last + 1) - offset;
  copies.reads.push_back({.offset = offset, .size = size, .end_of_rows = copies.from_file.size()});
  traffic.disk_bytes += static_cast<std::int64_t>(bytes_in_sectors(offset, size));
}

void TieredFeatures::add_page(PageId page, std::span<const Wanted> wanted, RowCopies& copies,
                              StageTraffic& traffic) {
  const NodeId first = geometry_.first_row(page), last = first + geometry_.rows_in(page) - 1;
  const std::byte* const in_host = slow_->in_host(first);
  std::int64_t num_rows = 0;
  const auto add = [&](NodeId row, std::byte* to) {
    if (to == nullptr) return false;
    const std::size_t from = static_cast<std::size_t>(row - first) * geometry_.row_bytes();
    if (in_host != nullptr) {
      copies.from_memory.push_back({in_host + from, to});
    } else {
      copies.from_file.push_back({from, to});
    }
    return true;
  };
  for (const Wanted& each : wanted) {
    add(each.row, each.to);
    add(each.row, take_slot(each.row));
    ++num_rows;
  }
  for (NodeId row = first; row <= last; ++row) num_rows += add(row, take_slot(row)) ? 1 : 0;
  if (num_rows == 0) return;
  if (in_host == nullptr) return add_read(first, last, copies, traffic);
  traffic.host_bytes += num_rows * static_cast<std::int64_t>(geometry_.row_bytes());
}

void TieredFeatures::add_alone(std::vector<Wanted>& wanted, RowCopies& copies, StageTraffic& traffic) {
  std::ranges::sort(wanted, {}, &Wanted::row);  // those that share a sector come with one read
  const std::size_t row_bytes = geometry_.row_bytes();
  for (std::size_t i = 0; i < wanted.size();) {
    const NodeId first = wanted[i].row;
    NodeId last = first;
    const std::byte* const in_host = slow_->in_host(first);
    const std::uint64_t offset = slow_->offset_of(first);
    for (; i < wanted.size(); ++i) {
      const NodeId row = wanted[i].row;
      const std::uint64_t begin = slow_->offset_of(row);
      const bool is_next =
          row == first || (in_host == nullptr && slow_->in_host(row) == nullptr &&
                           begin < offset - offset % kSectorBytes +
                                       bytes_in_sectors(offset, slow_->offset_of(last + 1) - offset) &&
                           begin + row_bytes - offset <= kReadBytes);
      if (!is_next) break;
      last = row;
      std::byte* const kept = take_slot(row);
      for (std::byte* const to : {wanted[i].to, kept}) {
        if (to == nullptr) continue;
        if (in_host != nullptr) {
          copies.from_memory.push_back({in_host, to});
        } else {
          copies.from_file.push_back({static_cast<std::size_t>(begin - offset), to});
        }
      }
    }
    if (in_host == nullptr) {
      add_read(first, last, copies, traffic);
    } else {
      traffic.host_bytes += static_cast<std::int64_t>(row_bytes);
    }
  }
}

void TieredFeatures::begin(std::span<const NodeId> rows, std::byte* out) {
  StageTraffic traffic;
  RowCopies copies;
  const std::size_t row_bytes = geometry_.row_bytes();
  std::vector<NodeId> missing;
  std::vector<std::byte*> places;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::int32_t held = slot_of_[rows[i]];
    if (held >= 0) {
      copies.from_memory.push_back({slot(held), out + i * row_bytes});
    } else {
      missing.push_back(rows[i]);
      places.push_back(out + i * row_bytes);
    }
  }
  traffic.rows = static_cast<std::int64_t>(rows.size());
  traffic.hits = static_cast<std::int64_t>(rows.size() - missing.size());
  const std::vector<PageId> dense = splitter_->split(missing, 0, {}).dense;
  std::vector<std::vector<Wanted>> of_page(dense.size());
  std::vector<Wanted> alone;
  for (std::size_t i = 0; i < dense.size(); ++i) place_of_[dense[i]] = static_cast<std::int32_t>(i);
  for (std::size_t i = 0; i < missing.size(); ++i) {
    const std::int32_t place = place_of_[geometry_.page_of(missing[i])];
    (place < 0 ? alone : of_page[place]).push_back({missing[i], places[i]});
  }
  for (const PageId page : dense) place_of_[page] = -1;

  // Slots change owners now. The bytes follow in the order of the calls: what is copied out of a slot above is
  // copied before what comes into it below.
  policy_.replay->step();
  drop_unwanted();
  for (std::size_t i = 0; i < dense.size(); ++i) add_page(dense[i], of_page[i], copies, traffic);
  add_alone(alone, copies, traffic);
  for (const PageId page : policy_.replay->changes().ahead) add_page(page, {}, copies, traffic);
  begun_.push_back(traffic);
  queue_->start(std::move(copies));  // last: from here on something writes to `out`
}

StageTraffic TieredFeatures::finish() {
  queue_->finish();
  const StageTraffic traffic = begun_.front();
  begun_.pop_front();
  return traffic;
}

StageTraffic TieredFeatures::stage(std::span<const NodeId> rows, std::byte* out) {
  begin(rows, out);
  return finish();
}

}  // namespace kith
