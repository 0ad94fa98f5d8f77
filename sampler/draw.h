// Which neighbours of one node are drawn: the law of NeighborSampler, apart from hops, threads and local ids.
// All of it is constexpr, which is what lets CUDA devices call it too (nvcc --expt-relaxed-constexpr).
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "graph/types.h"
#include "sampler/rng.h"
#include "sampler/sampler_options.h"

namespace kith {

/// How one hop draws. p_intra is held as a whole number of 2^-30, so the choice between the classes is exact
/// integer arithmetic and gives the same bits on every machine.
struct DrawRule {
  static constexpr std::uint64_t kOne = 1U << 30;  ///< p_intra = 1

  std::int32_t fanout = 0;                ///< -1 = all
  std::uint64_t intra_weight = kOne / 2;  ///< p_intra * 2^30
  NoIntra no_intra = NoIntra::keep;
  bool with_replacement = false;
  bool is_shared = false;    ///< members of a class are chosen by variates of the neighbours (LABOR)
  bool is_unbiased = false;  ///< each class that is not empty gets a draw, so that weights can correct the rest

  constexpr bool is_uniform() const { return intra_weight == kOne / 2; }
  constexpr bool is_intra_only() const { return intra_weight == kOne; }
  constexpr std::uint64_t outside_weight() const { return kOne - intra_weight; }
};

/// The row of one node: neighbours [intra_begin, intra_begin + num_intra) lie inside its community.
struct DrawRow {
  EdgeOffset begin = 0;  ///< in the graph's neighbour array
  std::int32_t degree = 0;
  std::int32_t intra_begin = 0;  ///< relative to the row
  std::int32_t num_intra = 0;

  constexpr std::int32_t num_outside() const { return degree - num_intra; }
  constexpr bool is_split() const { return num_intra > 0 && num_intra < degree; }
  /// position: relative to the row.
  constexpr bool is_inside(std::int32_t position) const {
    return static_cast<std::uint32_t>(position - intra_begin) < static_cast<std::uint32_t>(num_intra);
  }
};

/// Neighbours that are drawn alike: all of a row, those inside the community, or those outside it.
struct RowClass {
  std::int32_t size = 0;
  std::int32_t begin = 0;  ///< position of the first one in the row
  std::int32_t gap_at = std::numeric_limits<std::int32_t>::max();
  std::int32_t gap = 0;

  static constexpr RowClass all(const DrawRow& row) { return {.size = row.degree}; }
  static constexpr RowClass inside(const DrawRow& row) {
    return {.size = row.num_intra, .begin = row.intra_begin};
  }
  static constexpr RowClass outside(const DrawRow& row) {
    return {.size = row.num_outside(), .gap_at = row.intra_begin, .gap = row.num_intra};
  }

  /// Position in the row of the i-th one.
  constexpr std::int32_t operator[](std::int32_t i) const { return begin + i + (i < gap_at ? 0 : gap); }
};

/// Neighbours that `rule` may draw: all, or those inside the community, or none. Unbiased draws that hardly
/// leave the community still take one from outside, to stand for all that are there.
constexpr std::int32_t num_available(const DrawRule& rule, const DrawRow& row) {
  if (!rule.is_intra_only()) return row.degree;
  if (row.num_intra == 0) return rule.no_intra == NoIntra::keep ? row.degree : 0;
  return row.num_intra + (rule.is_unbiased && row.is_split() ? 1 : 0);
}

/// Neighbours that `rule` draws of `row`.
constexpr std::int32_t num_drawn(const DrawRule& rule, const DrawRow& row) {
  const std::int32_t available = num_available(rule, row);
  if (rule.fanout < 0) return rule.is_unbiased ? row.degree : available;
  return rule.with_replacement && available > 0 ? rule.fanout : std::min(rule.fanout, available);
}

/// Whether a number of draws is fixed for either class of the row, and then members are drawn of each.
constexpr bool draws_both_classes(const DrawRule& rule, const DrawRow& row) {
  return row.is_split() && (rule.is_unbiased || !(rule.is_uniform() || rule.is_intra_only()));
}

/// What all draws come from where they do not come from both classes; `count` of them.
constexpr RowClass only_class(const DrawRule& rule, const DrawRow& row, std::int32_t count) {
  const bool takes_all = rule.fanout < 0 && count == row.degree;
  return row.is_split() && rule.is_intra_only() && !takes_all ? RowClass::inside(row) : RowClass::all(row);
}

/// How many of `count` draws fall inside the community of a split row, each in proportion to the weight that
/// is left.
constexpr std::int32_t draw_num_inside(const DrawRule& rule, const DrawRow& row, std::int32_t count, Rng& rng) {
  if (rule.is_intra_only()) return count - 1;  // unbiased: one draw goes outside
  std::uint64_t inside = static_cast<std::uint64_t>(row.num_intra) * rule.intra_weight;
  std::uint64_t total = inside + static_cast<std::uint64_t>(row.num_outside()) * rule.outside_weight();
  // What a draw takes away; nothing with replacement.
  const std::uint64_t taken_inside = rule.with_replacement ? 0 : rule.intra_weight;
  const std::uint64_t taken_outside = rule.with_replacement ? 0 : rule.outside_weight();
  std::int32_t num_inside = 0;
  for (std::int32_t i = 0; i < count; ++i) {
    const bool is_inside = rng.chance(inside, total);
    num_inside += is_inside ? 1 : 0;
    inside -= is_inside ? taken_inside : 0;
    total -= is_inside ? taken_inside : taken_outside;
  }
  return rule.is_unbiased && count > 1 ? std::clamp(num_inside, 1, count - 1) : num_inside;
}

/// Weights of the drawn edges of one row.
struct RowWeights {
  double inside = 0;
  double outside = 0;
};

/// The weights with which the sum of the drawn neighbours' values has their mean over the whole row as its
/// expectation (post-stratification: every class stands for its share of the row, whatever its share of the
/// draws). num_inside: of the `count` draws. The weight of a class without draws means nothing.
constexpr RowWeights weigh(const DrawRule& rule, const DrawRow& row, std::int32_t count,
                           std::int32_t num_inside) {
  const double share = static_cast<double>(row.num_intra) / row.degree;
  if (count != 1 || !row.is_split()) {
    return {.inside = share / num_inside, .outside = (1 - share) / (count - num_inside)};
  }
  // One draw stands for both classes: weigh it by the chance that its class had (Horvitz-Thompson).
  const std::uint64_t inside = static_cast<std::uint64_t>(row.num_intra) * rule.intra_weight;
  const std::uint64_t total = inside + static_cast<std::uint64_t>(row.num_outside()) * rule.outside_weight();
  const double chance = static_cast<double>(inside) / static_cast<double>(total);
  return {.inside = share / chance, .outside = (1 - share) / (1 - chance)};
}

/// A set of ints >= 0 in memory that others own; used where a linear scan of the chosen ones would be slow.
class ChosenSet {
 public:
  /// Slots that `capacity` > 0 entries need: a power of two, less than 4 * capacity. By 32 bits, since
  /// nvcc 13.0 makes std::bit_ceil of 64 the constant 1 in device code.
  static constexpr std::size_t num_slots(std::int32_t capacity) {
    return std::size_t{2} << std::bit_width(static_cast<std::uint32_t>(capacity) - 1);
  }

