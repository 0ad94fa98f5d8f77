#include "train/staging/page_predictor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <random>
#include <utility>

#include "graph/errors.h"

namespace kith {
namespace {

/// A batch: its pages and its context.
using Batch = std::pair<std::vector<PageId>, std::int32_t>;

PredictorOptions small_options() {
  return {.max_tokens = 128,
          .num_contexts = 8,
          .units = 32,
          .vocabulary_accesses = 400,
          .sequence_length = 16,
          .num_sequences = 8,
          .lr = 0.01};
}

/// Online: every batch is predicted before it is learned. Metrics are those of the second half.
PredictorMetrics learn(PagePredictor& predictor, const std::vector<Batch>& batches,
                       std::int32_t steps_a_batch) {
  for (std::size_t i = 0; i < batches.size(); ++i) {
    if (i == batches.size() / 2) predictor.reset_metrics();
    predictor.observe(batches[i].first, batches[i].second);
    predictor.train(steps_a_batch);
  }
  return predictor.metrics();
}

/// Each context walks with its own stride; more contexts than predictions, so that it takes the context to
/// know.
std::vector<Batch> strided_batches(PageId num_pages, std::size_t num_batches, std::uint64_t seed) {
  constexpr std::array<PageId, 8> kStrides{1, -2, 5, 17, -9, 31, -23, 44};
  std::mt19937_64 random(seed);
  std::vector<Batch> batches;
  PageId page = 0;
  for (std::size_t i = 0; i < num_batches; ++i) {
    const auto context = static_cast<std::int32_t>(random() % kStrides.size());
    Batch batch{{}, context};
    for (int step = 0; step < 20; ++step) {
      page = (page + kStrides[static_cast<std::size_t>(context)] + num_pages) % num_pages;
      batch.first.push_back(page);
    }
    batches.push_back(batch);
  }
  return batches;
}

TEST(PagePredictor, LearnsStridesThatDependOnTheContext) {
  const auto backend = make_cpu_backend();
  PredictorOptions options = small_options();
  options.top_k = 1;  // with ten guesses the eight strides could all be named
  PagePredictor predictor(*backend, 1000, options);
  const PredictorMetrics metrics = learn(predictor, strided_batches(1000, 200, 1), 3);
  EXPECT_GE(metrics.precision(), 0.9);
  EXPECT_LT(metrics.frequent_precision(), 0.5);
  EXPECT_GE(metrics.steps, 1900);
}

TEST(PagePredictor, LearnsARepeatedOrderOfSuperCommunities) {
  const auto backend = make_cpu_backend();
  std::vector<PageId> order(100);
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random(3);
  std::shuffle(order.begin(), order.end(), random);
  std::vector<Batch> batches;
  for (int epoch = 0; epoch < 40; ++epoch) {
    for (std::size_t first = 0; first < order.size(); first += 20) {
      batches.push_back({{order.begin() + static_cast<std::ptrdiff_t>(first),
                          order.begin() + static_cast<std::ptrdiff_t>(first) + 20},
                         static_cast<std::int32_t>(first / 20)});
    }
  }
  PagePredictor predictor(*backend, 100, small_options());
  const PredictorMetrics metrics = learn(predictor, batches, 3);
  EXPECT_GE(metrics.precision(), 0.9);  // at 10
  EXPECT_GE(metrics.recall(), 0.9);
  EXPECT_LT(metrics.frequent_precision(), 0.6);
  // What follows the last page of the order is its beginning.
  const std::vector<PageId> next = predictor.predict(5);
  ASSERT_EQ(next.size(), 5U);
  int correct = 0;
  for (const PageId page : next)
    correct += std::find(order.begin(), order.begin() + 8, page) - order.begin() < 8;
  EXPECT_GE(correct, 4);
}

/// Ten guesses among uniformly random pages. Deltas of p - q are triangular, so the ten best hit with a
/// probability just under 10 / N; the test allows four standard deviations.
TEST(PagePredictor, DoesNoBetterThanChanceOnRandomPages) {
  const auto backend = make_cpu_backend();
  constexpr PageId kPages = 60;
  std::mt19937_64 random(5);
  std::vector<Batch> batches(150);
  for (Batch& batch : batches) {
    for (int i = 0; i < 20; ++i) batch.first.push_back(static_cast<PageId>(random() % kPages));
    batch.second = static_cast<std::int32_t>(random() % 8);
  }
  PredictorOptions options = small_options();
  PagePredictor predictor(*backend, kPages, options);
  const PredictorMetrics metrics = learn(predictor, batches, 2);
  // The position is unknown to a predictor of deltas only at first: adding them up, it could learn where it is,
  // and then the best ten pages still hit with probability 10 / N.
  const double chance = 10.0 / kPages;
  const double deviation = std::sqrt(chance * (1 - chance) / static_cast<double>(metrics.steps));
  EXPECT_LE(metrics.precision(), chance + 4 * deviation);
  EXPECT_GT(metrics.precision(), 0);
  // Nothing is sure enough to be staged ahead.
  EXPECT_TRUE(predictor.predict(10).empty());
}

TEST(PagePredictor, SaysNothingBeforeItsVocabularyIsFixed) {
  const auto backend = make_cpu_backend();
  PagePredictor predictor(*backend, 50, small_options());
  EXPECT_EQ(predictor.train(3), 0);
  EXPECT_TRUE(predictor.predict(10).empty());
  predictor.observe(std::vector<PageId>{1, 2, 3}, 0);
  EXPECT_FALSE(predictor.is_ready());
  EXPECT_TRUE(predictor.predict(10).empty());
  EXPECT_EQ(predictor.metrics().steps, 0);
}

TEST(PagePredictor, LearnsTheSameForTheSameSeed) {
  const auto backend = make_cpu_backend();
  const auto batches = strided_batches(200, 40, 2);
  const auto run = [&] {
    PagePredictor predictor(*backend, 200, small_options());
    learn(predictor, batches, 2);
    return std::pair(predictor.train(1), predictor.predict(10));
  };
  EXPECT_EQ(run(), run());
}

TEST(PagePredictor, RefusesEmptySizes) {
  const auto backend = make_cpu_backend();
  PredictorOptions options = small_options();
  options.top_k = 0;
  EXPECT_THROW(PagePredictor(*backend, 10, options), InvalidArgument);
}

}  // namespace
}  // namespace kith
