#include "train/staging/batch_touches.h"

#include <algorithm>
#include <utility>

namespace kith {
namespace {

/// Units that a page covers, counted from its own beginning.
std::size_t units_per_page(const PageGeometry& geometry, const TierSpeed& speed) {
  return (geometry.page_bytes() + speed.row_unit - 1) / speed.row_unit;
}

/// One counter a unit of the table if a unit may hold several rows, else none.
std::vector<std::uint32_t> unit_serials(const PageGeometry& geometry, const TierSpeed& speed) {
  if (speed.row_unit <= geometry.row_bytes()) return {};
  return std::vector<std::uint32_t>(static_cast<std::size_t>(geometry.num_pages()) *
                                    units_per_page(geometry, speed));
}

/// A request takes its time however little it reads: a page of this size comes no faster than isolated units
/// do.
TierSpeed limited(TierSpeed speed, const PageGeometry& geometry) {
  const double seconds_a_unit = static_cast<double>(speed.row_unit) / speed.row_bandwidth;
  speed.page_bandwidth =
      std::min(speed.page_bandwidth, static_cast<double>(geometry.page_bytes()) / seconds_a_unit);
  return speed;
}

}  // namespace

BatchSplitter::BatchSplitter(const PageGeometry& geometry, const TierModel& model, IdSet host_pages,
                             Isolation isolation)
    : geometry_(geometry),
      model_(model),
      host_pages_(std::move(host_pages)),
      isolation_(isolation),
      rows_of_(static_cast<std::size_t>(geometry.num_pages())),
      shared_bytes_(static_cast<std::size_t>(geometry.num_pages())),
      host_units_(unit_serials(geometry, model.host)) {
  if (!host_pages_.empty()) disk_units_ = unit_serials(geometry, model.disk);
  model_.host = limited(model.host, geometry);
  model_.disk = limited(model.disk, geometry);
}

BatchTouches BatchSplitter::split(std::span<const NodeId> rows, std::int32_t context, const IdSet& stored) {
  ++serial_;
  BatchTouches out;
  out.context = context;
  out.num_rows = static_cast<std::int64_t>(rows.size());
  // Counts of rows must not stay behind if memory runs out between the two loops.
  const std::size_t most_pages = std::min(rows.size(), rows_of_.size());
  out.pages.reserve(most_pages);
  out.dense.reserve(most_pages);
  const bool shares_any = shares_units(SlowTier::host) || shares_units(SlowTier::disk);
  for (const NodeId row : rows) {
    if (!stored.empty() && stored[row]) {
      ++out.num_stored;
      continue;
    }
    const PageId page = geometry_.page_of(row);
    if (rows_of_[page]++ == 0) out.pages.push_back({.page = page, .source = source(page)});
    if (shares_any && shares_units(source(page))) shared_bytes_[page] += add_units(row, source(page));
  }
  for (PageTouch& touch : out.pages) {
    touch.rows = std::exchange(rows_of_[touch.page], 0);
    touch.alone_bytes = shares_units(touch.source) ? std::exchange(shared_bytes_[touch.page], 0)
                                                   : touch.rows * bytes_in_units(touch.source);
    touch.is_dense = is_dense(touch);
    if (touch.is_dense) out.dense.push_back(touch.page);
  }
  return out;
}

std::int64_t BatchSplitter::bytes_in_units(SlowTier source) const {
  const std::size_t unit = model_[source].row_unit;
  return static_cast<std::int64_t>((geometry_.row_bytes() + unit - 1) / unit * unit);
}

std::int64_t BatchSplitter::add_units(NodeId row, SlowTier source) {
  const std::size_t unit = model_[source].row_unit;
  const std::size_t row_bytes = geometry_.row_bytes();
  std::vector<std::uint32_t>& serials = source == SlowTier::host ? host_units_ : disk_units_;
  const PageId page = geometry_.page_of(row);
  const std::size_t base = static_cast<std::size_t>(page) * units_per_page(geometry_, model_[source]);
  const std::size_t byte = static_cast<std::size_t>(row - geometry_.first_row(page)) * row_bytes;
  const std::size_t first = base + byte / unit, last = base + (byte + row_bytes - 1) / unit;
  std::int64_t bytes = 0;
  for (std::size_t i = first; i <= last; ++i) {
    if (std::exchange(serials[i], serial_) != serial_) bytes += static_cast<std::int64_t>(unit);
  }
  return bytes;
}

bool BatchSplitter::is_dense(const PageTouch& touch) const {
  if (isolation_ == Isolation::none) return true;
  const TierSpeed& speed = model_[touch.source];
  return static_cast<double>(bytes_of(touch.page)) / speed.page_bandwidth <=
         static_cast<double>(touch.alone_bytes) / speed.row_bandwidth;
}

}  // namespace kith
