#include "train/sweep_plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace kith {
namespace {

using testing::HasSubstr;
using testing::Not;

SweepRow row(const SweepRun& run, double test, double seconds = 1) {
  SweepRow row;
  row.run = run;
  row.test = test;
  row.seconds_per_epoch = seconds;
  return row;
}

SweepRun knobs(double mix, double p_intra) {
  return {.graph = "demo",
          .model = "sage",
          .sampler = "comm-rand",
          .mix = {mix, mix},
          .p_intra = {p_intra, p_intra}};
}

std::size_t count(const std::string& picture, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = picture.find(part); at != std::string::npos; at = picture.find(part, at + 1)) ++found;
  return found;
}

TEST(SweepPlot, AveragesSeedsAndDrawsALineForEachPIntra) {
  std::vector<SweepRow> rows;
  for (const double test : {0.4, 0.6}) {
    for (const double p_intra : {0.5, 0.9}) {
      for (const double mix : {0.0, 1.0}) rows.push_back(row(knobs(mix, p_intra), test));
    }
  }
  const std::string picture = plot_sweep(rows);
  EXPECT_EQ(count(picture, "<circle"), 4U);  // seeds averaged
  EXPECT_EQ(count(picture, "<path"), 2U);
  EXPECT_THAT(picture, HasSubstr(">p_intra 0.5<"));
  EXPECT_THAT(picture, HasSubstr(">p_intra 0.9<"));
  EXPECT_THAT(picture, HasSubstr(">demo, sage<"));
}

TEST(SweepPlot, CentresTheAxisOnTheAverage) {
  EXPECT_THAT(plot_sweep({row(knobs(0, 0.5), 0.4), row(knobs(0, 0.5), 0.6)}), HasSubstr(">50.00<"));
}

TEST(SweepPlot, DrawsRivalsAsPointsAndEveryGraphAndModelInAPanel) {
  SweepRun random{.graph = "demo", .model = "sage", .sampler = "random"};
  SweepRun other = random, dependent = random, cluster = random;
  other.model = "gcn";
  dependent.sampler = "dependency";
  dependent.dependency = 8;
  cluster.sampler = "cluster";
  cluster.mix = {0, 0};
  cluster.level = 1;
  const std::string picture =
      plot_sweep({row(random, 0.5), row(other, 0.6), row(dependent, 0.7), row(cluster, 0.7)});
  EXPECT_EQ(count(picture, "<circle"), 4U);
  for (const char* words :
       {">demo, sage<", ">demo, gcn<", ">random<", ">dependency 8<", ">cluster, level 1<"}) {
    EXPECT_THAT(picture, HasSubstr(words));
  }
  EXPECT_THAT(picture, HasSubstr("viewBox=\"0 0 760 920\""));
}

TEST(SweepPlot, IsAPictureWithoutRows) {
  EXPECT_THAT(plot_sweep({}), HasSubstr("</svg>"));
  const SweepRow untested = row(knobs(0, 0.5), std::numeric_limits<double>::quiet_NaN());
  EXPECT_THAT(plot_sweep({untested}), Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace kith
