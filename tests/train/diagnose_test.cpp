#include "train/diagnose.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "graph/errors.h"
#include "kernels/backend.h"
#include "tests/support/learnable.h"
#include "train/report.h"
#include "train/run.h"

namespace kith {
namespace {

using Json = nlohmann::ordered_json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// A report of three epochs whose numbers repeat, but for a little noise of the clock.
Json report() {
  Json epochs = Json::array();
  for (int i = 0; i < 3; ++i) {
    const double noise = 1 + 0.01 * i;
    epochs.push_back({{"epoch", i},
                      {"seconds",
                       {{"total", 1.0 * noise},
                        {"sample", 0.3 * noise},
                        {"stage", 0.1 * noise},
                        {"compute", 0.9 * noise},
                        {"stall", 0.05 * noise}}},
                      {"batches", 10},
                      {"input_nodes_per_batch", 1000.0},
                      {"reused_input_share", 0.2},
                      {"pages_per_batch", 500.0},
                      {"edges_per_batch", 9000.0},
                      {"intra_edge_share", 0.5},
                      {"communities_per_batch", 20.0},
                      {"staged_bytes", 0},
                      {"staged_bytes_from_disk", 0},
                      {"hit_rate", nullptr}});
  }
  return {{"options", {{"mix", 0.125}, {"p_intra", 0.9}}},
          {"dataset", {{"nodes", 5000}}},
          {"epochs", epochs},
          {"device", "cpu"},
          {"version", "1"}};
}

/// Multiplies a quantity of every epoch; of its seconds if `name` starts with "seconds.".
void scale(Json& report, const std::string& name, double factor) {
  const std::string prefix = "seconds.";
  for (Json& epoch : report["epochs"]) {
    Json& value = name.starts_with(prefix) ? epoch["seconds"][name.substr(prefix.size())] : epoch[name];
    value = value.get<double>() * factor;
  }
}

std::vector<std::string> names(const std::vector<Deviation>& deviations) {
  std::vector<std::string> out;
  for (const Deviation& d : deviations) out.push_back(d.what);
  return out;
}

TEST(Diagnose, FindsNothingWhereOnlyTheClockIsNoisy) {
  Json other = report();
  scale(other, "seconds.total", 1.03);
  const Diagnosis found = diagnose(report(), other);
  EXPECT_FALSE(found.is_different);
  EXPECT_TRUE(found.chain.empty());
  EXPECT_THAT(describe(found, "a", "b"), HasSubstr("as long in both"));
}

TEST(Diagnose, EpochsThatVaryMoreThanTheRunsDifferAreNoise) {
  Json first = report();
  Json second = report();
  const double seconds[] = {0.5, 1.0, 1.6};
  for (std::size_t i = 0; i < 3; ++i) {
    first["epochs"][i]["seconds"]["total"] = seconds[i];
    second["epochs"][i]["seconds"]["total"] = 1.2 * seconds[i];
  }
  EXPECT_FALSE(diagnose(first, second).is_different);
}

TEST(Diagnose, WalksFromTheSecondsToTheKnobThatChanged) {
  Json slow = report();
  slow["options"]["mix"] = 1.0;
  scale(slow, "communities_per_batch", 8);
  scale(slow, "input_nodes_per_batch", 2);
  scale(slow, "pages_per_batch", 3);
  scale(slow, "seconds.compute", 2);
  scale(slow, "seconds.total", 1.9);
  const Diagnosis found = diagnose(report(), slow);
  ASSERT_TRUE(found.is_different);
  EXPECT_TRUE(found.is_second_slower);
  EXPECT_THAT(names(found.chain), testing::ElementsAre("communities a batch", "input nodes a batch",
                                                       "seconds of compute", "seconds an epoch"));
  ASSERT_EQ(found.settings.size(), 1U);
  EXPECT_EQ(found.settings[0].name, "--mix");
  EXPECT_THAT(describe(found, "a.json", "b.json"),
              AllOf(HasSubstr("b.json takes 1.9x"), HasSubstr("communities a batch: 20 -> 160  (8x)"),
                    HasSubstr("--mix: 0.125 -> 1.0")));
}

TEST(Diagnose, TheOrderOfTheFilesDoesNotChangeWhatIsFound) {
  Json slow = report();
  scale(slow, "edges_per_batch", 2);
  scale(slow, "seconds.compute", 2);
  scale(slow, "seconds.total", 2);
  const Diagnosis forwards = diagnose(report(), slow);
  const Diagnosis backwards = diagnose(slow, report());
  EXPECT_EQ(names(forwards.chain), names(backwards.chain));
  EXPECT_FALSE(backwards.is_second_slower);
  EXPECT_THAT(describe(backwards, "a", "b"), HasSubstr("a takes 2x as long an epoch as b"));
}

TEST(Diagnose, TheSameWorkInMoreSecondsIsTheMachine) {
  Json slow = report();
  scale(slow, "seconds.compute", 1.5);
  scale(slow, "seconds.total", 1.4);
  const Diagnosis found = diagnose(report(), slow);
  EXPECT_THAT(names(found.chain), testing::ElementsAre("seconds of compute", "seconds an epoch"));
  EXPECT_THAT(describe(found, "a", "b"), HasSubstr("what else ran on the machine"));
}

TEST(Diagnose, AStallLeadsThroughStagingToTheFastTier) {
  Json fast = report();
  Json slow = report();
  for (Json* each : {&fast, &slow}) {
    for (Json& epoch : (*each)["epochs"]) {
      epoch["staged_bytes"] = 1e6;
      epoch["staged_bytes_from_disk"] = 1e5;
      epoch["hit_rate"] = 0.9;
    }
  }
  scale(slow, "hit_rate", 0.5);
  scale(slow, "staged_bytes", 4);
  scale(slow, "staged_bytes_from_disk", 9);
  scale(slow, "seconds.stage", 9);
  scale(slow, "seconds.stall", 15);
  scale(slow, "seconds.total", 1.7);
  const Diagnosis found = diagnose(fast, slow);
  EXPECT_THAT(names(found.chain),
              testing::ElementsAre("hit rate of the fast tier", "bytes staged", "bytes read from the file",
                                   "seconds of staging", "seconds that compute waited for batches",
                                   "seconds an epoch"));
}

TEST(Diagnose, NamesOtherCausesToo) {
  Json slow = report();
  scale(slow, "seconds.compute", 2);
  scale(slow, "seconds.stall", 2);
  scale(slow, "seconds.total", 2);
  const Diagnosis found = diagnose(report(), slow);
  EXPECT_THAT(names(found.also), testing::ElementsAre("seconds that compute waited for batches"));
}

TEST(Diagnose, WhatShrankExplainsNoGrowth) {
  Json slow = report();
  scale(slow, "input_nodes_per_batch", 0.5);
  scale(slow, "edges_per_batch", 0.9);
  scale(slow, "seconds.sample", 8);
  scale(slow, "seconds.stall", 20);
  scale(slow, "seconds.total", 1.9);
  const Diagnosis found = diagnose(report(), slow);
  EXPECT_THAT(names(found.chain),
              testing::ElementsAre("seconds of sampling", "seconds that compute waited for batches",
                                   "seconds an epoch"));
  EXPECT_THAT(found.also, testing::IsEmpty());
}

TEST(Diagnose, RefusesWhatIsNoReport) {
  EXPECT_THROW(diagnose(Json::array(), report()), InvalidArgument);
  EXPECT_THROW(diagnose(report(), Json::object()), InvalidArgument);
  Json empty = report();
  empty["epochs"] = Json::array();
  EXPECT_THROW(diagnose(empty, report()), InvalidArgument);
  Json odd = report();
  odd["epochs"][1]["seconds"] = "none";
  EXPECT_THROW(diagnose(report(), odd), InvalidArgument);
}

TEST(Diagnose, ReadsWhatTrainingWrites) {
  const Dataset dataset = test::learnable_dataset();
  const std::unique_ptr<Backend> backend = make_cpu_backend();
  RunOptions options{.model = {.hidden_channels = 8, .num_layers = 2},
                     .loader = {.plan = {.batch_size = 64}, .sampler = {.fanouts = {3, 3}}},
                     .trainer = {},
                     .epochs = 3};
  const Json structured = to_json(run_training(dataset, *backend, options), dataset, "cpu");
  options.loader.plan.mix = 1;
  options.loader.sampler.fanouts = {8, 8};
  Json wide = to_json(run_training(dataset, *backend, options), dataset, "cpu");
  for (std::size_t i = 0; i < 3; ++i) {  // clocks of a busy machine prove nothing: say that it took longer
    const Json& of = structured["epochs"][i]["seconds"];
    wide["epochs"][i]["seconds"] = of;
    for (const char* name : {"total", "compute"}) {
      wide["epochs"][i]["seconds"][name] = 100.0;
    }
  }
  const Diagnosis found = diagnose(structured, wide);
  ASSERT_GE(found.chain.size(), 3U);
  EXPECT_EQ(found.chain.back().what, "seconds an epoch");
  EXPECT_THAT(describe(found, "a", "b"),
              AllOf(HasSubstr("--mix"), HasSubstr("--fanout"), HasSubstr("a batch"), Not(HasSubstr("nan"))));
}

}  // namespace
}  // namespace kith
