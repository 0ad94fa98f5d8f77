// Draws of one node at two places (hop, batch, epoch, seed, or another node with the same row) have nothing to
// do with each other.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "sampler/neighbor_sampler.h"
#include "tests/sampler/class_law.h"
#include "tests/sampler/law.h"
#include "tests/sampler/wrong_samplers.h"
#include "tests/support/graphs.h"

namespace kith {
namespace {

using test::Place;
using test::PlacedDraw;
using test::Row;
using test::Verdict;
using test::wrong::Part;

/// The deviations that a test has to notice: 5 % of the draws are repeated, or the numbers of neighbours inside
/// correlate by 0.1.
constexpr double kRepeated = 0.05;
constexpr double kCorrelation = 0.1;
constexpr std::int64_t kTrials = 4096;
constexpr std::int32_t kFanout = 12;
const Row kRow{.degree = 60, .num_inside = 25};

/// Two nodes, 0 and 1, that hear from the nodes 4..63, of which the first 25 share their community; node 2
/// hears from 0, and 3 from 1: from there, they are drawn for in the second hop.
class PlacedSampler {
 public:
  explicit PlacedSampler(const SamplerOptions& options) : options_(options) {
    std::vector<NodeId> neighbors;
    for (int node = 0; node < 2; ++node) {
      for (std::int32_t i = 0; i < kRow.degree; ++i) neighbors.push_back(4 + i);
    }
    neighbors.insert(neighbors.end(), {0, 1});
    std::vector<EdgeOffset> offsets(static_cast<std::size_t>(kRow.degree) + 5,
                                    static_cast<EdgeOffset>(neighbors.size()));
    offsets[0] = 0;
    for (std::size_t v = 1; v < 4; ++v)
      offsets[v] = std::min<EdgeOffset>(static_cast<EdgeOffset>(v), 2) * kRow.degree;
    offsets[3] = 2 * kRow.degree + 1;
    graph_ = CsrGraph(std::move(offsets), std::move(neighbors), "PlacedSampler");
  }

  std::vector<std::int32_t> draw(const Place& place) {
    const NodeId root = place.node + 2 * place.hop;
    const MiniBatch batch = sampler(place).sample(std::vector<NodeId>{root}, place.epoch, place.batch);
    const std::int32_t local = place.hop;  // the node itself, or the only one that the root hears from
    std::vector<std::int32_t> positions;
    for (std::int32_t e = batch.offsets[local]; e < batch.offsets[local + 1]; ++e) {
      positions.push_back(batch.input_nodes[batch.sources[e]] - 4);
    }
    return positions;
  }

 private:
  const NeighborSampler& sampler(const Place& place) {
    auto& found = samplers_[{place.seed, place.hop}];
    if (!found) {
      SamplerOptions options = options_;
      options.fanouts = place.hop == 0 ? std::vector{kFanout} : std::vector{1, kFanout};
      options.seed = place.seed;
      const NodeId num_nodes = graph_.num_nodes();
      const Communities communities({0, 4 + kRow.num_inside, num_nodes}, num_nodes, "PlacedSampler");
      found = std::make_unique<NeighborSampler>(graph_.view(), communities, options);
    }
    return *found;
  }

