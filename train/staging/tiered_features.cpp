#include "train/staging/tiered_features.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "graph/errors.h"

namespace kith {

SlowTiers::SlowTiers(const Dataset& dataset, const PageGeometry& geometry, IdSet host_pages)
    : table_(dataset.features.view()), geometry_(geometry) {
  if (host_pages.empty()) return;
  const std::optional<FeatureFile>& file = dataset.features.file();
  KITH_CHECK(file.has_value(), InvalidArgument,
             "staging: --host-bytes below the size of the features needs them in a file, mapped");
  file_offset_ = file->offset;
  reader_ = open_file_reader(file->path);
  load_host(host_pages);
}

void SlowTiers::load_host(const IdSet& host_pages) {
  frame_of_.assign(host_pages.size(), -1);
  std::int32_t num_frames = 0;
  for (std::size_t page = 0; page < host_pages.size(); ++page) {
    if (host_pages[page]) frame_of_[page] = num_frames++;
  }
  host_.resize(static_cast<std::size_t>(num_frames) * geometry_.page_bytes());
  for (PageId page = 0; page < geometry_.num_pages(); ++page) {
    if (frame_of_[page] < 0) continue;
    const std::size_t size = static_cast<std::size_t>(geometry_.rows_in(page)) * geometry_.row_bytes();
    const std::uint64_t offset = file_offset_ + static_cast<std::uint64_t>(page) * geometry_.page_bytes();
    std::byte* const frame = host_.data() + static_cast<std::size_t>(frame_of_[page]) * geometry_.page_bytes();
    pending_.push_back({.offset = offset, .into = {frame, size}});
  }
  finish();
}

void SlowTiers::read(NodeId first, std::int32_t count, std::byte* into, StageTraffic& traffic) {
  const std::size_t size = static_cast<std::size_t>(count) * geometry_.row_bytes();
  if (reader_ == nullptr) {
    std::memcpy(into, table_.row(first), size);
    traffic.host_bytes += static_cast<std::int64_t>(size);
    return;
  }
  const PageId page = geometry_.page_of(first);
  if (frame_of_[page] >= 0) {
    const std::size_t within =
        static_cast<std::size_t>(first - geometry_.first_row(page)) * geometry_.row_bytes();
    std::memcpy(
        into, host_.data() + static_cast<std::size_t>(frame_of_[page]) * geometry_.page_bytes() + within, size);
    traffic.host_bytes += static_cast<std::int64_t>(size);
    return;
  }
  const std::uint64_t offset = file_offset_ + static_cast<std::uint64_t>(first) * geometry_.row_bytes();
  pending_.push_back({.offset = offset, .into = {into, size}});
  traffic.disk_bytes += static_cast<std::int64_t>(size);
}

void SlowTiers::finish() {
  if (pending_.empty()) return;
  const std::vector<FileRead> reads = std::exchange(pending_, {});
  reader_->read(reads);
}

TieredFeatures::TieredFeatures(const Dataset& dataset, const Loader& loader, const StagingOptions& options)
    : geometry_(dataset.num_nodes(), dataset.features.view().row_bytes(), options.page_bytes),
      communities_(loader.communities()),
      backend_(make_cpu_backend()),
      slot_of_(static_cast<std::size_t>(dataset.num_nodes()), -1),
      frame_of_(static_cast<std::size_t>(geometry_.num_pages()), -1) {
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
  fill();
  if (policy_.learned == nullptr) return;
  PagePredictor& predictor = policy_.learned->predictor();
  training_ = std::make_unique<BackgroundTraining>(options.predictor_percent, [&predictor] {
    return predictor.train(1) > 0;  // the loss; nothing is known of any page at first
  });
}

void TieredFeatures::fill() {
  StageTraffic ignored;
  for (NodeId row = 0; row < geometry_.num_rows() && !free_.empty();) {
    if (!policy_.replay->holds(row)) {
      ++row;
      continue;
    }
    // Slots are taken in order at first, so neighbours in the table come in one read, page by page.
    const NodeId end = geometry_.first_row(geometry_.page_of(row)) + geometry_.rows_in(geometry_.page_of(row));
    const NodeId first = row;
    std::byte* const into = slot(free_.back());
    for (; row < end && !free_.empty() && policy_.replay->holds(row); ++row) {
      slot_of_[row] = free_.back();
      free_.pop_back();
    }
    slow_->read(first, row - first, into, ignored);
  }
  slow_->finish();
}

void TieredFeatures::reveal(const MiniBatch& batch) {
  const std::vector<std::int32_t> communities = communities_by_roots(batch.roots(), communities_);
  policy_.replay->reveal(batch.input_nodes, communities.empty() ? 0 : communities.front());
}

void TieredFeatures::keep(NodeId row, const std::byte* bytes) {
  if (slot_of_[row] >= 0 || free_.empty() || !policy_.replay->holds(row)) return;
  slot_of_[row] = free_.back();
  free_.pop_back();
  std::memcpy(slot(slot_of_[row]), bytes, geometry_.row_bytes());
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

void TieredFeatures::read_ahead(StageTraffic& traffic) {
  const std::vector<PageId>& ahead = policy_.replay->changes().ahead;
  if (ahead.empty()) return;
  pages_.resize(std::max(pages_.size(), ahead.size() * geometry_.page_bytes()));
  for (std::size_t i = 0; i < ahead.size(); ++i) {
    slow_->read(geometry_.first_row(ahead[i]), geometry_.rows_in(ahead[i]),
                pages_.data() + i * geometry_.page_bytes(), traffic);
  }
  slow_->finish();
  for (std::size_t i = 0; i < ahead.size(); ++i) keep_page(ahead[i], i);
}

std::byte* TieredFeatures::row_in_pages(NodeId row, std::size_t frame) {
  const NodeId within = row - geometry_.first_row(geometry_.page_of(row));
  return pages_.data() + frame * geometry_.page_bytes() +
         static_cast<std::size_t>(within) * geometry_.row_bytes();
}

void TieredFeatures::read_missing(const Missing& missing, std::span<const PageId> dense, std::byte* out,
                                  StageTraffic& traffic) {
  const std::size_t row_bytes = geometry_.row_bytes();
  // Dense pages come whole, isolated rows straight to their place.
  pages_.resize(std::max(pages_.size(), dense.size() * geometry_.page_bytes()));
  for (std::size_t i = 0; i < dense.size(); ++i) {
    frame_of_[dense[i]] = static_cast<std::int32_t>(i);
    slow_->read(geometry_.first_row(dense[i]), geometry_.rows_in(dense[i]),
                pages_.data() + i * geometry_.page_bytes(), traffic);
  }
  for (std::size_t i = 0; i < missing.rows.size(); ++i) {
    if (frame_of_[geometry_.page_of(missing.rows[i])] >= 0) continue;
    slow_->read(missing.rows[i], 1, out + missing.places[i] * row_bytes, traffic);
  }
  slow_->finish();
  for (std::size_t i = 0; i < missing.rows.size(); ++i) {
    const std::int32_t frame = frame_of_[geometry_.page_of(missing.rows[i])];
    if (frame < 0) continue;
    std::memcpy(out + missing.places[i] * row_bytes,
                row_in_pages(missing.rows[i], static_cast<std::size_t>(frame)), row_bytes);
  }
  for (const PageId page : dense) frame_of_[page] = -1;
}

void TieredFeatures::keep_page(PageId page, std::size_t frame) {
  const NodeId first = geometry_.first_row(page);
  for (NodeId row = first; row < first + geometry_.rows_in(page); ++row) keep(row, row_in_pages(row, frame));
}

StageTraffic TieredFeatures::stage(std::span<const NodeId> rows, std::byte* out) {
  StageTraffic traffic;
  const std::size_t row_bytes = geometry_.row_bytes();
  Missing missing;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::int32_t held = slot_of_[rows[i]];
    if (held >= 0) {
      std::memcpy(out + i * row_bytes, slot(held), row_bytes);
    } else {
      missing.rows.push_back(rows[i]);
      missing.places.push_back(i);
    }
  }
  traffic.rows = static_cast<std::int64_t>(rows.size());
  traffic.hits = static_cast<std::int64_t>(rows.size() - missing.rows.size());
  const BatchTouches touches = splitter_->split(missing.rows, 0, {});
  read_missing(missing, touches.dense, out, traffic);

  policy_.replay->step();
  drop_unwanted();
  for (std::size_t i = 0; i < touches.dense.size(); ++i) keep_page(touches.dense[i], i);
  for (std::size_t i = 0; i < missing.rows.size(); ++i) {
    keep(missing.rows[i], out + missing.places[i] * row_bytes);
  }
  read_ahead(traffic);
  return traffic;
}

}  // namespace kith
