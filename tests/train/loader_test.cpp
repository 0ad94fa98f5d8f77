#include "train/loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "graph/errors.h"
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

TEST(Loader, RefusesALevelThatIsNotThere) {
  const Dataset dataset = test::learnable_dataset();
  LoaderOptions bad = options(0);
  bad.level = 1;
  EXPECT_THROW(Loader(dataset, dataset.splits.train, bad), InvalidArgument);
  bad.level = 0;
  bad.prefetch_depth = -1;
  EXPECT_THROW(Loader(dataset, dataset.splits.train, bad), InvalidArgument);
}

}  // namespace
}  // namespace kith
