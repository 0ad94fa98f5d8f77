#include "datasets/block_model.h"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_sort.h>

#include <algorithm>
#include <set>
#include <utility>

#include "graph/errors.h"
#include "sampler/rng.h"

namespace kith {
namespace {

// Counter words that keep the draws of the three kinds of edges apart; generate.cpp has the numbers from 208.
enum class Kind : std::uint8_t { fine = 200, coarse = 201, outside = 202 };

// An undirected edge as one sortable number: (lower id << 32 | higher id).
using Pair = std::uint64_t;
constexpr Pair kNoPair = ~Pair{0};

struct Range {
  NodeId begin;
  NodeId end;
};

std::vector<std::int32_t> community_of(std::span<const EdgeOffset> bounds) {
  std::vector<std::int32_t> of(static_cast<std::size_t>(bounds.back()));
  for (std::size_t c = 0; c + 1 < bounds.size(); ++c) {
    std::fill(of.begin() + bounds[c], of.begin() + bounds[c + 1], static_cast<std::int32_t>(c));
  }
  return of;
}

// Draws edges of one kind. Immutable, so that threads share it.
class PairSampler {
 public:
  PairSampler(const BlockModel& model, Kind kind)
      : model_(model), kind_(kind), fine_of_(community_of(model.fine)), coarse_of_(community_of(model.coarse)) {
    // Where the search for a weight starts: bucket b begins at the node that holds b / num_buckets of all
    // weight.
    const auto num_nodes = static_cast<std::size_t>(model.num_nodes());
    guide_.resize(num_nodes + 1);
    std::size_t node = 0;
    for (std::size_t b = 0; b < guide_.size(); ++b) {
      const double target = total() * static_cast<double>(b) / static_cast<double>(num_nodes);
      while (node + 1 < num_nodes && model.weight_sum[node + 1] <= target) ++node;
      guide_[b] = static_cast<NodeId>(node);
    }
  }

  // A pair of the kind, or kNoPair after many draws that gave none.
  Pair draw(Rng& rng) const {
    constexpr int kTries = 32;
    for (int i = 0; i < kTries; ++i) {
      const NodeId u = node_at(uniform(rng) * total());
      const NodeId v = partner(u, rng);
      if (u != v) {
        return static_cast<Pair>(std::min(u, v)) << 32 | static_cast<Pair>(std::max(u, v));
      }
    }
    return kNoPair;
  }

  // How many pairs of the kind there are.
  EdgeOffset capacity() const {
    const auto pairs = [](std::span<const EdgeOffset> bounds) {
      EdgeOffset sum = 0;
      for (std::size_t c = 1; c < bounds.size(); ++c) {
        const EdgeOffset size = bounds[c] - bounds[c - 1];
        sum += size * (size - 1) / 2;
      }
      return sum;
    };
    if (kind_ == Kind::fine) return pairs(model_.fine);
    if (kind_ == Kind::coarse) return pairs(model_.coarse) - pairs(model_.fine);
    const EdgeOffset num_nodes = model_.num_nodes();
    return num_nodes * (num_nodes - 1) / 2 - pairs(model_.coarse);
  }

 private:
  static double uniform(Rng& rng) { return static_cast<double>(rng.next64() >> 11) * 0x1.0p-53; }
  double total() const { return model_.weight_sum.back(); }

  static Range range_of(std::span<const EdgeOffset> bounds, std::int32_t c) {
    return {static_cast<NodeId>(bounds[c]), static_cast<NodeId>(bounds[c + 1])};
  }

  // The node whose share of the running sum holds `weight`.
  NodeId node_at(double weight) const {
    const auto last = static_cast<std::size_t>(model_.num_nodes()) - 1;
    const auto bucket = static_cast<std::size_t>(weight / total() * static_cast<double>(last + 1));
    auto node = static_cast<std::size_t>(guide_[std::min(bucket, last)]);
    while (node > 0 && model_.weight_sum[node] > weight) --node;  // rounding only
    while (node < last && model_.weight_sum[node + 1] <= weight) ++node;
    return static_cast<NodeId>(node);
  }

  // A weighted node of `all` that is not in `hole`, which lies inside `all`; u if there is none.
  NodeId partner_in(NodeId u, Range all, Range hole, Rng& rng) const {
    const std::vector<double>& sum = model_.weight_sum;
    const double before = sum[hole.begin] - sum[all.begin];
    const double after = sum[all.end] - sum[hole.end];
    if (before + after <= 0) return u;
    const double weight = uniform(rng) * (before + after);
    const NodeId v = node_at(weight < before ? sum[all.begin] + weight : sum[hole.end] + (weight - before));
    // Rounding may step over a bound; such a draw counts as failed.
    const bool fits = v >= all.begin && v < all.end && (v < hole.begin || v >= hole.end);
    return fits ? v : u;
  }

  NodeId partner(NodeId u, Rng& rng) const {
    const Range fine = range_of(model_.fine, fine_of_[u]);
    const Range coarse = range_of(model_.coarse, coarse_of_[u]);
    if (kind_ == Kind::fine) return partner_in(u, fine, {fine.begin, fine.begin}, rng);
    if (kind_ == Kind::coarse) return partner_in(u, coarse, fine, rng);
    return partner_in(u, {0, model_.num_nodes()}, coarse, rng);
  }

