#include "train/staging/stage_eval.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "graph/errors.h"
#include "tests/support/learnable.h"

namespace kith {
namespace {

StageEvalOptions small_options(const Dataset& dataset) {
  StageEvalOptions options;
  options.loader.plan.batch_size = 16;
  options.loader.plan.mix = 0.25;
  options.loader.sampler.fanouts = {4, 4};
  const auto row_bytes = static_cast<std::int64_t>(dataset.features.view().row_bytes());
  options.staging.page_bytes = static_cast<std::size_t>(8 * row_bytes);
  options.staging.host_bytes = row_bytes * dataset.num_nodes() / 2;
  options.staging.predictor = {.max_tokens = 32, .units = 8, .vocabulary_accesses = 20};
  options.stage_bytes = {row_bytes * 40, row_bytes * 100};
  options.policies = {StagePolicy::none, StagePolicy::presample, StagePolicy::lru, StagePolicy::lstm,
                      StagePolicy::automatic};
  options.pretraining = 5;
  return options;
}

TEST(StageEval, ReportsEveryPolicyAtEverySize) {
  const Dataset dataset = test::learnable_dataset();
  const auto backend = make_cpu_backend();
  const StageEvalOptions options = small_options(dataset);
  std::size_t told = 0;
  const StageEvalReport report =
      evaluate_staging(dataset, *backend, options, [&](const PolicyReport&) { ++told; });
  ASSERT_EQ(report.policies.size(), 10U);
  EXPECT_EQ(told, 10U);
  EXPECT_EQ(report.batches, 2 * 13);
  for (const PolicyReport& policy : report.policies) {
    EXPECT_EQ(policy.account.batches, report.batches);
    EXPECT_GE(policy.distance_to_bound, 0);
    EXPECT_EQ(policy.whole_amplification.has_value(), policy.policy == StagePolicy::lru);
    EXPECT_EQ(policy.predictor.has_value(), policy.policy == StagePolicy::lstm);
    EXPECT_EQ(policy.followed.empty(), policy.policy != StagePolicy::automatic);
  }
  ASSERT_EQ(report.bounds.size(), 2U);
  EXPECT_LT(report.bounds[0].hit_rate, report.bounds[1].hit_rate);
  // The hottest rows serve what they were chosen for, and every row is served by some tier.
  for (const PlacementReport& placement : report.placements) {
    const TierTraffic& measured = placement.measured;
    EXPECT_NEAR(static_cast<double>(measured.fast + measured.host + measured.disk),
                static_cast<double>(report.rows) / 2 * static_cast<double>(report.row_bytes), 3);
    EXPECT_GT(placement.predicted.fast, 0);
  }
}

TEST(StageEval, WritesTheKeysOfTheContract) {
  const Dataset dataset = test::learnable_dataset();
  const auto backend = make_cpu_backend();
  const StageEvalReport report = evaluate_staging(dataset, *backend, small_options(dataset));
  const nlohmann::ordered_json json = to_json(report);
  EXPECT_TRUE(json.contains("options"));
  ASSERT_EQ(json["policies"].size(), 10U);
  for (const auto& policy : json["policies"]) {
    for (const char* key : {"policy", "hit_rate", "bytes_moved", "stall_seconds", "precision_at_10",
                            "recall_at_10", "predictor_seconds", "distance_to_bound"}) {
      EXPECT_TRUE(policy.contains(key)) << key;
    }
    EXPECT_TRUE(policy["bytes_moved"].contains("host") && policy["bytes_moved"].contains("disk"));
    EXPECT_EQ(policy["precision_at_10"].is_null(), policy["policy"] != "lstm");
  }
  const std::string table = to_table(report), picture = plot_staging(report);
  for (const char* name : {"presample", "lru", "lstm", "auto", "bound"}) {
    EXPECT_NE(table.find(name), std::string::npos) << name;
    if (std::string(name) != "bound") {
      EXPECT_NE(picture.find(name), std::string::npos) << name;
    }
  }
  EXPECT_EQ(picture.rfind("<svg", 0), 0U);
}

TEST(StageEval, RefusesNothingToDo) {
  const Dataset dataset = test::learnable_dataset();
  const auto backend = make_cpu_backend();
  StageEvalOptions options = small_options(dataset);
  options.epochs = 0;
  EXPECT_THROW(evaluate_staging(dataset, *backend, options), InvalidArgument);
  options = small_options(dataset);
  options.policies.clear();
  EXPECT_THROW(evaluate_staging(dataset, *backend, options), InvalidArgument);
  options = small_options(dataset);
  options.stage_bytes.clear();
  EXPECT_THROW(evaluate_staging(dataset, *backend, options), InvalidArgument);
}

}  // namespace
}  // namespace kith
