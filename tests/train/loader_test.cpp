#include "train/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "graph/errors.h"
#include "tests/support/errors.h"
#include "tests/support/learnable.h"

namespace kith {
namespace {

LoaderOptions options(std::int32_t depth) {
  return {.plan = {.batch_size = 16}, .sampler = {.fanouts = {4, 3}}, .prefetch_depth = depth, .seed = 5};
}

std::vector<std::vector<NodeId>> inputs_of(const Loader& loader, std::int32_t epoch, std::size_t first = 0) {
  const Plan plan = loader.plan(epoch);
  const auto stream = loader.stream(plan, epoch, first);
  std::vector<std::vector<NodeId>> all;
  while (auto batch = stream->next()) all.push_back(batch->batch.input_nodes);
  return all;
}

TEST(Loader, GivesTheSameBatchesForAnyPrefetchDepthAndFromAnyStart) {
  const Dataset dataset = test::learnable_dataset();
  const Loader inline_loader(dataset, dataset.splits.train, options(0));
  const Loader ahead(dataset, dataset.splits.train, options(4));
  const auto batches = inputs_of(inline_loader, 2);
  ASSERT_EQ(batches.size(), inline_loader.num_batches());
  EXPECT_EQ(inputs_of(ahead, 2), batches);
  const std::vector<std::vector<NodeId>> rest(batches.begin() + 5, batches.end());
  EXPECT_EQ(inputs_of(ahead, 2, 5), rest);
  EXPECT_NE(inputs_of(ahead, 3), batches);
}

TEST(Loader, StructuredBatchesReadFewerRowsThanRandomOnes) {
  const Dataset dataset = test::learnable_dataset();
  LoaderOptions random = options(0), structured = options(0);
  random.plan.mix = 1, random.sampler.p_intra = 0.5;
  structured.plan.mix = 0, structured.sampler.p_intra = 0.9;
  const auto rows = [&](const LoaderOptions& o) {
    std::size_t sum = 0;
    for (const auto& batch : inputs_of(Loader(dataset, dataset.splits.train, o), 0)) sum += batch.size();
    return sum;
  };
  EXPECT_LT(2 * rows(structured), rows(random));
}

TEST(Loader, AutoGroupFitsTheCacheAndIsReported) {
  const Dataset dataset = test::learnable_dataset();
  LoaderOptions automatic = options(0);
  automatic.is_group_auto = true;
  // 400 rows of 32 bytes fit any cache: all 20 communities at once.
  EXPECT_EQ(Loader(dataset, dataset.splits.train, automatic).options().plan.group, 20);
}

std::vector<MiniBatch> batches_of(const Dataset& dataset, const LoaderOptions& options,
                                  std::int32_t epoch = 0) {
  const Loader loader(dataset, dataset.splits.train, options);
  const Plan plan = loader.plan(epoch);
  std::vector<MiniBatch> all;
  for (std::size_t i = 0; i < plan.size(); ++i) all.push_back(loader.sample(plan, epoch, i).batch);
  return all;
}

/// Neighbours that node 0's hub draws in each batch: the hub hears from everyone and is a root of every batch.
std::vector<std::set<NodeId>> draws_of_a_shared_node(std::int32_t dependency) {
  Dataset dataset = test::learnable_dataset();
  std::vector<std::pair<NodeId, NodeId>> edges;
  for (NodeId v = 1; v < 400; ++v) {
    edges.emplace_back(0, v);  // every root reaches the hub in its first hop
    edges.emplace_back(v, 0);
  }
  dataset.graph = test::make_graph(400, std::move(edges));
  LoaderOptions o{.plan = {.batch_size = 16, .mix = 1},
                  .sampler = {.fanouts = {1, 8}, .p_intra = 0.5},
                  .dependency = dependency};
  std::erase(dataset.splits.train, 0);
  std::vector<std::set<NodeId>> draws;
  for (const MiniBatch& batch : batches_of(dataset, o)) {
    const auto hub =
        std::find(batch.input_nodes.begin(), batch.input_nodes.end(), 0) - batch.input_nodes.begin();
    std::set<NodeId>& drawn = draws.emplace_back();
    for (std::int32_t e = batch.offsets[hub]; e < batch.offsets[hub + 1]; ++e) {
      drawn.insert(batch.input_nodes[batch.sources[e]]);
    }
  }
  return draws;
}

TEST(Loader, DependentBatchesShareTheirDrawsInsideAWindowOnly) {
  const auto draws = draws_of_a_shared_node(4);
  ASSERT_EQ(draws.size(), 13U);  // 199 roots
  for (std::size_t i = 1; i < draws.size(); ++i) {
    EXPECT_EQ(draws[i] == draws[i - 1], i % 4 != 0) << i;
  }
  const auto independent = draws_of_a_shared_node(1);
  for (std::size_t i = 1; i < independent.size(); ++i) EXPECT_NE(independent[i], independent[i - 1]);
}

TEST(Loader, ABatchIsTheSameBitsWhicheverRankMakesIt) {
  const Dataset dataset = test::learnable_dataset();
  LoaderOptions o = options(0);
  o.plan.batch_size = 10;  // 200 training roots
  o.sampler.keep_edges = true;
  const auto by_first_root = [](const std::vector<MiniBatch>& batches) {
    std::map<NodeId, std::vector<EdgeOffset>> edges;
    for (const MiniBatch& batch : batches) edges[batch.input_nodes.front()] = batch.edges;
    return edges;
  };
  const auto alone = by_first_root(batches_of(dataset, o, 3));
  std::map<NodeId, std::vector<EdgeOffset>> together;
  o.plan.world_size = 4;
  for (o.plan.rank = 0; o.plan.rank < 4; ++o.plan.rank)
    together.merge(by_first_root(batches_of(dataset, o, 3)));
  EXPECT_EQ(alone, together);
}

TEST(Loader, ClusterBatchesAreTheSubGraphsOfSuperCommunities) {
  const Dataset dataset = test::learnable_dataset();
  LoaderOptions o = options(0);
  o.sampler.kind = SamplerKind::cluster;
  o.plan.group = 3;
  const auto batches = batches_of(dataset, o);
  ASSERT_EQ(batches.size(), 7U);  // 20 communities
  for (std::size_t i = 0; i + 1 < batches.size(); ++i) EXPECT_EQ(batches[i].input_nodes.size(), 60U);
}

// With all nodes in one community of level 1, p_intra = 1 is uniform; at level 0 it never leaves 20 nodes.
TEST(Loader, TheBiasMayKnowAnotherLevelThanThePlan) {
  Dataset dataset = test::learnable_dataset();
  dataset.levels.emplace_back(400);
  LoaderOptions o = options(0);
  o.plan.mix = 0;
  o.sampler.p_intra = 1;
  const auto intra_share = [&](std::int32_t bias_level) {
    o.bias_level = bias_level;
    std::int64_t inside = 0, all = 0;
    for (const MiniBatch& batch : batches_of(dataset, o)) {
      for (std::size_t v = 0; v + 1 < batch.offsets.size(); ++v) {
        for (std::int32_t e = batch.offsets[v]; e < batch.offsets[v + 1]; ++e, ++all) {
          inside += batch.input_nodes[batch.sources[e]] / 20 == batch.input_nodes[v] / 20 ? 1 : 0;
        }
      }
    }
    return static_cast<double>(inside) / static_cast<double>(all);
  };
  EXPECT_EQ(intra_share(-1), 1);
  EXPECT_EQ(intra_share(0), 1);
  EXPECT_LT(intra_share(1), 0.95);
  o.bias_level = 2;
  EXPECT_THROW(Loader(dataset, dataset.splits.train, o), InvalidArgument);
}

LoaderOptions scheduled(KnobSchedule::Shape shape) {
  LoaderOptions o = options(0);
  o.sampler.keep_edges = true;
  o.set_mix({0, 0.5});
  o.set_p_intra({1, 0.6});
  o.schedule = {.shape = shape, .epochs = 5};
  return o;
}

void expect_same_epoch(const std::vector<MiniBatch>& a, const std::vector<MiniBatch>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].input_nodes, b[i].input_nodes);
    EXPECT_EQ(a[i].edges, b[i].edges);
    EXPECT_EQ(a[i].weights, b[i].weights);
  }
}

