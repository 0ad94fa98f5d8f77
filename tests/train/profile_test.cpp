#include "train/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/learnable.h"
#include "train/report.h"
#include "train/run.h"

namespace kith {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

Profile::Span span(Activity activity, double begin, double end) {
  return {.activity = activity, .epoch = 1, .batch = 2, .begin = begin, .end = end};
}

TEST(Profile, AddsUpSpansAndKeepsThemForTheViewer) {
  Profile profile;
  profile.add(span(Activity::forward, 1, 1.5));
  profile.add(span(Activity::forward, 2, 2.25));
  profile.add({.activity = Activity::evaluate, .epoch = 1, .begin = 3, .end = 4});
  EXPECT_DOUBLE_EQ(profile.seconds(Activity::forward), 0.75);
  EXPECT_DOUBLE_EQ(profile.seconds(Activity::sample), 0);
  const nlohmann::ordered_json trace = profile.trace();
  std::vector<nlohmann::ordered_json> complete;
  for (const auto& event : trace.at("traceEvents")) {
    if (event.at("ph") == "X") complete.push_back(event);
  }
  ASSERT_EQ(complete.size(), 3U);
  EXPECT_EQ(complete[0].at("name"), "forward");
  EXPECT_DOUBLE_EQ(complete[0].at("ts").get<double>(), 1e6);
  EXPECT_DOUBLE_EQ(complete[0].at("dur").get<double>(), 5e5);
  EXPECT_EQ(complete[0].at("args").at("batch"), 2);
  EXPECT_FALSE(complete[2].at("args").contains("batch")) << "evaluation is of the whole epoch";
}

TEST(Profile, KeepsNoMoreSpansThanItMaySay) {
  Profile profile;
  for (std::size_t i = 0; i < Profile::kMostSpans + 3; ++i) profile.add(span(Activity::wait, 0, 1));
  EXPECT_EQ(profile.num_left_out(), 3U);
  EXPECT_DOUBLE_EQ(profile.seconds(Activity::wait), static_cast<double>(Profile::kMostSpans + 3));
  EXPECT_THAT(describe(profile, {}), HasSubstr("lacks the last 3 spans"));
}

TEST(Profile, MayBeToldBySeveralThreads) {
  Profile profile;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) profile.add(span(Activity::sample, 0, 0.5));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_DOUBLE_EQ(profile.seconds(Activity::sample), 2000);
}

TEST(Profile, AdviceGoesToTheLargestStall) {
  Profile sampling;
  sampling.add(span(Activity::wait, 0, 5));
  sampling.add(span(Activity::forward, 5, 10));
  sampling.add(span(Activity::sample, 0, 9));
  sampling.add(span(Activity::stage, 9, 10));
  EXPECT_THAT(describe(sampling, {}), AllOf(HasSubstr("waits for sampling"), HasSubstr("50 %")));
  Profile staging;
  staging.add(span(Activity::wait, 0, 5));
  staging.add(span(Activity::forward, 5, 10));
  staging.add(span(Activity::stage, 0, 9));
  EXPECT_THAT(describe(staging, {}), HasSubstr("--stage-bytes"));
  Profile computing;
  computing.add(span(Activity::wait, 0, 0.1));
  computing.add(span(Activity::backward, 1, 10));
  EXPECT_THAT(describe(computing, {}), AllOf(HasSubstr("compute is the limit"), Not(HasSubstr("waits for"))));
}

TEST(Profile, OfARunHasEveryBatchOnceForEachActivity) {
  const Dataset dataset = test::learnable_dataset();
  const auto backend = make_cpu_backend();
  for (const std::int32_t depth : {0, 2}) {
    RunOptions options{.model = {.hidden_channels = 8, .num_layers = 2},
                       .loader = {.plan = {.batch_size = 64}, .sampler = {.fanouts = {3, 3}}},
                       .trainer = {},
                       .epochs = 2};
    options.loader.prefetch_depth = depth;
    Profile profile;
    const RunReport report = run_training(dataset, *backend, options, {.profile = &profile});
    std::map<std::string, std::set<std::pair<int, int>>> seen;
    std::map<std::string, double> ends;  // of the last span of each row that is one thread
    const nlohmann::ordered_json trace = profile.trace();
    for (const auto& event : trace.at("traceEvents")) {
      if (event.at("ph") != "X") continue;
      const auto& arguments = event.at("args");
      const std::pair<int, int> key(arguments.at("epoch"), arguments.value("batch", -1));
      EXPECT_TRUE(seen[event.at("name")].insert(key).second || event.at("name") == "wait for a batch") << event;
      EXPECT_GE(event.at("dur").get<double>(), 0) << event;
      if (event.at("tid") == 1) {
        EXPECT_GE(event.at("ts").get<double>(), ends["train"])
            << "spans of the training thread overlap: " << event;
        ends["train"] = event.at("ts").get<double>() + event.at("dur").get<double>() - 1e-3;
      }
    }
    const auto batches = static_cast<std::size_t>(report.epochs[0].stats.batches);
    for (const char* name : {"forward", "backward", "optimiser", "sample", "stage"}) {
      EXPECT_EQ(seen[name].size(), 2 * batches) << name << ", depth " << depth;
    }
    EXPECT_EQ(seen["evaluate"].size(), 2U);
    EXPECT_LE(profile.seconds(Activity::forward) + profile.seconds(Activity::backward),
              report.epochs[0].seconds.total + report.epochs[1].seconds.total);
  }
}

TEST(Profile, ChangesNothing) {
  const Dataset dataset = test::learnable_dataset();
  const auto backend = make_cpu_backend();
  const RunOptions options{.model = {.hidden_channels = 8, .num_layers = 2},
                           .loader = {.plan = {.batch_size = 64}, .sampler = {.fanouts = {3, 3}}},
                           .trainer = {},
                           .epochs = 2};
  Profile profile;
  EXPECT_EQ(run_training(dataset, *backend, options, {.profile = &profile}).epochs[1].train_loss,
            run_training(dataset, *backend, options).epochs[1].train_loss);
}

TEST(Profile, SaysWhichWayAGpuChoseAndWhy) {
  const GatheringChoice choice{.columns = 100,
                               .type = "f16",
                               .reads_per_row = 4,
                               .num_measured = 4,
                               .fused_seconds = 8e-4,
                               .two_step_seconds = 4e-4,
                               .is_fused = false};
  EXPECT_EQ(describe(std::vector{choice}),
            "First layers over 100 columns of f16 in GPU memory, 4 edges a row or more: 200.0 us "
            "fused, 100.0 us in two steps, of 4 calls: two-step (--gather)\n");
  EXPECT_EQ(describe(std::span<const GatheringChoice>()), "");
  RunReport report;
  const Dataset dataset = test::learnable_dataset();
  EXPECT_FALSE(to_json(report, dataset, "cpu").contains("gathering")) << "nothing was measured";
  report.gathering = {choice};
  const nlohmann::ordered_json json = to_json(report, dataset, "cuda");
  EXPECT_EQ(json["gathering"].dump(),
            "[{\"columns\":100,\"type\":\"f16\",\"reads_per_row\":4,\"in_host_memory\":false,"
            "\"calls\":4,\"fused_seconds\":0.0008,\"two_step_seconds\":0.0004,\"chosen\":\"two-step\"}]");
}

}  // namespace
}  // namespace kith
