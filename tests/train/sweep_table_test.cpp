#include "train/sweep_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "graph/errors.h"
#include "tests/support/learnable.h"
#include "train/report.h"

namespace kith {
namespace {

using testing::StartsWith;

constexpr const char* kHeader =
    "graph,model,sampler,mix,p_intra,mixing,level,batch_order,unbiased,dependency,fanout,batch_size,hidden,"
    "layers,"
    "seed,epochs,best_epoch,best_valid,test,seconds_to_best,seconds_per_epoch,cpu_seconds_per_epoch,"
    "sample_seconds,stage_seconds,compute_seconds,stall_seconds,evaluate_seconds,input_nodes_per_batch,"
    "edges_per_batch,communities_per_batch,label_entropy_bits,hit_rate,peak_rss_bytes,device,file\n";

EpochReport epoch_of(std::int32_t epoch, double seconds, std::int64_t input_nodes) {
  EpochReport report;
  report.epoch = epoch;
  report.valid_accuracy = 0.5;
  report.seconds = {.total = seconds,
                    .cpu = 2 * seconds,
                    .sample = 0.25,
                    .stage = 0.5,
                    .compute = seconds / 2,
                    .evaluate = 4,
                    .stall = 0.125};
  report.stats.batches = 2;
  report.stats.input_nodes = input_nodes;
  return report;
}

/// Three epochs of 1, 9 and 2 seconds.
nlohmann::ordered_json report() {
  RunReport run;
  run.options.loader = {.plan = {.batch_size = 64}, .sampler = {.fanouts = {10, -1}}};
  run.options.model = {.hidden_channels = 8, .num_layers = 2};
  run.epochs = {epoch_of(0, 1, 100), epoch_of(1, 9, 200), epoch_of(2, 2, 600)};
  run.best_epoch = 1;
  run.best_valid_accuracy = 0.75;
  run.test_accuracy = 0.5;
  run.seconds_to_best = 10;
  nlohmann::ordered_json json = to_json(run, test::learnable_dataset(), "cpu");
  json["peak_rss_bytes"] = std::int64_t{12345678901};
  return json;
}

SweepRun scheduled_run() {
  return {.graph = "demo",
          .model = "sage",
          .sampler = "comm-rand",
          .mix = {0, 0.5},
          .p_intra = {0.9, 0.9},
          .seed = 3};
}

TEST(SweepTable, IsTheTableOfTheContract) {
  const std::string csv = to_csv({summarize(scheduled_run(), report())});
  const std::string row =
      "demo,sage,comm-rand,0:0.5,0.9,communities,0,shuffled,0,1,10x-1,64,8,2,3,3,1,0.75,0.5,10.0,"
      "2.0,8.0,0.25,0.5,2.0,0.125,4.0,150.0,0.0,0.0,0.0,,12345678901,cpu,"
      "runs/demo_sage_comm-rand_mix0-0.5_p0.9_seed3.json\n";
  EXPECT_EQ(csv, concat(kHeader, row));
  EXPECT_EQ(to_csv({}), kHeader);
}

TEST(SweepTable, AveragesTheHitRateIfThereIsAFastTier) {
  auto json = report();
  for (int i = 0; i < 3; ++i) json["epochs"][i]["hit_rate"] = 0.25 * i;
  EXPECT_NEAR(*summarize(scheduled_run(), json).hit_rate, 0.25, 1e-12);
}

TEST(SweepTable, LeavesOutWhatThereIsNot) {
  auto json = report();
  json["best_valid_accuracy"] = nullptr;
  const SweepRow row = summarize(scheduled_run(), json);
  EXPECT_TRUE(std::isnan(row.best_valid));
  EXPECT_NE(to_csv({row}).find(",3,3,1,,0.5,"), std::string::npos);
}

TEST(SweepTable, RefusesWhatIsNoReport) {
  for (const char* key : {"options", "epochs", "device", "seconds_to_best"}) {
    auto json = report();
    json.erase(key);
    EXPECT_THROW(summarize(scheduled_run(), json), nlohmann::json::exception) << key;
  }
}

}  // namespace
}  // namespace kith
