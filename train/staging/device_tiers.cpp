#include "train/staging/device_tiers.h"

#include <algorithm>
#include <utility>

#include "graph/errors.h"
#include "graph/memory_limit.h"

namespace kith {
namespace {

std::int64_t mib(std::int64_t bytes) { return (bytes + (1 << 20) - 1) >> 20; }

/// The host tier that is to be pinned now; a whole table was pinned before.
std::int64_t host_tier_bytes(const TierPlanner& planner) {
  const auto num_pages = std::ranges::count(planner.host_pages(), true);
  return num_pages * static_cast<std::int64_t>(planner.geometry().page_bytes());
}

}  // namespace

void require_device_memory(Backend& backend, std::int64_t stage_bytes, std::int64_t training_bytes) {
  const std::optional<std::int64_t> free = backend.free_bytes();
  KITH_CHECK(!free || *free - stage_bytes >= training_bytes, EnvironmentError, "--stage-bytes: a fast tier of ",
             mib(stage_bytes), " MiB and about ", mib(training_bytes), " MiB for training do not fit the ",
             mib(*free),
             " MiB that are free on the device; a smaller --stage-bytes (or --batch-size) needs less");
}

DeviceTiers::DeviceTiers(Backend& backend, const Dataset& dataset, const Loader& loader,
                         const StagingOptions& options, const DeviceNeeds& needs)
    : table_(dataset.features.view()), planner_(dataset, loader, options) {
  const PageGeometry& geometry = planner_.geometry();
  const auto row_bytes = static_cast<std::int64_t>(geometry.row_bytes());
  // Those that wait, the one in use, the one before it that may still be, and the one that comes with its
  // pages.
  const std::int64_t num_batches = loader.options().prefetch_depth + 4;
  const std::int64_t table_bytes = picks_rows() ? geometry.num_rows() * std::int64_t{sizeof(std::int32_t)} : 0;
  require_device_memory(
      backend, planner_.num_slots() * row_bytes + table_bytes,
      needs.training_bytes + planner_.most_rows() * (num_batches * row_bytes + needs.bytes_per_row));
  require_memory(host_tier_bytes(planner_), "--host-bytes: the pinned host tier",
                 "a smaller --host-bytes needs less");
  tier_ = make_row_tier(backend, planner_.num_slots(), geometry.row_bytes());
  slow_ = std::make_unique<SlowTiers>(dataset, geometry, planner_.host_pages(),
                                      PinnedTier{.memory = tier_.get(), .table = needs.pinned});
  const std::int64_t max_rows = std::max<std::int64_t>(kFillBytes / row_bytes, 1);
  for (RowPlan plan = planner_.fill(max_rows); !plan.pages.empty(); plan = planner_.fill(max_rows)) {
    run(std::move(plan));
  }
  if (picks_rows()) tier_->fix(slow_->host_rows(), planner_.slot_of());
}

std::int64_t DeviceTiers::count_in_file(const RowPlan& plan) const {
  if (slow_->is_all_in_host()) return 0;
  std::int64_t count = 0;
  for (const RowPlan::Run& run : plan.pages) count += slow_->host_row(run.first) ? 0 : run.count;
  for (const NodeId row : plan.rows.from) count += slow_->host_row(row) ? 0 : 1;
  return count;
}

void DeviceTiers::read(RowPlan& plan, StageTraffic& traffic) {
  RowTransfer& moves = plan.moves;
  const std::size_t row_bytes = planner_.geometry().row_bytes();
  const std::int64_t num_in_file = count_in_file(plan);
  std::byte* block = num_in_file > 0 ? tier_->block(num_in_file) : nullptr;
  const std::byte* end = nullptr;  // of the last run, if the next one may go on there
  bool is_last_in_file = false;
  const auto copy = [&](const std::byte* data, std::int64_t count, bool is_in_file) {
    if (data == end && is_in_file == is_last_in_file) {
      moves.copies.back().count += count;
    } else {
      moves.copies.push_back({.data = data, .count = count});
    }
    end = data + static_cast<std::size_t>(count) * row_bytes;
    is_last_in_file = is_in_file;
  };
  const auto copy_from_file = [&](NodeId first, std::int32_t count) {
    slow_->read(first, count, block, traffic);
    copy(block, count, true);
    block += static_cast<std::size_t>(count) * row_bytes;
  };
  std::int64_t arrival = plan.num_page_rows();
  for (const RowPlan::Run& run : plan.pages) {
    if (const auto row = slow_->host_row(run.first)) {
      copy(host_bytes_of(*row), run.count, false);
      traffic.host_bytes += run.count * static_cast<std::int64_t>(row_bytes);
    } else {
      copy_from_file(run.first, run.count);
    }
  }
  if (slow_->is_all_in_host()) {
    traffic.host_bytes += plan.rows.size() * static_cast<std::int64_t>(row_bytes);
    std::swap(moves.read, plan.rows);  // rows of the host tier are those of the table
  }
  for (std::size_t i = 0; i < plan.rows.from.size(); ++i) {
    if (const auto row = slow_->host_row(plan.rows.from[i])) {
      moves.read.add(*row, plan.rows.to[i]);
      traffic.host_bytes += static_cast<std::int64_t>(row_bytes);
    } else {
      copy_from_file(plan.rows.from[i], 1);
      moves.arrived.add(arrival++, plan.rows.to[i]);
    }
  }
  slow_->finish();
  moves.table = slow_->host_rows();
  traffic.bus_bytes += (arrival + moves.read.size()) * static_cast<std::int64_t>(row_bytes);
}

StagedRows DeviceTiers::run(RowPlan plan) {
  StageTraffic traffic = plan.traffic;
  read(plan, traffic);
  return staged(tier_->transfer(plan.moves), traffic);
}

StagedRows DeviceTiers::pick(DeviceArrays ids) {
  const auto num_rows = static_cast<std::int64_t>(ids.get<NodeId>(0).size());
  const std::int64_t bytes = num_rows * static_cast<std::int64_t>(planner_.geometry().row_bytes());
  StagedRows out =
      staged(tier_->pick(std::move(ids)), {.rows = num_rows, .host_bytes = bytes, .bus_bytes = bytes});
  auto* const hits = const_cast<std::byte*>(out.arrays.get<std::byte>(2).data());
  out.hits = Tensor::view(hits, 1, 1, Scalar::f64);
  return out;
}

StagedRows DeviceTiers::staged(DeviceArrays arrays, const StageTraffic& traffic) const {
  StagedRows out{.arrays = std::move(arrays), .view = table_, .traffic = traffic};
  out.view.data = out.arrays.get<std::byte>(0).data();
  out.numbers = out.arrays.get<NodeId>(1);
  out.view.num_rows = static_cast<std::int64_t>(out.numbers.size());
  return out;
}

std::vector<NodeId> DeviceTiers::download_ids(const DeviceArrays& arrays, std::size_t index) {
  std::vector<NodeId> ids(arrays.get<NodeId>(index).size());
  tier_->download(arrays, index, std::as_writable_bytes(std::span(ids)));
  return ids;
}

}  // namespace kith
