#include "train/staging/tiered_features.h"

#include <algorithm>
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

/// options: checked before anything is placed.
const StagingOptions& require_tiers(const Dataset& dataset, const StagingOptions& options) {
  const auto table_bytes = static_cast<std::int64_t>(dataset.features.num_bytes());
  const std::int64_t fast = std::min(options.stage_bytes, table_bytes);
  const std::int64_t host = options.host_bytes < 0 ? 0 : std::min(options.host_bytes, table_bytes);
  require_memory(fast + host, "train: the tiers of --stage", "smaller --stage-bytes or --host-bytes need less");
  return options;
}

Tensor::Buffer ordinary_memory(std::size_t bytes) {
  const auto free = [](void*, std::byte* data, std::size_t) { delete[] data; };
  return {new std::byte[bytes], BufferDeleter{.give_back = free}};
}

}  // namespace

SlowTiers::SlowTiers(const Dataset& dataset, const PageGeometry& geometry, const IdSet& host_pages,
                     PinnedTier pinned)
    : table_(pinned.table.data == nullptr ? dataset.features.view() : pinned.table), geometry_(geometry) {
  if (host_pages.empty()) {
    KITH_CHECK(table_.data != nullptr, InvalidArgument,
               "staging: a host tier of the whole table needs the features in memory");
    return;
  }
  const std::optional<FeatureFile>& file = dataset.features.file();
  KITH_CHECK(file.has_value(), InvalidArgument,
             "staging: --host-bytes below the size of the features needs them in a file, mapped");
  file_offset_ = file->offset;
  reader_ = open_file_reader(file->path, reader_options(geometry));
  load_host(host_pages, pinned.memory);
}

void SlowTiers::load_host(const IdSet& host_pages, RowTier* memory) {
  frame_of_.assign(host_pages.size(), -1);
  std::int32_t num_frames = 0;
  for (std::size_t page = 0; page < host_pages.size(); ++page) {
    if (host_pages[page]) frame_of_[page] = num_frames++;
  }
  const std::size_t host_bytes = static_cast<std::size_t>(num_frames) * geometry_.page_bytes();
  host_ = memory == nullptr ? ordinary_memory(host_bytes) : memory->pinned(host_bytes);
  for (PageId page = 0; page < geometry_.num_pages(); ++page) {
    if (frame_of_[page] < 0) continue;
    const std::size_t size = static_cast<std::size_t>(geometry_.rows_in(page)) * geometry_.row_bytes();
    std::byte* const frame = host_.get() + static_cast<std::size_t>(frame_of_[page]) * geometry_.page_bytes();
    pending_.push_back({.offset = offset_of(geometry_.first_row(page)), .into = {frame, size}});
  }
  finish();
}

std::optional<std::int64_t> SlowTiers::host_row(NodeId row) const {
  if (frame_of_.empty()) return row;
  const PageId page = geometry_.page_of(row);
  if (frame_of_[page] < 0) return std::nullopt;
  return std::int64_t{frame_of_[page]} * geometry_.rows_per_page() + row - geometry_.first_row(page);
}

const std::byte* SlowTiers::in_host(NodeId row) const {
  const std::optional<std::int64_t> place = host_row(row);
  return place ? host_rows() + static_cast<std::size_t>(*place) * geometry_.row_bytes() : nullptr;
}

void SlowTiers::read(NodeId first, std::int32_t count, std::byte* into, StageTraffic& traffic) {
  const std::size_t size = static_cast<std::size_t>(count) * geometry_.row_bytes();
  pending_.push_back({.offset = offset_of(first), .into = {into, size}});
  traffic.disk_bytes += static_cast<std::int64_t>(bytes_in_sectors(offset_of(first), size));
  ++traffic.disk_reads;
}

void SlowTiers::finish() {
  if (pending_.empty()) return;
  const std::vector<FileRead> reads = std::exchange(pending_, {});
  reader_->read(reads);
}

TieredFeatures::TieredFeatures(const Dataset& dataset, const Loader& loader, const StagingOptions& options)
    : planner_(dataset, loader, require_tiers(dataset, options)),
      slow_(dataset, planner_.geometry(), planner_.host_pages()),
      fast_(static_cast<std::size_t>(planner_.num_slots()) * planner_.geometry().row_bytes()),
      queue_(std::make_unique<RowCopyQueue>(slow_.take_reader(), planner_.geometry().row_bytes())) {
  const auto row_bytes = static_cast<std::int64_t>(planner_.geometry().row_bytes());
  const std::int64_t max_rows = std::max<std::int64_t>(kFillBytes / row_bytes, 1);
  for (RowPlan plan = planner_.fill(max_rows); !plan.pages.empty(); plan = planner_.fill(max_rows)) {
    start(plan, nullptr);
    finish();
  }
}

void TieredFeatures::add_read(NodeId first, NodeId last, RowCopies& copies, StageTraffic& traffic) const {
  const std::uint64_t offset = slow_.offset_of(first), size = slow_.offset_of(last + 1) - offset;
  copies.reads.push_back({.offset = offset, .size = size, .end_of_rows = copies.from_file.size()});
  traffic.disk_bytes += static_cast<std::int64_t>(bytes_in_sectors(offset, size));
  ++traffic.disk_reads;
}

