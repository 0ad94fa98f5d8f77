#include "sampler/plan.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cmath>
#include <numeric>
#include <utility>

#include "graph/errors.h"
#include "sampler/rng.h"

namespace kith {
namespace {

using Positions = std::vector<std::int64_t>;

constexpr std::string_view kWindowPrefix = "window:";

void check(std::span<const NodeId> roots, const Communities& communities, const PlanOptions& options) {
  KITH_CHECK(options.batch_size > 0, InvalidArgument, "make_plan: batch_size must be > 0, got ",
             options.batch_size);
  KITH_CHECK(options.mix >= 0 && options.mix <= 1, InvalidArgument, "make_plan: mix must be in [0, 1], got ",
             options.mix);
  KITH_CHECK(options.group >= 0, InvalidArgument, "make_plan: group must be >= 0, got ", options.group);
  KITH_CHECK(options.batch_order.kind != BatchOrder::Kind::window || options.batch_order.window > 0,
             InvalidArgument, "make_plan: window must be > 0, got ", options.batch_order.window);
  KITH_CHECK(options.epoch >= 0 && options.epoch <= kMaxEpoch, InvalidArgument,
             "make_plan: epoch must be in [0, ", kMaxEpoch, "], got ", options.epoch);
  for (const NodeId root : roots) {
    KITH_CHECK(root >= 0 && root < communities.num_nodes(), InvalidArgument, "make_plan: roots must be in [0, ",
               communities.num_nodes(), "), got ", root);
  }
}

/// Positions in `roots`, one community after another, as stored inside each.
struct GroupedRoots {
  Positions positions;               ///< [num_roots]
  std::vector<std::int64_t> bounds;  ///< [communities with a root + 1] into positions
};

/// A counting sort: one pass over the communities, two over the roots.
GroupedRoots group_roots(std::span<const NodeId> roots, const Communities& communities) {
  std::vector<std::int64_t> next(static_cast<std::size_t>(communities.num_communities()), 0);
  for (const NodeId root : roots) ++next[static_cast<std::size_t>(communities.community_of(root))];
  GroupedRoots grouped{.positions = Positions(roots.size()), .bounds = {0}};
  for (std::int64_t& entry : next) {
    const std::int64_t count = std::exchange(entry, grouped.bounds.back());
    if (count > 0) grouped.bounds.push_back(entry + count);
  }
  for (std::size_t i = 0; i < roots.size(); ++i) {
    const auto community = static_cast<std::size_t>(communities.community_of(roots[i]));
    grouped.positions[static_cast<std::size_t>(next[community]++)] = static_cast<std::int64_t>(i);
  }
  return grouped;
}

std::size_t run_length(const PlanOptions& options, std::size_t num_communities) {
  if (options.group > 0) return static_cast<std::size_t>(options.group);
  // A share such as 0.07 is stored a little too large; 0.07 of 100 communities is still 7, not 8.
  const double share = options.mix * static_cast<double>(num_communities) * (1 - 1e-12);
  return std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(share)));
}

/// Shuffles communities, cuts them into runs ("super-communities") and shuffles the roots inside each run.
Positions super_community_order(const GroupedRoots& grouped, const PlanOptions& options) {
  const std::size_t num_communities = grouped.bounds.size() - 1;
  std::vector<std::int32_t> communities(num_communities);
  std::iota(communities.begin(), communities.end(), 0);
  Rng community_rng(options.seed, 0, options.epoch, Purpose::community_order);
  shuffle(std::span(communities), community_rng);

  Positions order;
  order.reserve(grouped.positions.size());
  const std::size_t length = run_length(options, num_communities);
  for (std::size_t first = 0; first < num_communities; first += length) {
    const std::size_t run_begin = order.size();
    for (std::size_t i = first; i < std::min(first + length, num_communities); ++i) {
      const auto c = static_cast<std::size_t>(communities[i]);
      order.insert(order.end(), grouped.positions.begin() + grouped.bounds[c],
                   grouped.positions.begin() + grouped.bounds[c + 1]);
    }
    Rng rng(options.seed, static_cast<std::uint32_t>(first / length), options.epoch, Purpose::root_order);
    shuffle(std::span(order).subspan(run_begin), rng);
  }
  return order;
}

Positions uniform_order(std::size_t num_roots, const PlanOptions& options) {
  Positions order(num_roots);
  std::iota(order.begin(), order.end(), std::int64_t{0});
  if (options.is_shuffled) {
    Rng rng(options.seed, 0, options.epoch, Purpose::root_order);
    shuffle(std::span(order), rng);
  }
  return order;
}

