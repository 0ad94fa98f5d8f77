#include "train/staging.h"

#include <algorithm>
#include <deque>
#include <numeric>
#include <utility>

#include "train/drawer.h"
#include "train/staging/tier_order.h"
#include "train/staging/tiered_features.h"
#include "train/stopwatch.h"

namespace kith {
namespace {

/// Rows are read in place.
class ResidentStaging final : public Staging {
 public:
  ResidentStaging(Backend& backend, std::unique_ptr<Drawer> drawer, FeatureView features)
      : backend_(backend), drawer_(std::move(drawer)), features_(features) {}

  StagedBatch make(const Loader& loader, const Plan& plan, std::int32_t epoch, std::size_t index) override {
    Drawn drawn = drawer_->draw(loader, plan, epoch, index);
    const Stopwatch watch;
    StagedBatch& out = drawn.staged;
    out.batch = drawn.is_on_device()
                    ? to_device(backend_, std::move(drawn.sample), features_, out.labels)
                    : to_device(backend_, out.adjacency, features_, out.input_nodes, out.labels);
    out.stage_seconds += watch.seconds();
    return std::move(out);
  }
  bool has_input_nodes() const override { return !drawer_->is_on_device(); }

 private:
  Backend& backend_;
  std::unique_ptr<Drawer> drawer_;
  FeatureView features_;
};

/// What TieredStaging does to tiers, wherever the fast one is.
class Tiers {
 public:
  virtual ~Tiers() = default;
  virtual std::int32_t lookahead() const = 0;
  /// Whether batches that are drawn on the device get their input nodes on the host.
  virtual bool needs_input_nodes() const = 0;
  virtual void reveal(Drawn& drawn, std::size_t num_roots) = 0;
  /// Starts to bring the rows of the oldest batch revealed.
  virtual void begin(Drawn& drawn) = 0;
  /// The rows of the oldest batch begun. Without arrays if those of the batch's sample hold them.
  virtual StagedRows finish() = 0;
};

class HostTiers final : public Tiers {
 public:
  HostTiers(Backend& backend, const Dataset& dataset, const Loader& loader, const StagingOptions& options)
      : backend_(backend), table_(dataset.features.view()), tiers_(dataset, loader, options) {}

  std::int32_t lookahead() const override { return tiers_.lookahead(); }
  bool needs_input_nodes() const override { return true; }
  void reveal(Drawn& drawn, std::size_t num_roots) override {
    tiers_.reveal(drawn.staged.input_nodes, num_roots);
  }

  void begin(Drawn& drawn) override {
    const std::span<const NodeId> rows = drawn.staged.input_nodes;
    begun_.push_back({.arrays = {}, .view = table_, .traffic = {}, .memory = {}});
    StagedRows& out = begun_.back();  // once its rows are under way, it must not go
    // A reused buffer of the backend's: fresh memory would cost more to touch than to fill.
    const std::size_t row_values = (table_.row_bytes() + sizeof(float) - 1) / sizeof(float);
    out.view.num_rows = static_cast<std::int64_t>(rows.size());
    out.memory = backend_.empty(out.view.num_rows, static_cast<std::int64_t>(row_values), Scalar::f32);
    auto* const data = reinterpret_cast<std::byte*>(out.memory.data<float>());
    out.view.data = data;
    tiers_.begin(rows, data);
  }

  StagedRows finish() override {
    const StageTraffic traffic = tiers_.finish();
    StagedRows out = std::move(begun_.front());
    begun_.pop_front();
    out.traffic = traffic;
    return out;
  }

 private:
  Backend& backend_;
  FeatureView table_;
  std::deque<StagedRows> begun_;
  TieredFeatures tiers_;  ///< stops before what it writes to goes
};

class OnDeviceTiers final : public Tiers {
 public:
  OnDeviceTiers(Backend& backend, const Dataset& dataset, const TieredStagingOptions& options)
      : backend_(backend), tiers_(backend, dataset, options.loader, options.staging, options.needs) {}

  std::int32_t lookahead() const override { return tiers_.lookahead(); }
  bool needs_input_nodes() const override { return !tiers_.picks_rows(); }

  void reveal(Drawn& drawn, std::size_t num_roots) override {
    if (tiers_.picks_rows()) return;
    std::vector<NodeId>& rows = drawn.staged.input_nodes;
    if (drawn.is_on_device()) rows = tiers_.download_ids(drawn.sample.arrays, 0);
    tiers_.reveal(rows, num_roots);
  }

