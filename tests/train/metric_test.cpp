#include "train/metric.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "graph/errors.h"

namespace kith {
namespace {

TEST(Metric, AccuracyLeavesOutUnlabelledAndUnaskedNodes) {
  const auto backend = make_cpu_backend();
  Tensor logits = backend->empty(4, 3, Scalar::f32);
  backend->upload(std::vector<double>{2, 1, 0, 0, 5, 1, 0, 0, 1, 9, 0, 0}, logits);
  const std::vector<std::int32_t> labels = {0, 2, kNoLabel, 1};
  const std::vector<NodeId> first_three = {0, 1, 2};
  EXPECT_DOUBLE_EQ(measure(Metric::accuracy, *backend, logits, labels, first_three), 0.5);
  EXPECT_DOUBLE_EQ(measure(Metric::accuracy, *backend, logits, labels, {}), 0);
}

TEST(Metric, RocAucIsTheShareOfRightlyOrderedPairs) {
  EXPECT_DOUBLE_EQ(roc_auc(std::vector<double>{1, 2, 3, 4}, std::vector<std::int32_t>{0, 0, 1, 1}), 1);
  EXPECT_DOUBLE_EQ(roc_auc(std::vector<double>{1, 2, 3, 4}, std::vector<std::int32_t>{0, 1, 0, 1}), 0.75);
  EXPECT_DOUBLE_EQ(roc_auc(std::vector<double>{7, 7, 7}, std::vector<std::int32_t>{0, 1, 1}), 0.5);
  EXPECT_DOUBLE_EQ(roc_auc(std::vector<double>{7, 8}, std::vector<std::int32_t>{1, 1}), 0);
}

TEST(Metric, RocAucAgreesWithCountingEveryPair) {
  std::mt19937_64 bits(3);
  std::vector<double> scores;
  std::vector<std::int32_t> labels;
  for (int i = 0; i < 200; ++i) {
    scores.push_back(static_cast<double>(bits() % 30));
    labels.push_back(static_cast<std::int32_t>(bits() % 2));
  }
  double right = 0, pairs = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    for (std::size_t j = 0; j < scores.size(); ++j) {
      if (labels[i] != 1 || labels[j] != 0) continue;
      ++pairs;
      right += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
    }
  }
  EXPECT_NEAR(roc_auc(scores, labels), right / pairs, 1e-12);
}

TEST(Metric, RocAucRefusesMoreThanTwoClasses) {
  const auto backend = make_cpu_backend();
  const Tensor logits = backend->zeros(1, 3, Scalar::f32);
  const std::vector<std::int32_t> labels = {0};
  const std::vector<NodeId> nodes = {0};
  EXPECT_THROW(measure(Metric::roc_auc, *backend, logits, labels, nodes), InvalidArgument);
}

}  // namespace
}  // namespace kith
