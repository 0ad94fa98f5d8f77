#include "train/sweep_grid.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "graph/errors.h"
#include "tests/support/errors.h"

namespace kith {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsSupersetOf;

SweepGrid small_grid() {
  return {.files = {"graphs/a.kith.h5"}, .mix = {"0", "1"}, .p_intra = {"0.9"}, .num_seeds = 1};
}

std::vector<std::string> names_of(const SweepGrid& grid) {
  std::vector<std::string> names;
  for (const SweepRun& run : runs_of(grid)) names.push_back(run.name());
  return names;
}

TEST(SweepGrid, RunsTheKnobsSeedBySeed) {
  SweepGrid grid = small_grid();
  grid.num_seeds = 2;
  grid.first_seed = 7;
  grid.p_intra = {"0.5", "0.9"};
  EXPECT_THAT(names_of(grid),
              ElementsAre("a_sage_comm-rand_mix0_p0.5_seed7", "a_sage_comm-rand_mix1_p0.5_seed7",
                          "a_sage_comm-rand_mix0_p0.9_seed7", "a_sage_comm-rand_mix1_p0.9_seed7",
                          "a_sage_comm-rand_mix0_p0.5_seed8", "a_sage_comm-rand_mix1_p0.5_seed8",
                          "a_sage_comm-rand_mix0_p0.9_seed8", "a_sage_comm-rand_mix1_p0.9_seed8"));
}

TEST(SweepGrid, SamplersRunOverTheAxesThatMeanSomethingToThem) {
  SweepGrid grid = small_grid();
  grid.mix = {"0", "0:1"};
  grid.levels = {0, 1};
  grid.unbiased = {0, 1};
  grid.samplers = {"random", "labor", "dependency:8", "dependency:64", "full", "cluster"};
  EXPECT_THAT(names_of(grid),
              ElementsAre("a_sage_random_seed0", "a_sage_labor_seed0", "a_sage_dependency8_seed0",
                          "a_sage_dependency64_seed0", "a_sage_full_seed0", "a_sage_cluster_mix0_seed0",
                          "a_sage_cluster_mix0_level1_seed0"));
  grid.samplers = {"comm-rand"};
  EXPECT_THAT(
      names_of(grid),
      ElementsAre("a_sage_comm-rand_mix0_p0.9_seed0", "a_sage_comm-rand_mix0-1_p0.9_seed0",
                  "a_sage_comm-rand_mix0_p0.9_unbiased_seed0", "a_sage_comm-rand_mix0-1_p0.9_unbiased_seed0",
                  "a_sage_comm-rand_mix0_p0.9_level1_seed0", "a_sage_comm-rand_mix0-1_p0.9_level1_seed0",
                  "a_sage_comm-rand_mix0_p0.9_level1_unbiased_seed0",
                  "a_sage_comm-rand_mix0-1_p0.9_level1_unbiased_seed0"));
}

TEST(SweepGrid, FilesAndModelsAreAxesToo) {
  SweepGrid grid = small_grid();
  grid.files = {"x/a.kith.h5", "b.h5"};
  grid.models = {"sage", "gcn"};
  grid.samplers = {"random"};
  EXPECT_THAT(names_of(grid), ElementsAre("a_sage_random_seed0", "a_gcn_random_seed0", "b_sage_random_seed0",
                                          "b_gcn_random_seed0"));
  EXPECT_EQ(runs_of(grid)[0].file, "x/a.kith.h5");
}

TEST(SweepGrid, SaysEachRunInOptionsOfTheTrainCommand) {
  SweepGrid grid = small_grid();
  grid.mix = {"0:0.5"};
  grid.unbiased = {1};
  grid.samplers = {"comm-rand", "random", "dependency:8", "labor"};
  const std::vector<SweepRun> runs = runs_of(grid);
  ASSERT_EQ(runs.size(), 4U);
  EXPECT_THAT(runs[0].arguments(),
              ElementsAre("--model=sage", "--sampler=neighbor", "--mix=0:0.5", "--p-intra=0.9", "--level=0",
                          "--dependency=1", "--seed=0", "--unbiased"));
  EXPECT_THAT(runs[1].arguments(), ElementsAre("--model=sage", "--sampler=neighbor", "--mix=1", "--p-intra=0.5",
                                               "--level=0", "--dependency=1", "--seed=0"));
  EXPECT_THAT(runs[2].arguments(), IsSupersetOf({"--sampler=neighbor", "--dependency=8", "--mix=1"}));
  EXPECT_THAT(runs[3].arguments(), IsSupersetOf({"--sampler=labor", "--dependency=1", "--mix=1"}));
}

TEST(SweepGrid, NamesEachRunOnce) {
  SweepGrid grid = small_grid();
  grid.mix = {"0", "0.0", "0", "1"};
  grid.samplers = {"random", "random", "comm-rand"};
  EXPECT_EQ(names_of(grid).size(), 3U);
}

TEST(SweepGrid, RefusesValuesOutOfRange) {
  const auto message_of = [](const auto& spoil) {
    SweepGrid grid = small_grid();
    spoil(grid);
    return test::error_of<InvalidArgument>([&] { runs_of(grid); });
  };
  EXPECT_THAT(message_of([](SweepGrid& g) { g.mix = {"0", "1.5"}; }),
              HasSubstr("--mix: expected values in [0, 1]"));
  EXPECT_THAT(message_of([](SweepGrid& g) { g.mix = {"0:-1"}; }), HasSubstr("--mix"));
  EXPECT_THAT(message_of([](SweepGrid& g) { g.mix = {}; }), HasSubstr("--mix"));
  EXPECT_THAT(message_of([](SweepGrid& g) { g.p_intra = {"0.3"}; }),
              HasSubstr("--p-intra: expected values in [0.5"));
  EXPECT_THAT(message_of([](SweepGrid& g) { g.p_intra = {"0.9:0.3"}; }), HasSubstr("--p-intra"));
  EXPECT_THAT(message_of([](SweepGrid& g) { g.models = {"sage", "mlp"}; }), HasSubstr("mlp"));
  for (const char* sampler : {"neighbor", "dependency", "dependency:0", "dependency:8x", "dependency:"}) {
    EXPECT_THAT(message_of([&](SweepGrid& g) { g.samplers = {sampler}; }), HasSubstr("--samplers")) << sampler;
  }
  EXPECT_THAT(message_of([](SweepGrid& g) { g.levels = {-1}; }), HasSubstr("--levels"));
  EXPECT_THAT(message_of([](SweepGrid& g) { g.unbiased = {2}; }), HasSubstr("--unbiased"));
  EXPECT_THAT(message_of([](SweepGrid& g) { g.num_seeds = 0; }), HasSubstr("--seeds"));
  EXPECT_THAT(message_of([](SweepGrid& g) { g.files = {"x/a.h5", "y/a.h5"}; }),
              HasSubstr("two datasets are called a"));
  EXPECT_THAT(message_of([](SweepGrid& g) { g.files = {"a,b.h5"}; }), HasSubstr("without , "));
  EXPECT_THAT(message_of([](SweepGrid& g) {
                g.samplers = {"cluster"};
                g.mix = {"0:1"};
              }),
              HasSubstr("cluster needs a --mix that is the same"));
}

}  // namespace
}  // namespace kith
