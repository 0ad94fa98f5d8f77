#include "sampler/plan.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <numeric>
#include <utility>

#include "graph/errors.h"
#include "sampler/rng.h"
#include "sampler/root_order.h"

namespace kith {
namespace {

constexpr std::string_view kWindowPrefix = "window:";
/// In the order of Mixing.
constexpr std::array<std::string_view, 4> kMixingNames = {"communities", "balanced", "nested", "leaky"};

void check(std::span<const NodeId> roots, std::span<const Communities> levels, const PlanOptions& options) {
  KITH_CHECK(options.batch_size > 0, InvalidArgument, "make_plan: batch_size must be > 0, got ",
             options.batch_size);
  KITH_CHECK(options.mix >= 0 && options.mix <= 1, InvalidArgument, "make_plan: mix must be in [0, 1], got ",
             options.mix);
  KITH_CHECK(options.group >= 0, InvalidArgument, "make_plan: group must be >= 0, got ", options.group);
  KITH_CHECK(options.mixing != Mixing::nested || levels.size() > 1, InvalidArgument,
             "make_plan: mixing nested needs a coarser level of communities, got the coarsest one");
  KITH_CHECK(
      options.mixing != Mixing::leaky || !options.is_batch_per_run, InvalidArgument,
      "make_plan: mixing leaky splits communities, a batch of the sampler cluster is made of whole ones");
  KITH_CHECK(options.batch_order.kind != BatchOrder::Kind::window || options.batch_order.window > 0,
             InvalidArgument, "make_plan: window must be > 0, got ", options.batch_order.window);
  KITH_CHECK(options.epoch >= 0 && options.epoch <= kMaxEpoch, InvalidArgument,
             "make_plan: epoch must be in [0, ", kMaxEpoch, "], got ", options.epoch);
  KITH_CHECK(options.world_size > 0, InvalidArgument, "make_plan: world_size must be > 0, got ",
             options.world_size);
  KITH_CHECK(options.rank >= 0 && options.rank < options.world_size, InvalidArgument,
             "make_plan: rank must be in [0, ", options.world_size, "), got ", options.rank);
  KITH_CHECK(roots.empty() || roots.size() >= static_cast<std::size_t>(options.world_size), InvalidArgument,
             "make_plan: expected at least one root a rank (", options.world_size, "), got ", roots.size());
  for (const NodeId root : roots) {
    KITH_CHECK(root >= 0 && root < levels[0].num_nodes(), InvalidArgument, "make_plan: roots must be in [0, ",
               levels[0].num_nodes(), "), got ", root);
  }
}

/// A stretch of the root order.
struct Cut {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t id = 0;
};

/// The batches of the whole epoch, in the order of the roots. Those from num_full on are short.
struct Cuts {
  std::vector<Cut> all;
  std::int64_t num_full = 0;
};

Cuts cut_into_batches(const RootOrder& order, const PlanOptions& options) {
  const auto num_roots = static_cast<std::int64_t>(order.positions.size());
  Cuts cuts;
  const auto add = [&](std::int64_t begin, std::int64_t end) {
    cuts.all.push_back({begin, end, static_cast<std::int64_t>(cuts.all.size())});
  };
  if (options.is_batch_per_run) {
    for (std::size_t run = 0; run + 1 < order.run_bounds.size(); ++run) {
      add(order.run_bounds[run], order.run_bounds[run + 1]);
    }
    cuts.num_full = order.num_full_runs;
  } else {
    for (std::int64_t begin = 0; begin < num_roots; begin += options.batch_size) {
      add(begin, std::min(begin + options.batch_size, num_roots));
    }
    cuts.num_full = num_roots / options.batch_size;
  }
  if (options.drop_last) cuts.all.resize(static_cast<std::size_t>(cuts.num_full));
  return cuts;
}

/// The batches of one rank: a stretch of as many whole ones as every rank can get, then its part of the rest.
Cuts take_rank(const Cuts& cuts, const PlanOptions& options) {
  const std::int64_t num_ranks = options.world_size;
  const auto num_batches = static_cast<std::int64_t>(cuts.all.size());
  std::int64_t per_rank = num_batches / num_ranks;
  bool has_rest = num_batches % num_ranks > 0 && !options.drop_last;
  const auto rest_begin = [&] { return cuts.all[static_cast<std::size_t>(per_rank * num_ranks)].begin; };
  // A rest of less than a root a rank takes a round of whole batches with it: some get one root more.
  if (has_rest && cuts.all.back().end - rest_begin() < num_ranks) --per_rank;
  const auto first = cuts.all.begin() + options.rank * per_rank;
  Cuts own{.all = std::vector<Cut>(first, first + per_rank), .num_full = 0};
  own.num_full = std::clamp<std::int64_t>(cuts.num_full - options.rank * per_rank, 0, per_rank);
  if (has_rest) {
    const std::int64_t num_rest = cuts.all.back().end - rest_begin();
    own.all.push_back({.begin = rest_begin() + num_rest * options.rank / num_ranks,
                       .end = rest_begin() + num_rest * (options.rank + 1) / num_ranks,
                       .id = per_rank * num_ranks + options.rank});
  }
  return own;
}

/// Shuffles the full batches. A short one stays last.
void reorder(Cuts& cuts, const PlanOptions& options) {
  const auto num_full = static_cast<std::size_t>(cuts.num_full);
  const std::size_t window = options.batch_order.kind == BatchOrder::Kind::window
                                 ? static_cast<std::size_t>(options.batch_order.window)
                                 : std::max<std::size_t>(num_full, 1);
  for (std::size_t first = 0; first < num_full; first += window) {
    Rng rng(options.seed, static_cast<std::uint32_t>(first / window), static_cast<std::uint32_t>(options.rank),
            options.epoch, static_cast<std::uint8_t>(Purpose::batch_order));
    shuffle(std::span(cuts.all).subspan(first, std::min(window, num_full - first)), rng);
  }
}

bool is_reordered(const PlanOptions& options) {
  const bool is_uniform = options.group == 0 && options.mix == 1;
  return options.is_shuffled && !is_uniform && options.batch_order.kind != BatchOrder::Kind::sequential;
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

Mixing parse_mixing(std::string_view name) {
  const auto found = std::find(kMixingNames.begin(), kMixingNames.end(), name);
  KITH_CHECK(found != kMixingNames.end(), InvalidArgument,
             "mixing: expected communities, balanced, nested or leaky, got ", name);
  return static_cast<Mixing>(found - kMixingNames.begin());
}

std::string_view name_of(Mixing mixing) { return kMixingNames[static_cast<std::size_t>(mixing)]; }

Plan::Plan(std::vector<NodeId> roots, std::vector<std::int64_t> positions, std::vector<std::int64_t> bounds,
           std::vector<std::int64_t> ids)
    : roots_(std::move(roots)),
      positions_(std::move(positions)),
      bounds_(std::move(bounds)),
      ids_(std::move(ids)) {
  assert(positions_.size() == roots_.size());
  assert(!bounds_.empty() && bounds_.front() == 0 && bounds_.size() == ids_.size() + 1);
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

Plan make_plan(std::span<const NodeId> roots, std::span<const Communities> levels, const PlanOptions& options) {
  assert(!levels.empty());
  check(roots, levels, options);
  const RootOrder order = order_roots(roots, levels, options);
  Cuts cuts = take_rank(cut_into_batches(order, options), options);
  if (is_reordered(options)) reorder(cuts, options);

  std::vector<NodeId> ordered;
  std::vector<std::int64_t> positions;
  std::vector<std::int64_t> bounds = {0};
  std::vector<std::int64_t> ids;
  const std::int64_t num_roots =
      std::accumulate(cuts.all.begin(), cuts.all.end(), std::int64_t{0},
                      [](std::int64_t sum, const Cut& cut) { return sum + cut.end - cut.begin; });
  positions.reserve(static_cast<std::size_t>(num_roots));
  for (const Cut& cut : cuts.all) {
    positions.insert(positions.end(), order.positions.begin() + cut.begin, order.positions.begin() + cut.end);
    bounds.push_back(static_cast<std::int64_t>(positions.size()));
    ids.push_back(cut.id);
  }
  ordered.reserve(positions.size());
  for (const std::int64_t position : positions) ordered.push_back(roots[static_cast<std::size_t>(position)]);
  return Plan(std::move(ordered), std::move(positions), std::move(bounds), std::move(ids));
}

}  // namespace kith
