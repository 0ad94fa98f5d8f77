#include "train/staging/learned.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tests/train/staging/staging_traces.h"
#include "train/staging/lru.h"

namespace kith {
namespace {

LearnedOptions small_options() {
  return {.predictor = {.max_tokens = 64,
                        .num_contexts = 4,
                        .units = 24,
                        .vocabulary_accesses = 200,
                        .sequence_length = 16,
                        .num_sequences = 8,
                        .lr = 0.01},
          .num_communities = 4,
          .max_ahead_share = 0.5,
          .training_steps = 3};
}

std::int64_t count_misses(Replacement& cache, const test::ItemBatches& batches, std::size_t first,
                          std::int64_t* num_ahead = nullptr) {
  std::int64_t missed = 0;
  Changes changes;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    cache.serve({.items = batches[i]}, changes);
    if (i < first) continue;
    missed += static_cast<std::int64_t>(changes.missed.size());
    if (num_ahead != nullptr) *num_ahead += static_cast<std::int64_t>(changes.ahead.size());
  }
  return missed;
}

TEST(LearnedReplacement, StagesTheNextBatchOfAPatternThatLruMisses) {
  // A loop over more pages than fit: LRU never hits.
  test::ItemBatches batches(240);
  for (std::size_t i = 0; i < batches.size(); ++i) {
    for (int j = 0; j < 8; ++j) batches[i].push_back(static_cast<Item>((i * 8 + j) * 3 % 400));
  }
  Lru lru(400, 40);
  const auto backend = make_cpu_backend();
  LearnedReplacement learned(*backend, 400, 40, small_options());
  EXPECT_EQ(count_misses(lru, batches, 160), 80 * 8);
  EXPECT_LT(count_misses(learned, batches, 160), 80 * 8 / 4);
  EXPECT_GT(learned.seconds(), 0);
}

TEST(LearnedReplacement, StepsBackOnRandomPages) {
  std::mt19937_64 random(1);
  test::ItemBatches batches(150);
  for (auto& batch : batches) {
    std::set<Item> items;
    while (items.size() < 8) items.insert(static_cast<Item>(random() % 400));
    batch.assign(items.begin(), items.end());
    std::shuffle(batch.begin(), batch.end(), random);
  }
  Lru lru(400, 40);
  const auto backend = make_cpu_backend();
  LearnedReplacement learned(*backend, 400, 40, small_options());
  std::int64_t ahead = 0;
  const std::int64_t plain = count_misses(lru, batches, 50);
  EXPECT_LE(count_misses(learned, batches, 50, &ahead), plain + plain / 20);
  EXPECT_LE(ahead, 2 * 100);  // of the twenty that it might stage after a batch
}

TEST(LearnedReplacement, TellsTheTruthAboutItsContent) {
  const auto batches = test::random_batches(60, 80, 12, 3);
  const auto backend = make_cpu_backend();
  LearnedReplacement learned(*backend, 60, 10, small_options());
  std::set<Item> held;
  Changes changes;
  for (const auto& batch : batches) {
    learned.serve({.items = batch}, changes);
    for (const Item item : changes.evicted) EXPECT_EQ(held.erase(item), 1U);
    for (const Item item : changes.admitted) EXPECT_TRUE(held.insert(item).second);
    for (Item item = 0; item < 60; ++item) EXPECT_EQ(learned.holds(item), held.contains(item));
    EXPECT_LE(held.size(), 10U);
  }
}

}  // namespace
}  // namespace kith
