#include "sampler/root_order.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "sampler/rng.h"

namespace kith {
namespace {

using Positions = std::vector<std::int64_t>;

/// Positions in `roots`, one community after another, as stored inside each.
struct GroupedRoots {
  Positions positions;                    ///< [num_roots]
  std::vector<std::int64_t> bounds;       ///< [communities with a root + 1] into positions
  std::vector<std::int32_t> communities;  ///< [communities with a root] ascending

  std::size_t size() const { return communities.size(); }
  std::int64_t num_roots(std::int32_t i) const { return bounds[i + 1] - bounds[i]; }
};

/// A counting sort: one pass over the communities, two over the roots.
GroupedRoots group_roots(std::span<const NodeId> roots, const Communities& communities) {
  std::vector<std::int64_t> next(static_cast<std::size_t>(communities.num_communities()), 0);
  for (const NodeId root : roots) ++next[static_cast<std::size_t>(communities.community_of(root))];
  GroupedRoots grouped{.positions = Positions(roots.size()), .bounds = {0}, .communities = {}};
  for (std::size_t c = 0; c < next.size(); ++c) {
    const std::int64_t count = std::exchange(next[c], grouped.bounds.back());
    if (count == 0) continue;
    grouped.bounds.push_back(grouped.bounds.back() + count);
    grouped.communities.push_back(static_cast<std::int32_t>(c));
  }
  for (std::size_t i = 0; i < roots.size(); ++i) {
    const auto community = static_cast<std::size_t>(communities.community_of(roots[i]));
    grouped.positions[static_cast<std::size_t>(next[community]++)] = static_cast<std::int64_t>(i);
  }
  return grouped;
}

/// Shuffles communities so that those of one coarser community stay together, at every level.
class NestedShuffle {
 public:
  NestedShuffle(const GroupedRoots& grouped, std::span<const Communities> levels, Rng& rng)
      : grouped_(grouped), levels_(levels), rng_(rng) {}

  /// Indices into grouped.communities.
  std::vector<std::int32_t> run() {
    order_.reserve(grouped_.size());
    append(levels_.size() - 1, 0, static_cast<std::int32_t>(grouped_.size()));
    return std::move(order_);
  }

 private:
  /// Appends [first, last), which lie in one community of level + 1.
  void append(std::size_t level, std::int32_t first, std::int32_t last) {
    std::vector<std::pair<std::int32_t, std::int32_t>> parts;  // stretches of one community of `level`
    for (std::int32_t i = first; i < last; ++i) {
      if (i == first || parent(level, i) != parent(level, i - 1)) parts.emplace_back(i, i);
      parts.back().second = i + 1;
    }
    shuffle(std::span(parts), rng_);
    for (const auto& [begin, end] : parts) {
      if (level == 0) {
        order_.push_back(begin);
      } else {
        append(level - 1, begin, end);
      }
    }
  }

  /// The community of `level` around the i-th community with a root.
  std::int32_t parent(std::size_t level, std::int32_t i) const {
    return levels_[level].community_of(levels_[0].begin(grouped_.communities[static_cast<std::size_t>(i)]));
  }

  const GroupedRoots& grouped_;
  std::span<const Communities> levels_;
  Rng& rng_;
  std::vector<std::int32_t> order_;
};

/// Indices into grouped.communities, in the order of the epoch.
std::vector<std::int32_t> order_communities(const GroupedRoots& grouped, std::span<const Communities> levels,
                                            const PlanOptions& options) {
  std::vector<std::int32_t> order(grouped.size());
  std::iota(order.begin(), order.end(), 0);
  if (!options.is_shuffled || order.empty()) return order;
  Rng rng(options.seed, 0, options.epoch, Purpose::community_order);
  if (options.mixing == Mixing::nested) return NestedShuffle(grouped, levels, rng).run();
  shuffle(std::span(order), rng);
  return order;
}

std::size_t run_length(const PlanOptions& options, std::size_t num_communities) {
  if (options.group > 0) return static_cast<std::size_t>(options.group);
  if (options.mixing == Mixing::leaky) return 1;
  // A share such as 0.07 is stored a little too large; 0.07 of 100 communities is still 7, not 8.
  const double share = options.mix * static_cast<double>(num_communities) * (1 - 1e-12);
  return std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(share)));
}

/// Where runs begin, as indices into `order`: every `length` communities.
std::vector<std::size_t> cut_by_count(std::size_t num_communities, std::size_t length) {
  std::vector<std::size_t> starts;
  for (std::size_t first = 0; first < num_communities; first += length) starts.push_back(first);
  return starts;
}