  SamplerOptions options_;
  CsrGraph graph_;
  std::map<std::pair<std::uint64_t, std::int32_t>, std::unique_ptr<NeighborSampler>> samplers_;
};

PlacedDraw sampled(SamplerKind kind, double p_intra) {
  const auto sampler = std::make_shared<PlacedSampler>(SamplerOptions{.kind = kind, .p_intra = p_intra});
  return [sampler](const Place& place) { return sampler->draw(place); };
}

/// Two places that must not know of each other.
struct Move {
  const char* name;
  Place (*from)(Place), (*to)(Place);
};

Place stay(Place place) { return place; }
Place next_batch(Place place) { return ++place.batch, place; }
Place next_epoch(Place place) { return ++place.epoch, place; }
Place next_seed(Place place) { return ++place.seed, place; }
Place next_hop(Place place) { return ++place.hop, place; }
Place next_node(Place place) { return ++place.node, place; }

const Move kNodes{"nodes", stay, next_node};
/// Steps of one part, and of two parts that a sum of them would not tell apart.
const std::vector<Move> kMoves = {
    {"hops", stay, next_hop},
    {"batches", stay, next_batch},
    {"epochs", stay, next_epoch},
    {"seeds", stay, next_seed},
    {"an epoch for a batch", next_epoch, next_batch},
    {"a seed for an epoch", next_seed, next_epoch},
    {"a hop for a batch", next_hop, next_batch},
};

/// Calls body(one, other) with the draws of many pairs of places.
template <typename Body>
void for_each_pair(const PlacedDraw& draw, const Move& move, const Body& body) {
  for (std::int64_t trial = 0; trial < kTrials; ++trial) {
    const Place place{.seed = 31, .epoch = static_cast<std::int32_t>(trial / 64), .batch = trial % 64};
    body(draw(move.from(place)), draw(move.to(place)));
  }
}

/// Neighbours that two independent uniform draws have in common: as many as a draw of `fanout` finds among
/// `fanout` marked ones of the row (hypergeometric, mean fanout^2 / degree).
Verdict overlap(const PlacedDraw& draw, const Move& move) {
  std::vector<std::int64_t> counts(kFanout + 1);
  for_each_pair(draw, move, [&](std::vector<std::int32_t> one, std::vector<std::int32_t> other) {
    std::size_t common = 0;
    for (const std::int32_t position : one) common += test::wrong::contains(other, position) ? 1 : 0;
    ++counts[common];
  });
  const auto law = test::class_law({.degree = kRow.degree, .num_inside = kFanout}, kFanout, 0.5);
  auto repeated = law;
  for (double& chance : repeated) chance *= 1 - kRepeated;
  repeated.back() += kRepeated;
  return test::fit(counts, law, repeated);
}

/// The numbers of neighbours inside the community do not correlate.
Verdict correlation(const PlacedDraw& draw, const Move& move, double p_intra) {
  const auto law = test::class_law(kRow, kFanout, p_intra);
  const double mean = test::mean_of(law, [](double a) { return a; });
  const double variance = test::mean_of(law, [&](double a) { return (a - mean) * (a - mean); });
  const auto excess = [&](const std::vector<std::int32_t>& drawn) {
    return static_cast<double>(std::count_if(drawn.begin(), drawn.end(),
                                             [](std::int32_t position) { return kRow.is_inside(position); })) -
           mean;
  };
  double sum = 0;
  for_each_pair(draw, move, [&](const auto& one, const auto& other) { sum += excess(one) * excess(other); });
  const double root = std::sqrt(static_cast<double>(kTrials));
  return test::normal_verdict(sum / (variance * root), kCorrelation * root);
}

TEST(IndependenceLaw, HopsBatchesEpochsAndSeedsDrawIndependently) {
  for (const SamplerKind kind : {SamplerKind::neighbor, SamplerKind::labor}) {
    const PlacedDraw uniform = sampled(kind, 0.5), biased = sampled(kind, 0.7);
    for (const Move& move : kMoves) {
      EXPECT_TRUE(obeys(overlap(uniform, move))) << name_of(kind) << ", " << move.name;
      EXPECT_TRUE(obeys(correlation(biased, move, 0.7))) << name_of(kind) << ", " << move.name;
    }
  }
}

TEST(IndependenceLaw, NodesDrawIndependentlyUnlessTheyAreToAgree) {
  EXPECT_TRUE(obeys(overlap(sampled(SamplerKind::neighbor, 0.5), kNodes)));
  EXPECT_TRUE(obeys(correlation(sampled(SamplerKind::neighbor, 0.7), kNodes, 0.7)));
  EXPECT_TRUE(obeys(correlation(sampled(SamplerKind::labor, 0.7), kNodes, 0.7)))
      << "labor shares which neighbours are drawn, not how many of them lie inside";
  EXPECT_TRUE(is_caught(overlap(sampled(SamplerKind::labor, 0.5), kNodes)));
}

TEST(IndependenceLaw, CatchesRandomNumbersThatForgetAPartOfThePlace) {
  const auto& wrong = test::wrong::forgetful;
  EXPECT_TRUE(is_caught(overlap(wrong(kRow, kFanout, Part::hop), kMoves[0])));
  EXPECT_TRUE(is_caught(overlap(wrong(kRow, kFanout, Part::batch), kMoves[1])));
  EXPECT_TRUE(is_caught(overlap(wrong(kRow, kFanout, Part::epoch), kMoves[2])));
  EXPECT_TRUE(is_caught(overlap(wrong(kRow, kFanout, Part::node), kNodes)));
  EXPECT_TRUE(is_caught(correlation(wrong(kRow, kFanout, Part::batch), kMoves[1], 0.5)));
}

TEST(IndependenceLaw, CatchesRandomNumbersKeyedByASum) {
  const PlacedDraw wrong = test::wrong::summed(kRow, kFanout);
  for (std::size_t i = 4; i < kMoves.size(); ++i)
    EXPECT_TRUE(is_caught(overlap(wrong, kMoves[i]))) << kMoves[i].name;
}

}  // namespace
}  // namespace kith
