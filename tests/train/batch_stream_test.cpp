#include "train/batch_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "graph/dataset_file.h"
#include "graph/errors.h"
#include "tests/support/graphs.h"
#include "tests/support/learnable.h"
#include "tests/support/temp_folder.h"

namespace kith {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;

LoaderOptions loader_options(std::int32_t prefetch_depth, std::uint64_t seed = 3) {
  return {.plan = {.batch_size = 2},
          .sampler = {.fanouts = {2, 2}, .keep_edges = true},
          .prefetch_depth = prefetch_depth,
          .seed = seed};
}

std::vector<ArrayBatch> collect(const Dataset& dataset, std::int32_t prefetch_depth, std::int32_t epoch,
                                std::size_t first = 0) {
  const auto backend = make_cpu_backend();
  const Loader loader(dataset, dataset.splits.train, loader_options(prefetch_depth));
  BatchStream stream({loader, dataset, *backend}, epoch, first);
  std::vector<ArrayBatch> batches;
  while (auto batch = stream.next()) batches.push_back(std::move(*batch));
  return batches;
}

/// The example of sampler/batch.h on the nodes of tiny_dataset: root 5 hears from 3 and 4; 3 hears from 5.
SampledBatch example() {
  SampledBatch sampled;
  sampled.batch = {.input_nodes = {5, 3, 4},
                   .hop_bounds = {1, 3, 3},
                   .offsets = {0, 2, 3, 3},
                   .sources = {1, 2, 0},
                   .edges = {10, 11, 8}};
  return sampled;
}

TEST(Collate, LaysTheExampleOutAsArrays) {
  Dataset dataset = test::tiny_dataset();
  const auto backend = make_cpu_backend();
  const std::vector<std::int64_t> positions{1};
  const ArrayBatch batch = collate(dataset, backend.get(), example(), positions);
  EXPECT_THAT(batch.n_id, ElementsAre(5, 3, 4));
  EXPECT_THAT(batch.edge_index, ElementsAre(1, 2, 0, 0, 0, 1));
  EXPECT_THAT(batch.e_id, ElementsAre(10, 11, 8));
  EXPECT_THAT(batch.input_id, ElementsAre(1));
  EXPECT_THAT(batch.num_sampled_nodes, ElementsAre(1, 2, 0));
  EXPECT_THAT(batch.num_sampled_edges, ElementsAre(2, 1));
  EXPECT_THAT(batch.labels, ElementsAre(1, 1, 1));
  ASSERT_TRUE(batch.x);
  EXPECT_THAT(batch.x->values<float>(), ElementsAre(5, 5.5, -5, 3, 3.5, -3, 4, 4.5, -4));
}

TEST(Collate, TranslatesEdgesWhereTheDatasetNamesThem) {
  Dataset dataset = test::tiny_dataset();
  for (EdgeOffset e = 0; e < dataset.graph.num_edges(); ++e) dataset.edge_id.push_back(100 + e);
  const auto backend = make_cpu_backend();
  EXPECT_THAT(collate(dataset, backend.get(), example(), {}).e_id, ElementsAre(110, 111, 108));
}

TEST(Collate, BringsRowsOfAMultiLabelTarget) {
  Dataset dataset = test::tiny_dataset();
  dataset.labels = {
      .of_node = {}, .indicator = {0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1, 0, 0, 0, 0}, .num_classes = 2};
  const auto backend = make_cpu_backend();
  const ArrayBatch batch = collate(dataset, backend.get(), example(), {});
  EXPECT_THAT(batch.label_indicator, ElementsAre(1, 1, 0, 1, 1, 0));
  EXPECT_THAT(batch.labels, IsEmpty());
}

TEST(Collate, LeavesOutWhatTheDatasetDoesNotHave) {
  Dataset dataset = test::tiny_dataset();
  dataset.features = {};
  dataset.labels = {};
  const auto backend = make_cpu_backend();
  const ArrayBatch batch = collate(dataset, backend.get(), example(), {});
  EXPECT_FALSE(batch.x);
  EXPECT_THAT(batch.labels, IsEmpty());
}

TEST(Collate, GathersNoFeaturesWithoutABackend) {
  const Dataset dataset = test::tiny_dataset();
  EXPECT_FALSE(collate(dataset, nullptr, example(), {}).x);
}

TEST(Collate, RefusesABatchWithoutItsEdges) {
  const Dataset dataset = test::tiny_dataset();
  const auto backend = make_cpu_backend();
  SampledBatch sampled = example();
  sampled.batch.edges.clear();
  EXPECT_THROW((void)collate(dataset, backend.get(), std::move(sampled), {}), InvalidArgument);
}

TEST(Collate, BringsTheWeightsOfUnbiasedDraws) {
  const Dataset dataset = test::tiny_dataset();
  const auto backend = make_cpu_backend();
  SampledBatch sampled = example();
  sampled.batch.weights = {0.75F, 0.25F, 1};
  EXPECT_THAT(collate(dataset, backend.get(), std::move(sampled), {}).edge_weight,
              ElementsAre(0.75F, 0.25F, 1));
  EXPECT_THAT(collate(dataset, backend.get(), example(), {}).edge_weight, IsEmpty());
}

// Rows of 12 bytes: the whole table is one page.
TEST(BatchStream, AccountsForPagesAndReuse) {
  const Dataset dataset = test::tiny_dataset();
  std::int64_t total = 0;
  for (std::int32_t epoch = 0; epoch < 8; ++epoch) {
    const std::vector<ArrayBatch> batches = collect(dataset, 2, epoch);
    ASSERT_EQ(batches.size(), 2U);
    std::int64_t shared = 0;
    for (const std::int64_t node : batches[1].n_id) {
      shared += std::count(batches[0].n_id.begin(), batches[0].n_id.end(), node);
    }
    EXPECT_EQ(batches[0].stats.reused_input_nodes, 0);
    EXPECT_EQ(batches[1].stats.reused_input_nodes, shared);
    EXPECT_EQ(batches[1].stats.pages, 1);
    total += shared;
  }
  EXPECT_GT(total, 0) << "no two batches shared a node, so nothing was tested";
}

TEST(BatchStream, GivesTheSameBatchesForAnyPrefetchDepth) {
  const Dataset dataset = test::tiny_dataset();
  const std::vector<ArrayBatch> expected = collect(dataset, 0, 4);
  ASSERT_EQ(expected.size(), 2U);
  for (const std::int32_t depth : {1, 3}) {
    const std::vector<ArrayBatch> batches = collect(dataset, depth, 4);
    ASSERT_EQ(batches.size(), expected.size());
    for (std::size_t i = 0; i < batches.size(); ++i) {
      EXPECT_EQ(batches[i].n_id, expected[i].n_id);
      EXPECT_EQ(batches[i].edge_index, expected[i].edge_index);
      EXPECT_EQ(batches[i].e_id, expected[i].e_id);
      EXPECT_EQ(batches[i].input_id, expected[i].input_id);
      EXPECT_THAT(batches[i].x->values<float>(), ElementsAreArray(expected[i].x->values<float>()));
    }
  }
}

TEST(BatchStream, StartsWhereItIsTold) {
  const Dataset dataset = test::tiny_dataset();
  const std::vector<ArrayBatch> all = collect(dataset, 2, 1);
  const std::vector<ArrayBatch> rest = collect(dataset, 2, 1, 1);
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest[0].n_id, all[1].n_id);
  EXPECT_THAT(collect(dataset, 2, 1, 9), IsEmpty());
}

