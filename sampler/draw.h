// Which neighbours of one node are drawn: the law of NeighborSampler, apart from hops, threads and local ids.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

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

  bool is_uniform() const { return intra_weight == kOne / 2; }
  bool is_intra_only() const { return intra_weight == kOne; }
};

/// The row of one node: neighbours [intra_begin, intra_begin + num_intra) lie inside its community.
struct DrawRow {
  EdgeOffset begin = 0;  ///< in the graph's neighbour array
  std::int32_t degree = 0;
  std::int32_t intra_begin = 0;  ///< relative to the row
  std::int32_t num_intra = 0;

  std::int32_t num_outside() const { return degree - num_intra; }
  bool is_split() const { return num_intra > 0 && num_intra < degree; }
  /// position: relative to the row.
  bool is_inside(std::int32_t position) const {
    return static_cast<std::uint32_t>(position - intra_begin) < static_cast<std::uint32_t>(num_intra);
  }
};

/// Neighbours that are drawn alike: all of a row, those inside the community, or those outside it.
struct RowClass {
  std::int32_t size = 0;
  std::int32_t begin = 0;  ///< position of the first one in the row
  std::int32_t gap_at = std::numeric_limits<std::int32_t>::max();
  std::int32_t gap = 0;

  static RowClass all(const DrawRow& row) { return {.size = row.degree}; }
  static RowClass inside(const DrawRow& row) { return {.size = row.num_intra, .begin = row.intra_begin}; }
  static RowClass outside(const DrawRow& row) {
    return {.size = row.num_outside(), .gap_at = row.intra_begin, .gap = row.num_intra};
  }

  /// Position in the row of the i-th one.
  std::int32_t operator[](std::int32_t i) const { return begin + i + (i < gap_at ? 0 : gap); }
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

constexpr std::int32_t kMaxScan = 64;  ///< up to here looking through the chosen ones is fastest

/// Writes `count` distinct values of [0, range) to `out`, every subset equally likely (Floyd, CACM 30(9),
/// 1987).
inline void draw_subset(std::int32_t range, std::int32_t count, Rng& rng, ChosenSet& chosen,
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
    chosen.reset(count);
    for (std::int32_t i = 0; i < count; ++i) {
      const std::int32_t last = range - count + i;
      const auto drawn = static_cast<std::int32_t>(rng.bounded32(static_cast<std::uint32_t>(last) + 1));
      out[i] = chosen.insert(drawn) ? drawn : last;
      if (out[i] == last) chosen.insert(last);
    }
  }
}

/// Neighbours that `rule` may draw: all, or those inside the community, or none. Unbiased draws that hardly
/// leave the community still take one from outside, to stand for all that are there.
inline std::int32_t num_available(const DrawRule& rule, const DrawRow& row) {
  if (!rule.is_intra_only()) return row.degree;
  if (row.num_intra == 0) return rule.no_intra == NoIntra::keep ? row.degree : 0;
  return row.num_intra + (rule.is_unbiased && row.is_split() ? 1 : 0);
}

/// Neighbours that `rule` draws of `row`.
inline std::int32_t num_drawn(const DrawRule& rule, const DrawRow& row) {
  const std::int32_t available = num_available(rule, row);
  if (rule.fanout < 0) return rule.is_unbiased ? row.degree : available;
  return rule.with_replacement && available > 0 ? rule.fanout : std::min(rule.fanout, available);
}

/// One node's draw. Holds what a draw needs besides the node's own random numbers; kept over many nodes, so
/// that its buffers are not allocated anew.
class Drawer {
 public:
  /// neighbors: the graph's, for rules whose draws are shared. shared: stream of those draws; its node is
  /// ignored.
  Drawer(const DrawRule& rule, std::span<const NodeId> neighbors, const RngStream& shared)
      : rule_(rule), neighbors_(neighbors), shared_(shared) {}

  /// Writes the drawn positions, relative to the row, to out: [num_drawn(rule, row)].
  void draw(const DrawRow& row, std::int32_t count, Rng& rng, std::int32_t* out) {
    if (count == 0) return;
    if (rule_.fanout < 0 && count == row.degree) {
      for (std::int32_t i = 0; i < count; ++i) out[i] = i;
    } else if (row.is_split() && (rule_.is_unbiased || !(rule_.is_uniform() || rule_.is_intra_only()))) {
      draw_split(row, draw_num_inside(row, count, rng), count, rng, out);
    } else {
      const bool is_inside = row.is_split() && rule_.is_intra_only();
      draw_class(row, is_inside ? RowClass::inside(row) : RowClass::all(row), count, rng, out);
    }
  }

