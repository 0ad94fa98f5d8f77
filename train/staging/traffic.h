// The accounts of staging.
#pragma once

#include <cstdint>

namespace kith {

/// What staging moved for some batches, as it happened.
struct StageTraffic {
  std::int64_t rows = 0;                        ///< asked for, each once a batch
  std::int64_t hits = 0;                        ///< of them, found in the fast tier
  std::int64_t host_bytes = 0, disk_bytes = 0;  ///< read from these tiers
  std::int64_t disk_reads = 0;                  ///< that disk_bytes came in
  std::int64_t bus_bytes = 0;  ///< of features that came to the memory of a device; 0 on the CPU

  /// For rows that were counted as read over the bus from host memory: `count` of them were hits.
  void find_hits(std::int64_t count, std::int64_t row_bytes) {
    hits += count;
    host_bytes -= count * row_bytes;
    bus_bytes -= count * row_bytes;
  }

  StageTraffic& operator+=(const StageTraffic& other) {
    rows += other.rows;
    hits += other.hits;
    host_bytes += other.host_bytes;
    disk_bytes += other.disk_bytes;
    disk_reads += other.disk_reads;
    bus_bytes += other.bus_bytes;
    return *this;
  }
};

}  // namespace kith
