#include "partition/community_order.h"

#include <algorithm>
#include <queue>
#include <utility>

namespace kith {
namespace {

/// Numbers the communities of one level, one group of siblings after the other.
class GreedyOrder {
 public:
  explicit GreedyOrder(const Quotient& quotient)
      : quotient_(quotient),
        rank_(quotient.node_weights.size(), kUnset),
        connection_(rank_.size(), 0),
        is_open_(rank_.size(), 0) {}

  /// siblings: ascending. Continues from the communities numbered so far.
  void append(std::span<const std::int32_t> siblings) {
    // Entries go stale when a connection grows; the newest one of a community is always the largest.
    std::priority_queue<std::pair<double, std::int32_t>> queue;
    for (const std::int32_t c : siblings) queue.emplace(score(c), -c);
    for (const std::int32_t c : siblings) is_open_[c] = 1;
    while (!queue.empty()) {
      const std::int32_t c = -queue.top().second;
      queue.pop();
      if (!is_open_[c]) continue;
      is_open_[c] = 0;
      rank_[c] = next_++;
      for (EdgeOffset e = quotient_.offsets[c]; e < quotient_.offsets[c + 1]; ++e) {
        const NodeId other = quotient_.neighbors[e];
        connection_[other] += quotient_.edge_weights[e];
        if (is_open_[other]) queue.emplace(score(other), -other);
      }
    }
  }

  std::vector<std::int32_t> take() { return std::move(rank_); }

 private:
  static constexpr std::int32_t kUnset = -1;

  double score(std::int32_t c) const { return static_cast<double>(connection_[c]); }

  const Quotient& quotient_;
  std::vector<std::int32_t> rank_;
  std::vector<std::int64_t> connection_;  ///< edges to the communities numbered so far
  std::vector<char> is_open_;             ///< among the siblings, not yet numbered
  std::int32_t next_ = 0;
};

/// Communities grouped by parent, the parents by rank; one group if there is no parent. Isolated ones come
/// last in each group.
std::vector<std::vector<std::int32_t>> sibling_groups(const Level& level,
                                                      std::span<const std::int32_t> parent_rank) {
  std::vector<std::vector<std::int32_t>> groups(std::max<std::size_t>(1, parent_rank.size()));
  for (std::int32_t c = 0; c < level.quotient.num_communities(); ++c) {
    groups[parent_rank.empty() ? 0 : parent_rank[level.parent[c]]].push_back(c);
  }
  for (auto& group : groups) {
    std::ranges::stable_sort(group, {}, [&](std::int32_t c) { return level.is_isolated[c]; });
  }
  return groups;
}

}  // namespace

std::vector<std::vector<std::int32_t>> order_communities(std::span<const Level> levels) {
  std::vector<std::vector<std::int32_t>> ranks(levels.size());
  for (std::size_t l = levels.size(); l-- > 0;) {
    const bool is_coarsest = l + 1 == levels.size();
    GreedyOrder order(levels[l].quotient);
    for (const auto& group :
         sibling_groups(levels[l], is_coarsest ? std::span<const std::int32_t>{} : std::span(ranks[l + 1]))) {
      const auto first_isolated =
          std::ranges::find_if(group, [&](std::int32_t c) { return levels[l].is_isolated[c] != 0; });
      const auto split = static_cast<std::size_t>(first_isolated - group.begin());
      order.append(std::span(group).first(split));
      order.append(std::span(group).subspan(split));
    }
    ranks[l] = order.take();
  }
  return ranks;
}

}  // namespace kith
