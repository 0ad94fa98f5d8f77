// What the tests of sampling laws share: a verdict with its false-alarm rate and its power.
//
// A law test has fixed seeds, so its verdict never changes; had the seeds been others, it would raise a false
// alarm with the chance kFalseAlarm. Its power is the chance to notice a deviation that the test states. Every
// law is tried on the sampler, which has to obey it, and on wrong ones (wrong_samplers.h), which it has to
// catch.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "tests/sampler/chi_square.h"

namespace kith::test {

/// A z beyond this, on either side, is an alarm. Values that fit too well to be random are alarms too.
inline constexpr double kAlarmZ = 4;
inline constexpr double kFalseAlarm = 6.3e-5;  ///< of one verdict: 2 * normal_tail(kAlarmZ)
inline constexpr double kLeastPower = 0.99;    ///< a test with less says too little to be kept

struct Verdict {
  double z = 0;
  double power = 0;  ///< to notice the deviation that the test states
};

/// Of sums that are close to normal. shift: how many standard deviations the stated deviation moves them.
inline Verdict normal_verdict(double z, double shift) {
  return {.z = z, .power = normal_tail(kAlarmZ - shift)};
}

/// Of a chi-square value. noncentrality: of the stated deviation.
inline Verdict chi_square_verdict(double chi_square, double freedom, double noncentrality) {
  return {.z = chi_square_z(chi_square, freedom), .power = chi_square_power(noncentrality, freedom, kAlarmZ)};
}

inline testing::AssertionResult describe_verdict(bool is_good, const Verdict& verdict) {
  return testing::AssertionResult(is_good) << "z = " << verdict.z << ", power " << verdict.power << ' ';
}

/// The sampler obeys the law, and the test would have noticed if not.
inline testing::AssertionResult obeys(const Verdict& verdict) {
  return describe_verdict(std::abs(verdict.z) < kAlarmZ && verdict.power >= kLeastPower, verdict);
}

/// The law caught a wrong sampler.
inline testing::AssertionResult is_caught(const Verdict& verdict) {
  return describe_verdict(std::abs(verdict.z) >= kAlarmZ, verdict);
}

/// The row that a law is about: neighbours [inside_begin, inside_begin + num_inside) share the node's
/// community.
struct Row {
  std::int32_t degree = 0;
  std::int32_t inside_begin = 0;
  std::int32_t num_inside = 0;

  std::int32_t num_outside() const { return degree - num_inside; }
  bool is_inside(std::int32_t position) const {
    return position >= inside_begin && position < inside_begin + num_inside;
  }
};

/// What one trial drew of the row.
struct Drawn {
  std::span<const std::int32_t> positions;  ///< in the row
  std::span<const float> weights = {};      ///< empty = equal shares
};

/// The draws of trial t; they stay valid until the next call. Trials are asked for in order.
using Draw = std::function<Drawn(std::int64_t trial)>;

/// Where a node is drawn for: what its random numbers depend on.
struct Place {
  std::uint64_t seed = 0;
  std::int32_t epoch = 0;
  std::int64_t batch = 0;
  std::int32_t hop = 0;
  std::int32_t node = 0;  ///< of two whose rows are equal
};

/// The positions drawn at a place.
using PlacedDraw = std::function<std::vector<std::int32_t>(const Place& place)>;

}  // namespace kith::test
