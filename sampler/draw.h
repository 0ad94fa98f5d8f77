// Which neighbours of one node are drawn: the law of NeighborSampler, apart from hops, threads and local ids.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "graph/types.h"
#include "sampler/neighbor_sampler.h"
#include "sampler/rng.h"

namespace kith {

/// How one hop draws. p_intra is held as a whole number of 2^-30, so the choice between the classes is exact
/// integer arithmetic and gives the same bits on every machine.
struct DrawRule {
  static constexpr std::uint64_t kOne = 1U << 30;  ///< p_intra = 1

  std::int32_t fanout = 0;                ///< -1 = all
  std::uint64_t intra_weight = kOne / 2;  ///< p_intra * 2^30
  NoIntra no_intra = NoIntra::keep;
  bool with_replacement = false;

  bool is_uniform() const { return intra_weight == kOne / 2; }
  bool is_intra_only() const { return intra_weight == kOne; }
};

/// The row of one node: neighbours [intra_begin, intra_begin + num_intra) lie inside its community.
struct DrawRow {
  EdgeOffset begin = 0;  ///< in the graph's neighbour array
  std::int32_t degree = 0;
  std::int32_t intra_begin = 0;  ///< relative to the row
  std::int32_t num_intra = 0;
};

/// A set of ints that is cheap to clear; used where a linear scan of the chosen ones would be slow.
class ChosenSet {
 public:
  /// Empties the set and makes room for `capacity` entries.
  void reset(std::int32_t capacity) {
    const std::size_t size = std::bit_ceil(static_cast<std::size_t>(capacity) * 2);
    slots_.assign(size, kEmpty);
    mask_ = size - 1;
  }

  /// Whether `value` >= 0 was not in the set before.
  bool insert(std::int32_t value) {
    std::size_t slot = (static_cast<std::uint32_t>(value) * 0x9E3779B9U >> 7) & mask_;
    while (slots_[slot] != kEmpty) {
      if (slots_[slot] == value) return false;
      slot = (slot + 1) & mask_;
    }
    slots_[slot] = value;
    return true;
  }

 private:
  static constexpr std::int32_t kEmpty = -1;
  std::vector<std::int32_t> slots_;
  std::size_t mask_ = 0;
};

/// Writes `count` distinct values of [0, range) to `out`, every subset equally likely (Floyd, CACM 30(9),
/// 1987).
inline void draw_subset(std::int32_t range, std::int32_t count, Rng& rng, ChosenSet& chosen,
                        std::int32_t* out) {
  constexpr std::int32_t kMaxScan = 64;
  if (count == range) {
    for (std::int32_t i = 0; i < count; ++i) out[i] = i;
  } else if (count <= kMaxScan) {
    for (std::int32_t i = 0; i < count; ++i) {
      const std::int32_t last = range - count + i;
      const auto drawn = static_cast<std::int32_t>(rng.bounded32(static_cast<std::uint32_t>(last) + 1));
      bool is_taken = false;
      for (std::int32_t j = 0; j < i; ++j) is_taken |= out[j] == drawn;
      out[i] = is_taken ? last : drawn;
    }
  } else {
    chosen.reset(count);
    for (std::int32_t i = 0; i < count; ++i) {
      const std::int32_t last = range - count + i;
      const auto drawn = static_cast<std::int32_t>(rng.bounded32(static_cast<std::uint32_t>(last) + 1));
      out[i] = chosen.insert(drawn) ? drawn : last;
      if (out[i] == last) chosen.insert(last);
    }
  }
}

/// Neighbours that `rule` may draw: all, those inside the community, or none.
inline std::int32_t num_available(const DrawRule& rule, const DrawRow& row) {
  if (!rule.is_intra_only() || (row.num_intra == 0 && rule.no_intra == NoIntra::keep)) return row.degree;
  return row.num_intra;
}

/// Neighbours that `rule` draws of `row`.
inline std::int32_t num_drawn(const DrawRule& rule, const DrawRow& row) {
  const std::int32_t available = num_available(rule, row);
  if (rule.fanout < 0 || available == 0) return available;
  return rule.with_replacement ? rule.fanout : std::min(rule.fanout, available);
}

/// `position` of the neighbours outside the community, relative to the row.
inline std::int32_t outside_position(const DrawRow& row, std::int32_t position) {
  return position < row.intra_begin ? position : position + row.num_intra;
}

/// Writes the drawn positions, relative to the row, to out: [num_drawn(rule, row)].
inline void draw_biased(const DrawRule& rule, const DrawRow& row, std::int32_t count, Rng& rng,
                        ChosenSet& chosen, std::int32_t* out) {
  const std::uint64_t outside_weight = DrawRule::kOne - rule.intra_weight;
  std::uint64_t inside = static_cast<std::uint64_t>(row.num_intra) * rule.intra_weight;
  std::uint64_t outside = static_cast<std::uint64_t>(row.degree - row.num_intra) * outside_weight;
  std::int32_t num_inside = 0;
  for (std::int32_t i = 0; i < count; ++i) {
    const bool is_inside = rng.bounded64(inside + outside) < inside;
    num_inside += is_inside ? 1 : 0;
    if (rule.with_replacement) continue;
    inside -= is_inside ? rule.intra_weight : 0;
    outside -= is_inside ? 0 : outside_weight;
  }
  const std::int32_t num_outside = row.degree - row.num_intra;
  if (rule.with_replacement) {
    for (std::int32_t i = 0; i < count; ++i) {
      const std::int32_t range = i < num_inside ? row.num_intra : num_outside;
      out[i] = static_cast<std::int32_t>(rng.bounded32(static_cast<std::uint32_t>(range)));
    }
  } else {
    draw_subset(row.num_intra, num_inside, rng, chosen, out);
    draw_subset(num_outside, count - num_inside, rng, chosen, out + num_inside);
  }
  for (std::int32_t i = 0; i < num_inside; ++i) out[i] += row.intra_begin;
  for (std::int32_t i = num_inside; i < count; ++i) out[i] = outside_position(row, out[i]);
}

/// Writes the drawn positions, relative to the row, to out: [num_drawn(rule, row)].
inline void draw_positions(const DrawRule& rule, const DrawRow& row, std::int32_t count, Rng& rng,
                           ChosenSet& chosen, std::int32_t* out) {
  const std::int32_t available = num_available(rule, row);
  const std::int32_t first = available == row.degree ? 0 : row.intra_begin;
  const bool is_all = rule.fanout < 0 || (count == available && !rule.with_replacement);
  const bool is_one_class =
      rule.is_uniform() || rule.is_intra_only() || row.num_intra == 0 || row.num_intra == row.degree;
  if (is_all) {
    for (std::int32_t i = 0; i < count; ++i) out[i] = first + i;
  } else if (!is_one_class) {
    draw_biased(rule, row, count, rng, chosen, out);
  } else if (rule.with_replacement) {
    for (std::int32_t i = 0; i < count; ++i) {
      out[i] = first + static_cast<std::int32_t>(rng.bounded32(static_cast<std::uint32_t>(available)));
    }
  } else {
    draw_subset(available, count, rng, chosen, out);
    for (std::int32_t i = 0; i < count; ++i) out[i] += first;
  }
}

}  // namespace kith