TEST(BatchStream, SaysWhereEachRootStood) {
  const Dataset dataset = test::tiny_dataset();
  for (const ArrayBatch& batch : collect(dataset, 0, 0)) {
    for (std::size_t i = 0; i < batch.input_id.size(); ++i) {
      EXPECT_EQ(dataset.splits.train[static_cast<std::size_t>(batch.input_id[i])], batch.n_id[i]);
    }
  }
}

TEST(BatchStream, HandsOutTheSameRowsThroughTiers) {
  const test::TempFolder folder;
  write_dataset(folder.file("graph.kith.h5"), test::learnable_dataset());
  const Dataset dataset = read_dataset(folder.file("graph.kith.h5"));
  LoaderOptions options = loader_options(2);
  options.plan.batch_size = 24;
  const auto backend = make_cpu_backend();
  const Loader loader(dataset, dataset.splits.train, options);
  const auto row_bytes = static_cast<std::int64_t>(dataset.features.view().row_bytes());
  StagingOptions staging;
  staging.policy = StagePolicy::lru;
  staging.stage_bytes = row_bytes * dataset.num_nodes() / 5;
  staging.host_bytes = 0;
  staging.page_bytes = static_cast<std::size_t>(8 * row_bytes);
  BatchTiers tiers(loader, dataset, staging);
  std::int64_t hits = 0, disk_bytes = 0;
  for (const std::int32_t epoch : {0, 1, 1}) {  // the first one is left in the middle
    BatchStream staged({loader, dataset, *backend, &tiers}, epoch, 0);
    EXPECT_THROW(BatchStream({loader, dataset, *backend, &tiers}, epoch, 0), InvalidArgument);
    BatchStream in_place({loader, dataset, *backend}, epoch, 0);
    for (int i = 0; epoch > 0 || i < 1; ++i) {
      const std::optional<ArrayBatch> expected = in_place.next(), got = staged.next();
      ASSERT_EQ(got.has_value(), expected.has_value());
      if (!got) break;
      EXPECT_EQ(got->n_id, expected->n_id);
      EXPECT_THAT(got->x->values<float>(), ElementsAreArray(expected->x->values<float>()));
      EXPECT_FALSE(expected->traffic.has_value());
      hits += got->traffic.value().hits;
      disk_bytes += got->traffic.value().disk_bytes;
    }
  }
  EXPECT_GT(hits, 0);
  EXPECT_GT(disk_bytes, 0);
}

}  // namespace
}  // namespace kith