  /// Weight of each drawn position, so that the weighted sum of the neighbours' values has their mean over the
  /// whole row as its expectation (post-stratification: every class stands for its share of the row, whatever
  /// its share of the draws). weights: [positions.size()].
  void weigh(const DrawRow& row, std::span<const std::int32_t> positions, float* weights) const {
    const auto num_inside = static_cast<double>(
        std::count_if(positions.begin(), positions.end(), [&](std::int32_t p) { return row.is_inside(p); }));
    const double share = static_cast<double>(row.num_intra) / row.degree;
    double inside = share / num_inside;
    double outside = (1 - share) / (static_cast<double>(positions.size()) - num_inside);
    if (positions.size() == 1 && row.is_split()) {
      // One draw stands for both classes: weigh it by the chance that its class had (Horvitz-Thompson).
      const double chance = class_weight_inside(row) / (class_weight_inside(row) + class_weight_outside(row));
      inside = share / chance;
      outside = (1 - share) / (1 - chance);
    }
    for (std::size_t i = 0; i < positions.size(); ++i) {
      weights[i] = static_cast<float>(row.is_inside(positions[i]) ? inside : outside);
    }
  }

 private:
  std::uint64_t outside_weight() const { return DrawRule::kOne - rule_.intra_weight; }
  double class_weight_inside(const DrawRow& row) const {
    return static_cast<double>(rule_.intra_weight) * row.num_intra;
  }
  double class_weight_outside(const DrawRow& row) const {
    return static_cast<double>(outside_weight()) * row.num_outside();
  }

  /// How many of `count` draws fall inside the community of a split row, each in proportion to the weight that
  /// is left.
  std::int32_t draw_num_inside(const DrawRow& row, std::int32_t count, Rng& rng) const {
    if (rule_.is_intra_only()) return count - 1;  // unbiased: one draw goes outside
    std::uint64_t inside = static_cast<std::uint64_t>(row.num_intra) * rule_.intra_weight;
    std::uint64_t total = inside + static_cast<std::uint64_t>(row.num_outside()) * outside_weight();
    // What a draw takes away; nothing with replacement.
    const std::uint64_t taken_inside = rule_.with_replacement ? 0 : rule_.intra_weight;
    const std::uint64_t taken_outside = rule_.with_replacement ? 0 : outside_weight();
    std::int32_t num_inside = 0;
    for (std::int32_t i = 0; i < count; ++i) {
      const bool is_inside = rng.chance(inside, total);
      num_inside += is_inside ? 1 : 0;
      inside -= is_inside ? taken_inside : 0;
      total -= is_inside ? taken_inside : taken_outside;
    }
    return rule_.is_unbiased && count > 1 ? std::clamp(num_inside, 1, count - 1) : num_inside;
  }

  /// Members of both classes. The usual case is one loop, whose length and branches do not depend on the
  /// classes: a processor that mispredicts them at every node is a third slower.
  void draw_split(const DrawRow& row, std::int32_t num_inside, std::int32_t count, Rng& rng,
                  std::int32_t* out) {
    const RowClass inside = RowClass::inside(row), outside = RowClass::outside(row);
    if (rule_.is_shared || rule_.with_replacement || count > kMaxScan) {
      draw_class(row, inside, num_inside, rng, out);
      return draw_class(row, outside, count - num_inside, rng, out + num_inside);
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

  void draw_class(const DrawRow& row, const RowClass& members, std::int32_t count, Rng& rng,
                  std::int32_t* out) {
    if (rule_.with_replacement && rule_.fanout >= 0) {
      for (std::int32_t i = 0; i < count; ++i) {
        out[i] = static_cast<std::int32_t>(rng.bounded32(static_cast<std::uint32_t>(members.size)));
      }
    } else if (rule_.is_shared && count < members.size) {
      choose_smallest(row, members, count, out);
    } else {
      draw_subset(members.size, count, rng, chosen_, out);
    }
    for (std::int32_t i = 0; i < count; ++i) out[i] = members[out[i]];
  }

  /// Writes which `count` members have the smallest variates, ascending. A neighbour's variate is the same for
  /// every node of the hop, so nodes choose the same neighbours where they can: sequential Poisson sampling,
  /// the form of LABOR-0 that draws exactly `count`. Reads the whole class.
  void choose_smallest(const DrawRow& row, const RowClass& members, std::int32_t count, std::int32_t* out) {
    ranked_.clear();
    for (std::int32_t i = 0; i < members.size; ++i) {
      const NodeId neighbor = neighbors_[static_cast<std::size_t>(row.begin + members[i])];
      ranked_.emplace_back(shared_.first64(static_cast<std::uint32_t>(neighbor)), i);
    }
    std::nth_element(ranked_.begin(), ranked_.begin() + count, ranked_.end());
    for (std::int32_t i = 0; i < count; ++i) out[i] = ranked_[static_cast<std::size_t>(i)].second;
    std::sort(out, out + count);
  }

  DrawRule rule_;
  std::span<const NodeId> neighbors_;
  RngStream shared_;
  ChosenSet chosen_;
  std::vector<std::pair<std::uint64_t, std::int32_t>> ranked_;
};

}  // namespace kith