TEST(Loader, AnEpochOfAScheduleIsThatOfConstantKnobs) {
  const Dataset dataset = test::learnable_dataset();
  for (const auto shape : {KnobSchedule::Shape::linear, KnobSchedule::Shape::step}) {
    for (const bool is_unbiased : {false, true}) {
      LoaderOptions changing = scheduled(shape);
      changing.sampler.is_unbiased = is_unbiased;
      const std::vector<double> mix = shape == KnobSchedule::Shape::linear
                                          ? std::vector<double>{0, 0.125, 0.25, 0.375, 0.5, 0.5}
                                          : std::vector<double>{0, 0, 0, 0.5, 0.5, 0.5};
      for (std::int32_t epoch = 0; epoch < 6; ++epoch) {
        SCOPED_TRACE(epoch);
        LoaderOptions constant = options(0);
        constant.sampler = changing.sampler;
        constant.plan.mix = mix[epoch];
        constant.sampler.p_intra = changing.schedule.at(changing.p_intra(), epoch);
        EXPECT_NEAR(constant.sampler.p_intra, 1 - 0.8 * mix[epoch], 1e-12);
        expect_same_epoch(batches_of(dataset, changing, epoch), batches_of(dataset, constant, epoch));
      }
    }
  }
}

TEST(Loader, RefusesSchedulesThatMeanNothing) {
  const Dataset dataset = test::learnable_dataset();
  const auto message_of = [&](const auto& spoil) {
    LoaderOptions bad = scheduled(KnobSchedule::Shape::linear);
    spoil(bad);
    return test::error_of<InvalidArgument>([&] { Loader(dataset, dataset.splits.train, bad); });
  };
  const auto says = [](const char* text) { return testing::HasSubstr(text); };
  EXPECT_THAT(message_of([](LoaderOptions& o) { o.set_mix({0, 1.5}); }), says("mix must be in [0, 1]"));
  EXPECT_THAT(message_of([](LoaderOptions& o) { o.set_mix({-0.5, 1}); }), says("mix must be in [0, 1]"));
  EXPECT_THAT(message_of([](LoaderOptions& o) { o.set_p_intra({0.9, 0.4}); }), says("p_intra must be in"));
  EXPECT_THAT(message_of([](LoaderOptions& o) { o.set_p_intra({0.4, 0.9}); }), says("p_intra must be in"));
  EXPECT_THAT(message_of([](LoaderOptions& o) { o.schedule.epochs = 1; }), says("2 epochs or more, got"));
  EXPECT_THAT(message_of([](LoaderOptions& o) { o.plan.group = 4; }), says("group takes the place of mix"));
  EXPECT_THAT(message_of([](LoaderOptions& o) { o.is_group_auto = true; }), says("group takes the place"));
  EXPECT_THAT(message_of([](LoaderOptions& o) { o.sampler.kind = SamplerKind::cluster; }), says("cluster"));
  EXPECT_THAT(message_of([](LoaderOptions& o) {
                o.sampler.fanouts = {3, 1};
                o.sampler.is_unbiased = true;
                o.set_p_intra({0.5, 1});
              }),
              says("unbiased needs a fanout of at least 2"));
}

TEST(Loader, RefusesALevelThatIsNotThere) {
  const Dataset dataset = test::learnable_dataset();
  LoaderOptions bad = options(0);
  bad.level = 1;
  EXPECT_THROW(Loader(dataset, dataset.splits.train, bad), InvalidArgument);
  bad.level = 0;
  bad.dependency = 0;
  EXPECT_THROW(Loader(dataset, dataset.splits.train, bad), InvalidArgument);
  bad.dependency = 1;
  bad.prefetch_depth = -1;
  EXPECT_THROW(Loader(dataset, dataset.splits.train, bad), InvalidArgument);
}

}  // namespace
}  // namespace kith