void TieredFeatures::add_pages(const RowPlan& plan, std::byte* out, RowCopies& copies, StageTraffic& traffic) {
  const std::size_t row_bytes = planner_.geometry().row_bytes();
  std::vector<Wanted> wanted;
  for (std::size_t i = 0; i < plan.moves.arrived.from.size(); ++i) {
    wanted.push_back(
        {plan.moves.arrived.from[i], out + static_cast<std::size_t>(plan.moves.arrived.to[i]) * row_bytes});
  }
  for (std::size_t i = 0; i < plan.moves.kept.from.size(); ++i) {
    wanted.push_back({plan.moves.kept.from[i], slot(plan.moves.kept.to[i])});
  }
  std::ranges::sort(wanted, {}, &Wanted::from);
  std::size_t next = 0;
  std::int64_t begin = 0;  // of the page among those of the plan
  for (const RowPlan::Run& page : plan.pages) {
    const std::byte* const in_host = slow_.in_host(page.first);
    const std::size_t first = next;
    std::int64_t num_rows = 0;  // a row may be wanted twice
    for (; next < wanted.size() && wanted[next].from < begin + page.count; ++next) {
      const std::size_t from = static_cast<std::size_t>(wanted[next].from - begin) * row_bytes;
      num_rows += next == first || wanted[next].from != wanted[next - 1].from ? 1 : 0;
      if (in_host != nullptr) {
        copies.from_memory.push_back({in_host + from, wanted[next].to});
      } else {
        copies.from_file.push_back({from, wanted[next].to});
      }
    }
    begin += page.count;
    if (next == first) continue;
    if (in_host == nullptr) {
      add_read(page.first, page.first + page.count - 1, copies, traffic);
    } else {
      traffic.host_bytes += num_rows * static_cast<std::int64_t>(row_bytes);
    }
  }
}

std::size_t TieredFeatures::end_of_read(std::span<const Wanted> wanted, const std::byte* in_host) const {
  const auto first = static_cast<NodeId>(wanted.front().from);
  const std::uint64_t offset = slow_.offset_of(first);
  std::uint64_t end = slow_.offset_of(first + 1);
  std::size_t count = 1;
  for (; count < wanted.size(); ++count) {
    const auto row = static_cast<NodeId>(wanted[count].from);
    if (row == first) continue;
    const std::uint64_t begin = slow_.offset_of(row);
    const std::uint64_t end_of_sectors =
        offset - offset % kSectorBytes + bytes_in_sectors(offset, end - offset);
    const bool is_next = in_host == nullptr && slow_.in_host(row) == nullptr && begin < end_of_sectors &&
                         slow_.offset_of(row + 1) - offset <= kReadBytes;
    if (!is_next) break;
    end = slow_.offset_of(row + 1);
  }
  return count;
}

void TieredFeatures::add_rows(const RowPlan& plan, std::byte* out, RowCopies& copies, StageTraffic& traffic) {
  const std::size_t row_bytes = planner_.geometry().row_bytes();
  std::vector<Wanted> wanted;
  std::vector<std::int64_t> row_at(static_cast<std::size_t>(plan.moves.num_rows), -1);
  for (std::size_t i = 0; i < plan.rows.from.size(); ++i) {
    row_at[static_cast<std::size_t>(plan.rows.to[i])] = plan.rows.from[i];
    wanted.push_back({plan.rows.from[i], out + static_cast<std::size_t>(plan.rows.to[i]) * row_bytes});
  }
  for (std::size_t i = 0; i < plan.moves.kept_of_batch.from.size(); ++i) {
    const auto place = static_cast<std::size_t>(plan.moves.kept_of_batch.from[i]);
    wanted.push_back({row_at[place], slot(plan.moves.kept_of_batch.to[i])});
  }
  std::ranges::sort(wanted, {}, &Wanted::from);  // those that share a sector come with one read
  for (std::span<const Wanted> rest = wanted; !rest.empty();) {
    const auto first = static_cast<NodeId>(rest.front().from);
    const std::byte* const in_host = slow_.in_host(first);
    const std::size_t count = end_of_read(rest, in_host);
    for (const Wanted& row : rest.first(count)) {
      if (in_host != nullptr) {
        copies.from_memory.push_back({in_host, row.to});
      } else {
        copies.from_file.push_back({static_cast<std::size_t>(row.from - first) * row_bytes, row.to});
      }
    }
    if (in_host == nullptr) {
      add_read(first, static_cast<NodeId>(rest[count - 1].from), copies, traffic);
    } else {
      traffic.host_bytes += static_cast<std::int64_t>(row_bytes);
    }
    rest = rest.subspan(count);
  }
}

void TieredFeatures::start(const RowPlan& plan, std::byte* out) {
  const std::size_t row_bytes = planner_.geometry().row_bytes();
  StageTraffic traffic = plan.traffic;
  RowCopies copies;
  // Slots have changed owners in the plan. The bytes follow in the order of the calls: what is copied out of a
  // slot here is copied before what comes into it below.
  for (std::size_t i = 0; i < plan.moves.hits.from.size(); ++i) {
    copies.from_memory.push_back(
        {slot(plan.moves.hits.from[i]), out + static_cast<std::size_t>(plan.moves.hits.to[i]) * row_bytes});
  }
  add_pages(plan, out, copies, traffic);
  add_rows(plan, out, copies, traffic);
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