  const BlockModel& model_;
  Kind kind_;
  std::vector<std::int32_t> fine_of_;
  std::vector<std::int32_t> coarse_of_;
  std::vector<NodeId> guide_;
};

// Draws `wanted` pairs in parallel and merges those that are new into `pairs`, which stays sorted.
void draw_round(const PairSampler& sampler, EdgeOffset wanted, std::uint64_t seed, std::int32_t round,
                Kind kind, std::vector<Pair>& pairs) {
  const std::size_t old_size = pairs.size();
  pairs.resize(old_size + static_cast<std::size_t>(wanted));
  tbb::parallel_for(tbb::blocked_range<EdgeOffset>(0, wanted, 8192), [&](const auto& range) {
    for (EdgeOffset i = range.begin(); i != range.end(); ++i) {
      Rng rng(seed, static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(i >> 32), round,
              static_cast<std::uint8_t>(kind));
      pairs[old_size + static_cast<std::size_t>(i)] = sampler.draw(rng);
    }
  });
  const auto middle = pairs.begin() + static_cast<std::ptrdiff_t>(old_size);
  tbb::parallel_sort(middle, pairs.end());
  std::inplace_merge(pairs.begin(), middle, pairs.end());
  pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
  if (!pairs.empty() && pairs.back() == kNoPair) pairs.pop_back();
}

// The last pairs one by one, so that not one too many is kept.
void draw_rest(const PairSampler& sampler, EdgeOffset missing, Rng rng, std::vector<Pair>& pairs) {
  std::set<Pair> fresh;
  const EdgeOffset tries = 1'000'000 + 100 * missing;
  for (EdgeOffset i = 0; i < tries && static_cast<EdgeOffset>(fresh.size()) < missing; ++i) {
    const Pair pair = sampler.draw(rng);
    if (pair != kNoPair && !std::binary_search(pairs.begin(), pairs.end(), pair)) fresh.insert(pair);
  }
  KITH_CHECK(
      static_cast<EdgeOffset>(fresh.size()) == missing, InvalidArgument, "generate: ", missing,
      " edges found no free pair of nodes; ask for fewer edges, larger communities or a smaller --intra");
  const auto middle = pairs.insert(pairs.end(), fresh.begin(), fresh.end());
  std::inplace_merge(pairs.begin(), middle, pairs.end());
}

// `quota` distinct pairs of one kind, ascending.
std::vector<Pair> draw_kind(const BlockModel& model, Kind kind, EdgeOffset quota, std::uint64_t seed) {
  std::vector<Pair> pairs;
  if (quota == 0) return pairs;
  const PairSampler sampler(model, kind);
  const EdgeOffset capacity = sampler.capacity();
  KITH_CHECK(quota <= capacity, InvalidArgument, "generate: the communities hold at most ", capacity,
             " undirected edges ",
             kind == Kind::fine     ? "inside fine communities"
             : kind == Kind::coarse ? "between the fine communities of a coarse one"
                                    : "between coarse communities",
             ", ", quota, " were asked for; ask for fewer edges or another --intra or --communities");
  constexpr EdgeOffset kSerial = 4096;  // below this a round in parallel does not pay
  constexpr std::int32_t kMaxRounds = 100;
  pairs.reserve(static_cast<std::size_t>(quota));
  std::int32_t round = 0;
  const auto missing = [&] { return quota - static_cast<EdgeOffset>(pairs.size()); };
  for (; missing() > kSerial && round < kMaxRounds; ++round)
    draw_round(sampler, missing(), seed, round, kind, pairs);
  if (missing() > 0) {
    draw_rest(sampler, missing(), Rng(seed, 0, 0, round, static_cast<std::uint8_t>(kind)), pairs);
  }
  return pairs;
}

}  // namespace

CsrGraph draw_edges(const BlockModel& model, const EdgeQuota& quota, std::uint64_t seed) {
  const auto num_nodes = static_cast<std::size_t>(model.num_nodes());
  std::vector<std::vector<Pair>> kinds;
  kinds.push_back(draw_kind(model, Kind::fine, quota.fine, seed));
  kinds.push_back(draw_kind(model, Kind::coarse, quota.coarse, seed));
  kinds.push_back(draw_kind(model, Kind::outside, quota.outside, seed));
  // Counted two places up, so that offsets[v + 1] is where row v is filled from and then where it ends.
  std::vector<EdgeOffset> offsets(num_nodes + 2);
  const auto low = [](Pair pair) { return static_cast<std::size_t>(pair >> 32); };
  const auto high = [](Pair pair) { return static_cast<std::size_t>(pair & 0xFFFFFFFFU); };
  for (const std::vector<Pair>& pairs : kinds) {
    for (const Pair pair : pairs) {
      ++offsets[low(pair) + 2];
      ++offsets[high(pair) + 2];
    }
  }
  for (std::size_t v = 2; v < offsets.size(); ++v) offsets[v] += offsets[v - 1];
  std::vector<NodeId> neighbors(static_cast<std::size_t>(offsets.back()));
  for (std::vector<Pair>& pairs : kinds) {
    for (const Pair pair : pairs) {
      neighbors[static_cast<std::size_t>(offsets[low(pair) + 1]++)] = static_cast<NodeId>(high(pair));
      neighbors[static_cast<std::size_t>(offsets[high(pair) + 1]++)] = static_cast<NodeId>(low(pair));
    }
    std::vector<Pair>().swap(pairs);
  }
  offsets.pop_back();
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, num_nodes, 1024), [&](const auto& range) {
    for (std::size_t v = range.begin(); v != range.end(); ++v) {
      std::sort(neighbors.begin() + offsets[v], neighbors.begin() + offsets[v + 1]);
    }
  });
  return CsrGraph(std::move(offsets), std::move(neighbors), "generate");
}

}  // namespace kith
