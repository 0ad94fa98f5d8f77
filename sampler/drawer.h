// Private to sampler/: one node's draw on the host, with what it works in.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "graph/types.h"
#include "sampler/draw.h"
#include "sampler/rng.h"
#include "sampler/shared_variates.h"

namespace kith {

/// Holds what a draw needs besides the node's own random numbers; kept over many nodes, so that its buffers are
/// not allocated anew.
class Drawer {
 public:
  /// neighbors: the graph's, for rules whose draws are shared. shared: stream of those draws; its node is
  /// ignored.
  Drawer(const DrawRule& rule, std::span<const NodeId> neighbors, const RngStream& shared)
      : rule_(rule), neighbors_(neighbors), shared_(shared) {}

  /// Writes the drawn positions, relative to the row, to out: [num_drawn(rule, row)].
  void draw(const DrawRow& row, std::int32_t count, Rng& rng, std::int32_t* out) {
    if (count == 0) return;
    const auto slots = [this](std::size_t size) {
      if (slots_.size() < size) slots_.resize(size);
      return slots_.data();
    };
    if (rule_.fanout < 0) {
      const RowClass members = only_class(rule_, row, count);
      for (std::int32_t i = 0; i < count; ++i) out[i] = members[i];
    } else if (draws_both_classes(rule_, row)) {
      const std::int32_t num_inside = draw_num_inside(rule_, row, count, rng);
      if (!rule_.is_shared) return draw_both_classes(rule_, row, num_inside, count, rng, slots, out);
      choose_smallest(row, RowClass::inside(row), num_inside, out);
      choose_smallest(row, RowClass::outside(row), count - num_inside, out + num_inside);
    } else if (rule_.is_shared) {
      choose_smallest(row, only_class(rule_, row, count), count, out);
    } else {
      draw_class(rule_, only_class(rule_, row, count), count, rng, slots, out);
    }
  }

  /// See weigh() of a row. positions: as drawn; weights: [positions.size()].
  void weigh(const DrawRow& row, std::span<const std::int32_t> positions, float* weights) const {
    const auto is_inside = [&](std::int32_t position) { return row.is_inside(position); };
    const auto num_inside = std::count_if(positions.begin(), positions.end(), is_inside);
    const RowWeights of = kith::weigh(rule_, row, static_cast<std::int32_t>(positions.size()),
                                      static_cast<std::int32_t>(num_inside));
    for (std::size_t i = 0; i < positions.size(); ++i) {
      weights[i] = static_cast<float>(is_inside(positions[i]) ? of.inside : of.outside);
    }
  }

 private:
  /// Writes which `count` members have the smallest variates, ascending. A neighbour's variate is the same for
  /// every node of the hop, so nodes choose the same neighbours where they can: sequential Poisson sampling,
  /// the form of LABOR-0 that draws exactly `count`. Reads the whole class, unless all of it is drawn.
  void choose_smallest(const DrawRow& row, const RowClass& members, std::int32_t count, std::int32_t* out) {
    if (count == members.size) {
      for (std::int32_t i = 0; i < count; ++i) out[i] = members[i];
      return;
    }
    look_up_variates(row, members);
    // The smallest ones of uniform variates lie below this nearly always.
    const double enough = count + 4 * std::sqrt(static_cast<double>(count)) + 4;
    std::int32_t num_ranked = 0;
    if (enough < members.size) num_ranked = rank_below(std::ldexp(enough / members.size, 64), members.size);
    if (num_ranked < count) num_ranked = rank_below(std::ldexp(1.0, 64), members.size);
    std::nth_element(ranked_.begin(), ranked_.begin() + count, ranked_.begin() + num_ranked);
    for (std::int32_t i = 0; i < count; ++i) out[i] = ranked_[static_cast<std::size_t>(i)].second;
    std::sort(out, out + count);
    for (std::int32_t i = 0; i < count; ++i) out[i] = members[out[i]];
  }

  void look_up_variates(const DrawRow& row, const RowClass& members) {
    const auto size = static_cast<std::size_t>(members.size);
    if (variates_.size() < size) {
      variates_.resize(size);
      ranked_.resize(size + 1);
    }
    const std::span<const NodeId> ids = neighbors_.subspan(static_cast<std::size_t>(row.begin));
    const auto before_gap = static_cast<std::size_t>(std::min(members.gap_at, members.size));
    shared_variates(shared_, ids.subspan(static_cast<std::size_t>(members.begin), before_gap),
                    variates_.data());
    if (before_gap == size) return;
    const auto after = static_cast<std::size_t>(members[members.gap_at]);
    shared_variates(shared_, ids.subspan(after, size - before_gap), variates_.data() + before_gap);
  }

  /// Puts the members with variates below `bound` into ranked_, with their variates. Returns how many.
  std::int32_t rank_below(double bound, std::int32_t size) {
    const bool is_all = bound >= 0x1p64;
    const std::uint64_t limit = is_all ? 0 : static_cast<std::uint64_t>(bound);
    std::int32_t count = 0;
    for (std::int32_t i = 0; i < size; ++i) {
      const std::uint64_t variate = variates_[static_cast<std::size_t>(i)];
      ranked_[static_cast<std::size_t>(count)] = {variate, i};
      count += is_all || variate < limit ? 1 : 0;  // without a branch, which would be mispredicted
    }
    return count;
  }

  DrawRule rule_;
  std::span<const NodeId> neighbors_;
  RngStream shared_;
  std::vector<std::int32_t> slots_;
  std::vector<std::uint64_t> variates_;
  std::vector<std::pair<std::uint64_t, std::int32_t>> ranked_;
};

}  // namespace kith
