// What reading from a tier costs, as stated numbers: the clock of every comparison of policies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

namespace kith {

/// Where a page lies when the fast tier does not hold it.
enum class SlowTier : std::uint8_t { host, disk };

/// How fast feature rows come out of a tier.
struct TierSpeed {
  double page_bandwidth = 0;  ///< bytes a second in whole pages
  double row_bandwidth = 0;   ///< bytes a second in isolated rows, counted in units
  std::size_t row_unit = 1;   ///< bytes: the least that reading a row moves
  double latency = 0;         ///< seconds until the first byte of a batch's reads is there
};

/// The tiers and the step that reading hides behind. Host: pinned memory over PCIe 4.0 x16. Disk: a drive of
/// 1.9 GB/s at 64 KiB and 0.54 GB/s at 4 KiB, deep queue, unbuffered.
struct TierModel {
  TierSpeed host{.page_bandwidth = 25e9, .row_bandwidth = 12e9, .row_unit = 128, .latency = 10e-6};
  TierSpeed disk{.page_bandwidth = 1.9e9, .row_bandwidth = 0.54e9, .row_unit = 4096, .latency = 100e-6};
  double step_seconds = 2e-3;       ///< compute of one training step
  std::int32_t prefetch_depth = 2;  ///< batches whose reads may be under way before their step; 0 = none

  const TierSpeed& operator[](SlowTier source) const { return source == SlowTier::host ? host : disk; }
};

/// Bytes that one batch reads from one tier.
struct TierBytes {
  std::int64_t pages = 0;  ///< in whole pages
  std::int64_t rows = 0;   ///< in units of isolated rows

  TierBytes& operator+=(const TierBytes& other) {
    pages += other.pages;
    rows += other.rows;
    return *this;
  }
  std::int64_t total() const { return pages + rows; }
};

/// Bytes that one batch reads from both tiers.
struct ReadBytes {
  TierBytes host, disk;

  TierBytes& operator[](SlowTier source) { return source == SlowTier::host ? host : disk; }
  ReadBytes& operator+=(const ReadBytes& other) {
    host += other.host;
    disk += other.disk;
    return *this;
  }
  std::int64_t total() const { return host.total() + disk.total(); }
};

/// Seconds until the last byte is there: the two links work side by side, and reads from disk go through the
/// host while the next ones are under way.
double read_seconds(const TierModel& model, const ReadBytes& bytes);

/// The simulated clock of a training run: one link that reads for one batch after another, and the steps that
/// wait for it. A batch is known, and its reads may start, when the step `prefetch_depth` before it starts.
class StallClock {
 public:
  explicit StallClock(const TierModel& model) : model_(model) {}

  /// Advances by one step and returns the seconds that it waited. ahead: seconds of reads that nobody asked
  /// for, which follow the batch's own.
  double step(double fetch_seconds, double ahead_seconds = 0);

  double now() const { return compute_end_; }

 private:
  TierModel model_;
  std::deque<double> starts_;  ///< of the last prefetch_depth steps
  double link_free_ = 0;
  double compute_end_ = 0;
};

}  // namespace kith