/// Shuffles the full batches. A short one stays last, so that every batch begins at a multiple of batch_size.
Positions reorder_batches(Positions order, const PlanOptions& options) {
  const auto batch_size = static_cast<std::size_t>(options.batch_size);
  std::vector<std::size_t> batches(order.size() / batch_size);
  std::iota(batches.begin(), batches.end(), std::size_t{0});
  const std::size_t window = options.batch_order.kind == BatchOrder::Kind::window
                                 ? static_cast<std::size_t>(options.batch_order.window)
                                 : std::max<std::size_t>(batches.size(), 1);
  for (std::size_t first = 0; first < batches.size(); first += window) {
    Rng rng(options.seed, static_cast<std::uint32_t>(first / window), options.epoch, Purpose::batch_order);
    shuffle(std::span(batches).subspan(first, std::min(window, batches.size() - first)), rng);
  }
  Positions reordered;
  reordered.reserve(order.size());
  for (const std::size_t batch : batches) {
    const auto begin = order.begin() + static_cast<std::ptrdiff_t>(batch * batch_size);
    reordered.insert(reordered.end(), begin, begin + options.batch_size);
  }
  reordered.insert(reordered.end(), order.begin() + static_cast<std::ptrdiff_t>(reordered.size()), order.end());
  return reordered;
}

Positions root_order(std::span<const NodeId> roots, const Communities& communities,
                     const PlanOptions& options) {
  const bool is_uniform = options.group == 0 && options.mix == 1;
  if (!options.is_shuffled || is_uniform) return uniform_order(roots.size(), options);
  Positions order = super_community_order(group_roots(roots, communities), options);
  if (options.batch_order.kind == BatchOrder::Kind::sequential) return order;
  return reorder_batches(std::move(order), options);
}

}  // namespace

BatchOrder BatchOrder::parse(std::string_view text) {
  if (text == "shuffled") return {.kind = Kind::shuffled};
  if (text == "sequential") return {.kind = Kind::sequential};
  std::int32_t window = 0;
  if (text.starts_with(kWindowPrefix)) {
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + kWindowPrefix.size(), end, window);
    if (error != std::errc() || rest != end) window = 0;
  }
  KITH_CHECK(window > 0, InvalidArgument,
             "BatchOrder: expected shuffled, sequential or window:K with K > 0, got ", text);
  return {.kind = Kind::window, .window = window};
}

std::string BatchOrder::name() const {
  switch (kind) {
    case Kind::shuffled:
      return "shuffled";
    case Kind::sequential:
      return "sequential";
    case Kind::window:
      break;
  }
  return concat(kWindowPrefix, window);
}

Plan::Plan(std::vector<NodeId> roots, std::vector<std::int64_t> positions, std::vector<std::int64_t> bounds)
    : roots_(std::move(roots)), positions_(std::move(positions)), bounds_(std::move(bounds)) {
  assert(positions_.size() == roots_.size());
  assert(!bounds_.empty() && bounds_.front() == 0);
  assert(bounds_.back() == static_cast<std::int64_t>(roots_.size()));
}

std::span<const NodeId> Plan::operator[](std::size_t batch) const {
  assert(batch < size());
  return std::span(roots_).subspan(static_cast<std::size_t>(bounds_[batch]),
                                   static_cast<std::size_t>(bounds_[batch + 1] - bounds_[batch]));
}

std::span<const std::int64_t> Plan::positions(std::size_t batch) const {
  assert(batch < size());
  return std::span(positions_)
      .subspan(static_cast<std::size_t>(bounds_[batch]),
               static_cast<std::size_t>(bounds_[batch + 1] - bounds_[batch]));
}

Plan make_plan(std::span<const NodeId> roots, const Communities& communities, const PlanOptions& options) {
  check(roots, communities, options);
  Positions positions = root_order(roots, communities, options);
  if (options.drop_last) positions.resize(positions.size() - positions.size() % options.batch_size);

  std::vector<NodeId> ordered(positions.size());
  std::transform(positions.begin(), positions.end(), ordered.begin(),
                 [&](std::int64_t position) { return roots[static_cast<std::size_t>(position)]; });
  const auto num_roots = static_cast<std::int64_t>(positions.size());
  std::vector<std::int64_t> bounds = {0};
  while (bounds.back() < num_roots) bounds.push_back(std::min(bounds.back() + options.batch_size, num_roots));
  return Plan(std::move(ordered), std::move(positions), std::move(bounds));
}

}  // namespace kith