/// Where runs begin, as indices into `order`: between the communities that are nearest to equal shares of the
/// roots.
std::vector<std::size_t> cut_by_roots(const GroupedRoots& grouped, const std::vector<std::int32_t>& order,
                                      double share) {
  const double target = share * static_cast<double>(grouped.positions.size());
  std::vector<std::size_t> starts;
  double seen = 0;  // roots before community i
  double next_cut = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto count = static_cast<double>(grouped.num_roots(order[i]));
    if (i == 0 ||
        seen + count / 2 >= next_cut) {  // the cut is nearer to this community's begin than to its end
      starts.push_back(i);
      next_cut = std::max(next_cut + target, seen);
    }
    seen += count;
  }
  return starts;
}

std::vector<std::size_t> cut_into_runs(const GroupedRoots& grouped, const std::vector<std::int32_t>& order,
                                       const PlanOptions& options) {
  if (options.mixing != Mixing::balanced) {
    return cut_by_count(order.size(), run_length(options, order.size()));
  }
  const double share = options.group > 0 ? options.group / static_cast<double>(order.size()) : options.mix;
  return cut_by_roots(grouped, order, share);
}

/// Shuffles a share of the positions among themselves, wherever they stand.
void leak(Positions& positions, const PlanOptions& options) {
  const auto count =
      static_cast<std::size_t>(std::llround(options.mix * static_cast<double>(positions.size())));
  Rng rng(options.seed, 0, options.epoch, Purpose::leak);
  std::vector<std::size_t> places(positions.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  for (std::size_t i = 0; i < count; ++i) {
    std::swap(places[i], places[i + static_cast<std::size_t>(rng.bounded64(places.size() - i))]);
  }
  // The first `count` places are a random subset in random order: that order is the permutation.
  Positions moved;
  moved.reserve(count);
  for (std::size_t i = 0; i < count; ++i) moved.push_back(positions[places[i]]);
  std::sort(places.begin(), places.begin() + static_cast<std::ptrdiff_t>(count));
  for (std::size_t i = 0; i < count; ++i) positions[places[i]] = moved[i];
}

/// Communities in order, cut into runs ("super-communities"), the roots shuffled inside each.
RootOrder super_community_order(const GroupedRoots& grouped, std::span<const Communities> levels,
                                const PlanOptions& options) {
  const std::vector<std::int32_t> communities = order_communities(grouped, levels, options);
  const std::vector<std::size_t> starts = cut_into_runs(grouped, communities, options);
  RootOrder order{.positions = {}, .run_bounds = {0}};
  order.positions.reserve(grouped.positions.size());
  for (std::size_t run = 0; run < starts.size(); ++run) {
    const std::size_t end = run + 1 < starts.size() ? starts[run + 1] : communities.size();
    for (std::size_t i = starts[run]; i < end; ++i) {
      const auto c = static_cast<std::size_t>(communities[i]);
      order.positions.insert(order.positions.end(), grouped.positions.begin() + grouped.bounds[c],
                             grouped.positions.begin() + grouped.bounds[c + 1]);
    }
    if (options.is_shuffled) {
      Rng rng(options.seed, static_cast<std::uint32_t>(run), options.epoch, Purpose::root_order);
      shuffle(std::span(order.positions).subspan(static_cast<std::size_t>(order.run_bounds.back())), rng);
    }
    order.run_bounds.push_back(static_cast<std::int64_t>(order.positions.size()));
  }
  const std::size_t length = run_length(options, communities.size());
  order.num_full_runs = static_cast<std::int64_t>(
      options.mixing == Mixing::balanced ? starts.size() : communities.size() / length);
  if (options.mixing == Mixing::leaky && options.is_shuffled) leak(order.positions, options);
  return order;
}

RootOrder uniform_order(std::size_t num_roots, const PlanOptions& options) {
  RootOrder order{.positions = Positions(num_roots), .run_bounds = {0}, .num_full_runs = 1};
  std::iota(order.positions.begin(), order.positions.end(), std::int64_t{0});
  if (options.is_shuffled) {
    Rng rng(options.seed, 0, options.epoch, Purpose::root_order);
    shuffle(std::span(order.positions), rng);
  }
  order.run_bounds.push_back(static_cast<std::int64_t>(num_roots));
  return order;
}

}  // namespace

RootOrder order_roots(std::span<const NodeId> roots, std::span<const Communities> levels,
                      const PlanOptions& options) {
  const bool is_uniform = (options.group == 0 && options.mix == 1) || !options.is_shuffled;
  if (is_uniform && !options.is_batch_per_run) return uniform_order(roots.size(), options);
  return super_community_order(group_roots(roots, levels[0]), levels, options);
}

}  // namespace kith
