#include "sampler/neighbor_sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <limits>
#include <set>

#include "graph/errors.h"
#include "tests/sampler/batch_checks.h"
#include "tests/sampler/random_graphs.h"

namespace kith {
namespace {

using test::expect_equal;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int32_t kAll = -1;

// The example of batch.h: 7 hears from 3 and 9, 3 hears from 7.
TEST(NeighborSampler, GivesTheBatchThatTheHeaderShows) {
  const CsrGraph graph = test::make_graph(10, {{3, 7}, {9, 7}, {7, 3}});
  const std::vector<NodeId> roots = {7};
  const NeighborSampler sampler(graph.view(), Communities(10), {.fanouts = {2, 2}, .keep_edges = true});
  const MiniBatch batch = sampler.sample(roots, 0, 0);
  EXPECT_THAT(batch.input_nodes, ElementsAre(7, 3, 9));
  EXPECT_THAT(batch.hop_bounds, ElementsAre(1, 3, 3));
  EXPECT_THAT(batch.offsets, ElementsAre(0, 2, 3, 3));
  EXPECT_THAT(batch.sources, ElementsAre(1, 2, 0));
  EXPECT_THAT(batch.edges, ElementsAre(1, 2, 0));
}

TEST(NeighborSampler, KeepsEveryPromiseOnMessyGraphs) {
  const Communities communities = test::equal_communities(200, 20);
  for (const std::uint64_t seed : {1, 2, 3}) {
    const CsrGraph graph = test::messy_graph(seed);
    for (const auto& fanouts :
         std::vector<std::vector<std::int32_t>>{{3}, {4, 2, 3}, {kAll}, {0}, {2, 0, 5}, {kAll, 3}, {100, 1}}) {
      for (const double p : {0.5, 0.7, 0.999, 1.0}) {
        for (const NoIntra no_intra : {NoIntra::keep, NoIntra::drop}) {
          for (const bool with_replacement : {false, true}) {
            for (const SamplerKind kind : {SamplerKind::neighbor, SamplerKind::labor, SamplerKind::full}) {
              for (const bool is_unbiased : {false, true}) {
                if (kind != SamplerKind::neighbor && with_replacement) continue;
                if (is_unbiased && (kind == SamplerKind::full || no_intra == NoIntra::drop)) continue;
                if (is_unbiased && p == 1 && std::count(fanouts.begin(), fanouts.end(), 1) > 0) continue;
                const SamplerOptions options{.kind = kind,
                                             .fanouts = fanouts,
                                             .p_intra = p,
                                             .no_intra = no_intra,
                                             .with_replacement = with_replacement,
                                             .is_unbiased = is_unbiased,
                                             .keep_edges = true,
                                             .seed = seed};
                const NeighborSampler sampler(graph.view(), communities, options);
                const std::vector<NodeId> roots = {5, 0, 33, 120, 121, 122, 199, 7};
                test::BatchChecker(graph, communities, options).check(sampler.sample(roots, 3, 9), roots);
                if (HasFatalFailure()) {
                  FAIL() << name_of(kind) << ", p " << p << ", replacement " << with_replacement
                         << ", unbiased " << is_unbiased;
                }
              }
            }
          }
        }
      }
    }
  }
}

TEST(NeighborSampler, NeverLeavesTheCommunityAtPIntraOneWhereItHasNeighbours) {
  const Communities communities = test::equal_communities(200, 20);
  const CsrGraph graph = test::messy_graph(4);
  std::vector<NodeId> roots(200);
  std::iota(roots.begin(), roots.end(), 0);
  for (const bool with_replacement : {false, true}) {
    const NeighborSampler sampler(
        graph.view(), communities,
        {.fanouts = {5}, .p_intra = 1, .no_intra = NoIntra::drop, .with_replacement = with_replacement});
    const MiniBatch batch = sampler.sample(roots, 0, 0);
    ASSERT_GT(batch.sources.size(), 100U);
    for (std::size_t i = 0; i < roots.size(); ++i) {
      for (std::int32_t e = batch.offsets[i]; e < batch.offsets[i + 1]; ++e) {
        ASSERT_EQ(communities.community_of(batch.input_nodes[batch.sources[e]]),
                  communities.community_of(roots[i]));
      }
    }
  }
}

// An unbiased draw at p_intra = 1 takes one neighbour from outside, to stand for all that are there; drawing
// with replacement, a community of two is as good for the other draws as a large one.
TEST(NeighborSampler, LeavesTheCommunityOnceInAnUnbiasedDrawAtPIntraOne) {
  const CsrGraph graph = test::star_graph(7);
  const std::vector<NodeId> roots = {0};
  for (const bool with_replacement : {false, true}) {
    for (const NodeId num_inside : {1, 2, 6}) {
      const Communities communities({0, num_inside + 1, 8}, 8, "test");
      const SamplerOptions options{
          .fanouts = {5}, .p_intra = 1, .with_replacement = with_replacement, .is_unbiased = true};
      const MiniBatch batch = NeighborSampler(graph.view(), communities, options).sample(roots, 0, 0);
      EXPECT_EQ(batch.num_intra_edges, static_cast<std::int64_t>(batch.sources.size()) - 1)
          << num_inside << ", replacement " << with_replacement;
    }
  }
}

// 0 and 1 are one community, 2..5 the other. 0 hears only from outside, 1 from 0 and from outside.
TEST(NeighborSampler, KeepsOrDropsOutsideNeighboursOfANodeWithNothingInside) {
  const CsrGraph graph = test::make_graph(6, {{2, 0}, {3, 0}, {4, 0}, {0, 1}, {5, 1}});
  const Communities communities({0, 2, 6}, 6, "test");
  const std::vector<NodeId> roots = {0, 1};
  const auto offsets = [&](NoIntra no_intra, std::int32_t fanout) {
    return NeighborSampler(graph.view(), communities, {.fanouts = {fanout}, .p_intra = 1, .no_intra = no_intra})
        .sample(roots, 0, 0)
        .offsets;
  };
  EXPECT_THAT(offsets(NoIntra::keep, 2), ElementsAre(0, 2, 3));
  EXPECT_THAT(offsets(NoIntra::drop, 2), ElementsAre(0, 0, 1));
  EXPECT_THAT(offsets(NoIntra::keep, kAll), ElementsAre(0, 3, 4));
  EXPECT_THAT(offsets(NoIntra::drop, kAll), ElementsAre(0, 0, 1));
}

TEST(NeighborSampler, CountsParallelEdgesAsEdges) {
  const CsrGraph graph = test::make_graph(2, {{1, 0}, {1, 0}, {1, 0}});
  const std::vector<NodeId> roots = {0};
  const NeighborSampler sampler(graph.view(), Communities(2), {.fanouts = {2}, .p_intra = 0.5});
  const MiniBatch batch = sampler.sample(roots, 0, 0);
  EXPECT_THAT(batch.sources, ElementsAre(1, 1));
  EXPECT_THAT(batch.input_nodes, ElementsAre(0, 1));
}

TEST(NeighborSampler, TakesEachNodeOfAHubOnceWhenTheFanoutIsLarge) {
  const CsrGraph graph = test::star_graph(5000);
  const Communities communities({0, 2001, 5001}, 5001, "test");
  const std::vector<NodeId> roots = {0};
  for (const double p : {0.5, 0.8}) {
    for (const std::int32_t fanout : {64, 65, 1000, 4999}) {
      const NeighborSampler sampler(graph.view(), communities, {.fanouts = {fanout}, .p_intra = p});
      const MiniBatch batch = sampler.sample(roots, 0, 0);
      EXPECT_EQ(batch.sources.size(), static_cast<std::size_t>(fanout));
      EXPECT_EQ(batch.input_nodes.size(), static_cast<std::size_t>(fanout) + 1);
    }
  }
}

TEST(NeighborSampler, TakesNoRootsAndAnEmptyGraph) {
  const CsrGraph graph = test::messy_graph(5);
  const MiniBatch batch = NeighborSampler(graph.view(), Communities(200), {}).sample({}, 0, 0);
  EXPECT_THAT(batch.hop_bounds, ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(batch.offsets, ElementsAre(0));
  EXPECT_THAT(batch.input_nodes, IsEmpty());
  const CsrGraph nothing;
  EXPECT_THAT(NeighborSampler(nothing.view(), Communities(0), {}).sample({}, 0, 0).sources, IsEmpty());
}

/// A graph whose frontiers span several tasks.
CsrGraph large_graph() { return test::random_graph(6000, 60'000, 6); }

TEST(NeighborSampler, GivesTheSameBitsOnOneThreadAndOnMany) {
  const CsrGraph graph = large_graph();
  const Communities communities = test::equal_communities(6000, 100);
  std::vector<NodeId> roots(1500);
  for (std::size_t i = 0; i < roots.size(); ++i) roots[i] = static_cast<NodeId>(4 * i);
  const NeighborSampler sampler(graph.view(), communities, {.fanouts = {5, 4}, .keep_edges = true});
  const auto with_threads = [&](std::size_t num_threads) {
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, num_threads);
    return sampler.sample(roots, 1, 2);
  };
  const MiniBatch one = with_threads(1);
  ASSERT_GT(one.hop_bounds[1], 4000);
  expect_equal(one, with_threads(2));
  expect_equal(one, with_threads(4));
}

TEST(NeighborSampler, GivesTheSameBitsWhenSeveralThreadsSampleAtOnce) {
  const CsrGraph graph = large_graph();
  const std::vector<NodeId> roots = {1, 2, 3, 4000};
  const NeighborSampler sampler(graph.view(), test::equal_communities(6000, 100), {.fanouts = {8, 8, 8}});
  std::vector<MiniBatch> batches(16);
  tbb::parallel_for(0, 16, [&](int i) { batches[static_cast<std::size_t>(i)] = sampler.sample(roots, 0, i); });
  for (int i = 0; i < 16; ++i) expect_equal(batches[static_cast<std::size_t>(i)], sampler.sample(roots, 0, i));
}

TEST(NeighborSampler, DrawsAnewForEverySeedEpochAndBatch) {
  const CsrGraph graph = large_graph();
  const Communities communities = test::equal_communities(6000, 100);
  std::vector<NodeId> roots(200);
  std::iota(roots.begin(), roots.end(), 0);
  const auto nodes = [&](std::uint64_t seed, std::int32_t epoch, std::int64_t batch) {
    return NeighborSampler(graph.view(), communities, {.fanouts = {3}, .seed = seed})
        .sample(roots, epoch, batch)
        .input_nodes;
  };
  const auto base = nodes(1, 1, 1);
  EXPECT_EQ(base, nodes(1, 1, 1));
  EXPECT_NE(base, nodes(2, 1, 1));
  EXPECT_NE(base, nodes(1, 2, 1));
  EXPECT_NE(base, nodes(1, 1, 2));
}

// A node's draw does not depend on the other roots of its batch.
TEST(NeighborSampler, DrawsANodeAlikeWhereverItStandsInTheBatch) {
  const CsrGraph graph = large_graph();
  const NeighborSampler sampler(graph.view(), test::equal_communities(6000, 100),
                                {.fanouts = {3}, .keep_edges = true});
  const std::vector<NodeId> one = {77};
  const std::vector<NodeId> two = {12, 77};
  const MiniBatch a = sampler.sample(one, 0, 0);
  const MiniBatch b = sampler.sample(two, 0, 0);
  EXPECT_EQ(a.edges, std::vector<EdgeOffset>(b.edges.begin() + b.offsets[1], b.edges.end()));
}

// Pins the bits: a change here breaks resumed runs and recorded results.
TEST(NeighborSampler, KeepsItsBitsFromReleaseToRelease) {
  const CsrGraph graph = test::star_graph(12);
  const std::vector<NodeId> roots = {0};
  const NeighborSampler sampler(graph.view(), Communities({0, 5, 13}, 13, "test"),
                                {.fanouts = {6}, .p_intra = 0.75, .seed = 42});
  EXPECT_THAT(sampler.sample(roots, 1, 2).input_nodes, ElementsAre(0, 1, 2, 3, 4, 7, 5));
}

TEST(NeighborSampler, DrawsWithThePIntraOfACallAsWithItsOwn) {
  const CsrGraph graph = test::messy_graph(7);
  const Communities communities = test::equal_communities(200, 20);
  const std::vector<NodeId> roots = {3, 4, 5, 77};
  for (const auto kind : {SamplerKind::neighbor, SamplerKind::labor}) {
    SamplerOptions options{.kind = kind, .fanouts = {4, 3}, .p_intra = 0.9, .keep_edges = true, .seed = 9};
    const NeighborSampler sampler(graph.view(), communities, options);
    expect_equal(sampler.sample(roots, 2, 1), sampler.sample(roots, 2, 1, 0.9));
    for (const double p_intra : {0.5, 0.7, 1.0}) {
      options.p_intra = p_intra;
      expect_equal(NeighborSampler(graph.view(), communities, options).sample(roots, 2, 1),
                   sampler.sample(roots, 2, 1, p_intra));
    }
  }
}

TEST(NeighborSampler, RefusesAPIntraOfACallThatItCouldNotHave) {
  const CsrGraph graph = test::messy_graph(7);
  const std::vector<NodeId> roots = {3};
  const NeighborSampler sampler(graph.view(), test::equal_communities(200, 20),
                                {.fanouts = {4, 1}, .is_unbiased = true});
  sampler.sample(roots, 0, 0, 0.5);
  EXPECT_THROW(sampler.sample(roots, 0, 0, 0.49), InvalidArgument);
  EXPECT_THROW(sampler.sample(roots, 0, 0, 1.01), InvalidArgument);
  EXPECT_THROW(sampler.sample(roots, 0, 0, std::numeric_limits<double>::quiet_NaN()), InvalidArgument);
  EXPECT_THROW(sampler.sample(roots, 0, 0, 1.0), InvalidArgument);  // fanout 1 cannot be unbiased there
}

TEST(NeighborSampler, RecoversFromARefusedBatch) {
  const CsrGraph graph = test::messy_graph(7);
  const NeighborSampler sampler(graph.view(), test::equal_communities(200, 20), {});
  const std::vector<NodeId> roots = {3, 4, 5}, repeated = {3, 4, 3}, outside = {3, 200}, negative = {-1};
  const MiniBatch before = sampler.sample(roots, 0, 0);
  EXPECT_THROW(sampler.sample(repeated, 0, 0), InvalidArgument);
  EXPECT_THROW(sampler.sample(outside, 0, 0), InvalidArgument);
  EXPECT_THROW(sampler.sample(negative, 0, 0), InvalidArgument);
  EXPECT_THROW(sampler.sample(roots, -1, 0), InvalidArgument);
  EXPECT_THROW(sampler.sample(roots, 1 << 24, 0), InvalidArgument);
  EXPECT_THROW(sampler.sample(roots, 0, -1), InvalidArgument);
  EXPECT_THROW(sampler.sample(roots, 0, std::int64_t{1} << 32), InvalidArgument);
  expect_equal(before, sampler.sample(roots, 0, 0));
}

// 2,148 nodes with a million draws each: refused by the count alone, before any edge is drawn.
TEST(NeighborSampler, RefusesABatchWithMoreEdgesThan32BitsCount) {
  std::vector<std::pair<NodeId, NodeId>> loops;
  for (NodeId v = 0; v < 2148; ++v) loops.emplace_back(v, v);
  const CsrGraph graph = test::make_graph(2148, std::move(loops));
  std::vector<NodeId> roots(2148);
  std::iota(roots.begin(), roots.end(), 0);
  const NeighborSampler sampler(graph.view(), Communities(2148),
                                {.fanouts = {1'000'000}, .with_replacement = true});
  try {
    sampler.sample(roots, 0, 0);
    FAIL() << "expected InvalidArgument";
  } catch (const InvalidArgument& error) {
    EXPECT_THAT(error.what(), HasSubstr("use a smaller batch size or fanout"));
  }
}

std::string message_of(const SamplerOptions& options, NodeId num_covered = 200) {
  const CsrGraph graph = test::messy_graph(8);
  try {
    const NeighborSampler sampler(graph.view(), Communities(num_covered), options);
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return "no error";
}

TEST(NeighborSampler, RefusesOptionsOutOfRangeWithOneClearLine) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(message_of({.fanouts = {5, -3}}), "NeighborSampler: fanout must be >= -1, got -3");
  EXPECT_THAT(message_of({.fanouts = {1'000'001}}), HasSubstr("fanout is too large"));
  EXPECT_EQ(message_of({.fanouts = {}}), "NeighborSampler: fanouts must list 1 to 10 hops, got 0");
  EXPECT_EQ(message_of({.fanouts = std::vector<std::int32_t>(11, 1)}),
            "NeighborSampler: fanouts must list 1 to 10 hops, got 11");
  EXPECT_EQ(message_of({.p_intra = 0.4}), "NeighborSampler: p_intra must be in [0.5, 1], got 0.4");
  EXPECT_EQ(message_of({.p_intra = 1.01}), "NeighborSampler: p_intra must be in [0.5, 1], got 1.01");
  EXPECT_EQ(message_of({.p_intra = nan}), "NeighborSampler: p_intra must be in [0.5, 1], got nan");
  EXPECT_EQ(message_of({.p_intra = 0.9, .no_intra = NoIntra::drop, .is_unbiased = true}),
            "NeighborSampler: unbiased needs no_intra = keep, got drop");
  EXPECT_EQ(message_of({.fanouts = {4, 1}, .p_intra = 1, .is_unbiased = true}),
            "NeighborSampler: unbiased needs a fanout of at least 2 at p_intra = 1, got 1");
  EXPECT_EQ(message_of({.kind = SamplerKind::labor, .with_replacement = true}),
            "NeighborSampler: only the sampler neighbor draws with replacement, got labor");
  EXPECT_EQ(message_of({.kind = SamplerKind::full, .is_unbiased = true}),
            "NeighborSampler: the sampler full has no biased draws that unbiased could weigh");
  EXPECT_EQ(message_of({.kind = SamplerKind::cluster}),
            "NeighborSampler: expected the sampler neighbor, labor or full, got cluster");
  EXPECT_EQ(message_of({}, 199), "NeighborSampler: the graph has 200 nodes, the communities cover 199");
  EXPECT_EQ(message_of({.fanouts = std::vector<std::int32_t>(10, 1'000'000), .p_intra = 1}), "no error");
}

}  // namespace
}  // namespace kith
