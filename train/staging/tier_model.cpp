#include "train/staging/tier_model.h"

#include <algorithm>

namespace kith {
namespace {

double read_seconds(const TierSpeed& speed, const TierBytes& bytes) {
  if (bytes.total() == 0) return 0;
  return speed.latency + static_cast<double>(bytes.pages) / speed.page_bandwidth +
         static_cast<double>(bytes.rows) / speed.row_bandwidth;
}

}  // namespace

double read_seconds(const TierModel& model, const ReadBytes& bytes) {
  return std::max(read_seconds(model.host, bytes.host), read_seconds(model.disk, bytes.disk));
}

double StallClock::step(double fetch_seconds, double ahead_seconds) {
  const auto depth = static_cast<std::size_t>(model_.prefetch_depth);
  double known = compute_end_;  // depth 0: sampled and read when the step before has ended
  if (depth > 0) known = starts_.size() < depth ? 0 : starts_.front();
  const double fetched = std::max(known, link_free_) + fetch_seconds;
  link_free_ = fetched + ahead_seconds;
  const double start = std::max(compute_end_, fetched);
  const double stall = start - compute_end_;
  compute_end_ = start + model_.step_seconds;
  starts_.push_back(start);
  if (starts_.size() > depth) starts_.pop_front();
  return stall;
}

}  // namespace kith