  void begin(Drawn& drawn) override {
    const std::span<const NodeId> rows = drawn.staged.input_nodes;
    if (!tiers_.picks_rows()) {
      begun_.push_back(tiers_.stage(rows));
    } else if (drawn.is_on_device()) {
      begun_.push_back(tiers_.pick(std::move(drawn.sample.arrays)));
      drawn.sample.arrays = std::exchange(begun_.back().arrays, {});
    } else {
      begun_.push_back(tiers_.pick(backend_.to_device(rows)));
    }
  }

  StagedRows finish() override {
    StagedRows out = std::move(begun_.front());
    begun_.pop_front();
    return out;
  }

 private:
  Backend& backend_;
  DeviceTiers tiers_;
  std::deque<StagedRows> begun_;
};

class TieredStaging final : public Staging {
 public:
  TieredStaging(Backend& backend, std::unique_ptr<Drawer> drawer, std::unique_ptr<Tiers> tiers,
                std::size_t num_ahead)
      : backend_(backend),
        drawer_(std::move(drawer)),
        tiers_(std::move(tiers)),
        order_(tiers_->lookahead(), num_ahead) {}

  StagedBatch make(const Loader& loader, const Plan& plan, std::int32_t epoch, std::size_t index) override {
    Steps steps{*this, loader, plan, epoch};
    return std::move(order_.take(epoch, index, plan.size(), steps).staged);
  }
  bool has_input_nodes() const override { return !drawer_->is_on_device() || tiers_->needs_input_nodes(); }

 private:
  /// Of an epoch.
  struct Steps {
    TieredStaging& staging;
    const Loader& loader;
    const Plan& plan;
    std::int32_t epoch;
    std::size_t num_roots = 0;  ///< of the batch that was drawn last

    Drawn draw(std::size_t index) {
      num_roots = plan[index].size();
      return staging.drawer_->draw(loader, plan, epoch, index);
    }
    void reveal(Drawn& drawn) const {
      const Stopwatch watch;
      staging.tiers_->reveal(drawn, num_roots);
      drawn.staged.stage_seconds += watch.seconds();
    }
    void begin(Drawn& drawn) const {
      const Stopwatch watch;
      staging.tiers_->begin(drawn);
      drawn.staged.stage_seconds += watch.seconds();
    }
    void finish(Drawn& drawn) const {
      const Stopwatch watch;
      staging.send(drawn, staging.tiers_->finish(), drawn.staged);
      drawn.staged.stage_seconds += watch.seconds();
    }
  };

  void send(Drawn& drawn, StagedRows rows, StagedBatch& out) {
    out.traffic = rows.traffic;
    out.hits = std::move(rows.hits);
    out.staged_rows = std::move(rows.memory);
    if (rows.numbers.empty()) {
      out.staged_ids.resize(out.input_nodes.size());
      std::iota(out.staged_ids.begin(), out.staged_ids.end(), NodeId{0});
    }
    out.batch = drawn.is_on_device()
                    ? to_device(backend_, std::move(drawn.sample), rows.view, out.labels)
                    : to_device(backend_, out.adjacency, rows.view, out.staged_ids, out.labels);
    if (!rows.numbers.empty()) out.batch.rows = rows.numbers;
    out.batch.arrays.push_back(std::move(rows.arrays));
  }

  Backend& backend_;
  std::unique_ptr<Drawer> drawer_;
  std::unique_ptr<Tiers> tiers_;
  TierOrder<Drawn> order_;
};

}  // namespace

std::unique_ptr<Staging> make_resident_staging(Backend& backend, const Dataset& dataset, FeatureView features,
                                               ModelKind kind) {
  return std::make_unique<ResidentStaging>(backend, make_host_drawer(dataset, kind), features);
}

std::unique_ptr<Staging> make_device_sampled_staging(Backend& backend, const Dataset& dataset, DeviceData& data,
                                                     ModelKind kind) {
  return std::make_unique<ResidentStaging>(backend, make_device_drawer(backend, dataset, data, kind),
                                           data.features());
}

std::unique_ptr<Staging> make_tiered_staging(Backend& backend, const Dataset& dataset, ModelKind kind,
                                             const TieredStagingOptions& options) {
  std::unique_ptr<Drawer> drawer = options.sampled_on != nullptr
                                       ? make_device_drawer(backend, dataset, *options.sampled_on, kind)
                                       : make_host_drawer(dataset, kind);
  if (backend.name() != "cpu") {
    // One at a time: a batch's rows take the device's memory.
    return std::make_unique<TieredStaging>(backend, std::move(drawer),
                                           std::make_unique<OnDeviceTiers>(backend, dataset, options), 0);
  }
  const std::size_t num_ahead = options.loader.options().prefetch_depth > 0 ? 1 : 0;
  auto tiers = std::make_unique<HostTiers>(backend, dataset, options.loader, options.staging);
  return std::make_unique<TieredStaging>(backend, std::move(drawer), std::move(tiers), num_ahead);
}

}  // namespace kith
