#include "train/sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "graph/errors.h"
#include "tests/support/learnable.h"
#include "train/sweep_plot.h"

namespace kith {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Sweep : public testing::Test {
 protected:
  Sweep() {
    options.run.model = {.hidden_channels = 8, .num_layers = 2};
    options.run.loader = {.plan = {.batch_size = 64}, .sampler = {.fanouts = {3, 3}}};
    options.run.epochs = 2;
    options.mix = {0, 1};
    options.p_intra = {0.5, 0.9};
    options.num_seeds = 2;
    folder = fs::path(testing::TempDir()) /
             (std::string("kith_sweep_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder);
    options.folder = folder.string();
  }
  ~Sweep() override { fs::remove_all(folder); }

  int count_new() {
    int num_new = 0;
    run_sweep(dataset, *backend, options,
              [&](const SweepCell&, bool was_done) { num_new += was_done ? 0 : 1; });
    return num_new;
  }

  std::string read(const char* name) const {
    std::ifstream in(folder / name);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  Dataset dataset = test::learnable_dataset();
  std::unique_ptr<Backend> backend = make_cpu_backend();
  SweepOptions options;
  fs::path folder;
};

TEST_F(Sweep, RunsEveryCellOnceAndGoesOnWhereItStopped) {
  EXPECT_EQ(count_new(), 8);
  EXPECT_EQ(count_new(), 0);
  const std::string before = read("results.csv");
  fs::remove(folder / "cells" / "mix1_p0.9_seed1.json");
  std::ofstream(folder / "cells" / "mix0_p0.5_seed0.json") << "{\"request\": {\"opt";  // cut off while written
  EXPECT_EQ(count_new(), 2);
  EXPECT_EQ(std::count(before.begin(), before.end(), '\n'), 9);
}

TEST_F(Sweep, RefusesAFolderOfOtherOptions) {
  count_new();
  options.run.epochs = 3;
  EXPECT_THROW(count_new(), InvalidArgument);
}

TEST_F(Sweep, WritesATableAndAPicture) {
  count_new();
  EXPECT_THAT(read("results.csv"), HasSubstr("mix,p_intra,seed,"));
  EXPECT_THAT(read("results.json"), HasSubstr("\"test_accuracy\""));
  const std::string picture = read("results.svg");
  EXPECT_THAT(picture, HasSubstr("<svg"));
  EXPECT_THAT(picture, HasSubstr("p_intra 0.9"));
  // One circle per (mix, p_intra), seeds averaged.
  std::size_t circles = 0;
  for (std::size_t at = picture.find("<circle"); at != std::string::npos;
       at = picture.find("<circle", at + 1)) {
    ++circles;
  }
  EXPECT_EQ(circles, 4U);
}

TEST_F(Sweep, PutsAveragesOfSeedsInThePicture) {
  const std::vector<SweepCell> cells = {{.mix = 0, .p_intra = 0.5, .seed = 0, .test_accuracy = 0.4},
                                        {.mix = 0, .p_intra = 0.5, .seed = 1, .test_accuracy = 0.6}};
  // With one point the axis is centred on its mean: 50 %.
  EXPECT_THAT(plot_sweep(cells), HasSubstr(">50.00<"));
  EXPECT_THAT(plot_sweep({}), HasSubstr("</svg>"));
}

TEST_F(Sweep, RefusesKnobsOutOfRangeBeforeAnyCellRuns) {
  options.mix = {0, 1.5};
  EXPECT_THROW(count_new(), InvalidArgument);
  options.mix = {0};
  options.p_intra = {0.3};
  EXPECT_THROW(count_new(), InvalidArgument);
  EXPECT_FALSE(fs::exists(folder));
}

}  // namespace
}  // namespace kith