  /// Empties num_slots(capacity) slots.
  constexpr ChosenSet(std::int32_t* slots, std::int32_t capacity)
      : slots_(slots), mask_(num_slots(capacity) - 1) {
    for (std::size_t i = 0; i <= mask_; ++i) slots_[i] = kEmpty;
  }

  /// Whether `value` was not in the set before.
  constexpr bool insert(std::int32_t value) {
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
  std::int32_t* slots_;
  std::size_t mask_;
};

constexpr std::int32_t kMaxScan = 64;  ///< up to here looking through the chosen ones is fastest

/// Writes `count` distinct values of [0, range) to `out`, every subset equally likely (Floyd, CACM 30(9),
/// 1987). slots(n): memory for n ints, asked for where count > kMaxScan.
template <typename Slots>
constexpr void draw_subset(std::int32_t range, std::int32_t count, Rng& rng, const Slots& slots,
                           std::int32_t* out) {
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
    ChosenSet chosen(slots(ChosenSet::num_slots(count)), count);
    for (std::int32_t i = 0; i < count; ++i) {
      const std::int32_t last = range - count + i;
      const auto drawn = static_cast<std::int32_t>(rng.bounded32(static_cast<std::uint32_t>(last) + 1));
      out[i] = chosen.insert(drawn) ? drawn : last;
      if (out[i] == last) chosen.insert(last);
    }
  }
}

/// Writes the positions of `count` members of one class to `out`, by the node's own random numbers.
template <typename Slots>
constexpr void draw_class(const DrawRule& rule, const RowClass& members, std::int32_t count, Rng& rng,
                          const Slots& slots, std::int32_t* out) {
  if (rule.with_replacement && rule.fanout >= 0) {
    for (std::int32_t i = 0; i < count; ++i) {
      out[i] = static_cast<std::int32_t>(rng.bounded32(static_cast<std::uint32_t>(members.size)));
    }
  } else {
    draw_subset(members.size, count, rng, slots, out);
  }
  for (std::int32_t i = 0; i < count; ++i) out[i] = members[out[i]];
}

/// The same for both classes: num_inside from inside the community, then the rest. The usual case is one loop,
/// whose length and branches do not depend on the classes: a processor that mispredicts them at every node is a
/// third slower.
template <typename Slots>
constexpr void draw_both_classes(const DrawRule& rule, const DrawRow& row, std::int32_t num_inside,
                                 std::int32_t count, Rng& rng, const Slots& slots, std::int32_t* out) {
  const RowClass inside = RowClass::inside(row), outside = RowClass::outside(row);
  if (rule.with_replacement || count > kMaxScan) {
    draw_class(rule, inside, num_inside, rng, slots, out);
    return draw_class(rule, outside, count - num_inside, rng, slots, out + num_inside);
  }
  // draw_subset for either class; positions of the two never meet, so each is compared with all.
  for (std::int32_t i = 0; i < count; ++i) {
    const bool is_inside = i < num_inside;
    const std::int32_t last = (is_inside ? inside.size - num_inside : outside.size - count) + i;
    const auto drawn = static_cast<std::int32_t>(rng.bounded32(static_cast<std::uint32_t>(last) + 1));
    const std::int32_t position = is_inside ? inside[drawn] : outside[drawn];
    bool is_taken = false;
    for (std::int32_t j = 0; j < i; ++j) is_taken |= out[j] == position;
    out[i] = is_taken ? (is_inside ? inside[last] : outside[last]) : position;
  }
}

}  // namespace kith
