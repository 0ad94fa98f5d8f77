#include "train/staging/access_trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/errors.h"
#include "tests/support/graphs.h"
#include "tests/train/staging/staging_traces.h"

namespace kith {
namespace {

using ::testing::ElementsAre;

TEST(AccessTrace, KeepsTheOrderOfFirstTouchAndCountsReferences) {
  // The batch of sampler/batch.h: root 7 hears from 3 and 9, 3 hears from 7, 9 from nobody.
  MiniBatch batch;
  batch.input_nodes = {7, 3, 9};
  batch.hop_bounds = {1, 3, 3};
  batch.offsets = {0, 2, 3, 3};
  batch.sources = {1, 2, 0};
  const Communities communities({0, 4, 8, 10}, 10, "test");
  AccessTrace trace;
  trace.add(batch, communities);
  ASSERT_EQ(trace.num_batches(), 1U);
  EXPECT_THAT(trace.rows(0), ElementsAre(7, 3, 9));
  EXPECT_THAT(trace.root_communities(0), ElementsAre(1));
  EXPECT_EQ(trace.references(0), 6);  // three edges, three rows of their own
}

TEST(AccessTrace, NamesTheCommunityOfMostRootsFirst) {
  const Communities communities({0, 2, 4, 6}, 6, "test");
  EXPECT_THAT(communities_by_roots(std::vector<NodeId>{0, 5, 3, 4, 2}, communities), ElementsAre(1, 2, 0));
  EXPECT_THAT(communities_by_roots(std::vector<NodeId>{}, communities), ElementsAre());
}

TEST(AccessTrace, RecordsWhatTheLoaderWouldTrainOn) {
  const Dataset dataset = test::tiny_dataset();
  LoaderOptions options;
  options.plan.batch_size = 2;
  options.sampler.fanouts = {2, 2};
  const Loader loader(dataset, dataset.splits.train, options);
  const AccessTrace trace = record_trace(loader, 1, 2);
  ASSERT_EQ(trace.num_batches(), 4U);
  for (const std::int32_t epoch : {1, 2}) {
    const Plan plan = loader.plan(epoch);
    for (std::size_t i = 0; i < 2; ++i) {
      const MiniBatch batch = loader.sample(plan, epoch, i).batch;
      const auto got = trace.rows(static_cast<std::size_t>(epoch - 1) * 2 + i);
      EXPECT_THAT(batch.input_nodes, ::testing::ElementsAreArray(got.begin(), got.end()));
    }
  }
}

TEST(AccessTrace, CountsWhatDeduplicationSaves) {
  const AccessTrace trace = test::to_trace({{0, 1}, {1, 2}, {2, 3}, {3}});
  const DedupCounts one = count_dedup(trace, 4, 1);
  EXPECT_EQ(one.references, 14);
  EXPECT_EQ(one.batch_rows, 7);
  EXPECT_EQ(one.window_rows, 7);
  EXPECT_EQ(count_dedup(trace, 4, 2).window_rows, 5);  // {0 1 2}, {2 3}
  EXPECT_EQ(count_dedup(trace, 4, 9).window_rows, 4);
  EXPECT_THROW(count_dedup(trace, 4, 0), InvalidArgument);
  EXPECT_THAT(count_accesses(trace, 5), ElementsAre(1, 2, 2, 2, 0));
}

}  // namespace
}  // namespace kith
