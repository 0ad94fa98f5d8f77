#include "train/options_cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "graph/errors.h"

namespace kith {
namespace {

using testing::ElementsAre;

RunOptions parse(const std::string& line) {
  CLI::App app;
  TrainingFlags flags;
  add_training_options(app, flags);
  app.parse(line);
  return flags.resolve();
}

TEST(OptionsCli, DefaultsAreThoseOfTheContract) {
  const RunOptions run = parse("a.kith.h5");
  EXPECT_EQ(run.model.num_layers, 3);
  EXPECT_EQ(run.model.hidden_channels, 256);
  EXPECT_EQ(run.model.heads, 1);
  EXPECT_THAT(run.loader.sampler.fanouts, ElementsAre(15, 10, 5));
  EXPECT_EQ(run.loader.plan.batch_size, 1024);
  EXPECT_EQ(run.loader.plan.mix, 0.125);
  EXPECT_EQ(run.loader.sampler.p_intra, 0.9);
  EXPECT_EQ(run.epochs, 100);
  EXPECT_EQ(run.patience, 10);
  EXPECT_EQ(run.trainer.adam.lr, 0.003);
  EXPECT_EQ(run.model.dropout, 0.5);
  EXPECT_EQ(run.loader.prefetch_depth, 2);
}

TEST(OptionsCli, FanoutsFollowTheLayersUnlessGiven) {
  EXPECT_THAT(parse("a --layers 2").loader.sampler.fanouts, ElementsAre(15, 10));
  EXPECT_THAT(parse("a --layers 4").loader.sampler.fanouts, ElementsAre(15, 10, 5, 5));
  EXPECT_THAT(parse("a --layers 2 --fanout 3,-1").loader.sampler.fanouts, ElementsAre(3, -1));
}

TEST(OptionsCli, KnobsReachTheOptions) {
  const RunOptions run =
      parse("a --group 16 --p-intra 0.7 --batch-order window:8 --no-intra drop --level 1 --replace");
  EXPECT_EQ(run.loader.plan.group, 16);
  EXPECT_EQ(run.loader.sampler.p_intra, 0.7);
  EXPECT_EQ(run.loader.plan.batch_order.name(), "window:8");
  EXPECT_EQ(run.loader.sampler.no_intra, NoIntra::drop);
  EXPECT_EQ(run.loader.level, 1);
  EXPECT_TRUE(run.loader.sampler.with_replacement);
  EXPECT_TRUE(parse("a --group auto").loader.is_group_auto);
  EXPECT_EQ(parse("a --model gat --heads 8").model.kind, ModelKind::gat);
  EXPECT_EQ(parse("a --model gat --heads 8").model.heads, 8);
  const LoaderOptions other =
      parse("a --sampler labor --mixing nested --unbiased --dependency 8 --bias-level 2").loader;
  EXPECT_EQ(other.sampler.kind, SamplerKind::labor);
  EXPECT_EQ(other.plan.mixing, Mixing::nested);
  EXPECT_TRUE(other.sampler.is_unbiased);
  EXPECT_EQ(other.dependency, 8);
  EXPECT_EQ(other.bias_level, 2);
}

TEST(OptionsCli, KnobsMayHaveASchedule) {
  const LoaderOptions loader =
      parse("a --mix 0:0.5 --p-intra 1:0.6 --schedule step --schedule-epochs 7").loader;
  EXPECT_EQ(loader.mix().name(), "0:0.5");
  EXPECT_EQ(loader.p_intra().name(), "1:0.6");
  EXPECT_EQ(loader.schedule.shape, KnobSchedule::Shape::step);
  EXPECT_EQ(loader.schedule.epochs, 7);
  EXPECT_FALSE(parse("a --mix 0.5 --p-intra 0.6").loader.has_schedule());
}

TEST(OptionsCli, OptionsOfAGpuReachTheBackend) {
  CLI::App app;
  TrainingFlags flags;
  add_training_options(app, flags);
  app.parse("a.kith.h5 --gather two-step --tf32");
  EXPECT_EQ(flags.backend_options().gathering, Gathering::two_step);
  EXPECT_TRUE(flags.backend_options().allow_tf32);
  EXPECT_EQ(TrainingFlags().backend_options().gathering, Gathering::automatic);
}

TEST(OptionsCli, RefusesTextThatMeansNothing) {
  for (const char* line :
       {"a --fanout 15,x", "a --fanout 15,,5", "a --fanout 99999999999", "a --group many", "a --model gat2",
        "a --batch-order random", "a --no-intra maybe", "a --metric f1", "a --stage fifo", "a --sample-on gpu",
        "a --gather sometimes", "a --sampler best", "a --mixing well", "a --features swap", "a --threads -1",
        "a --mix 0:", "a --p-intra 1-0.5", "a --schedule cosine"}) {
    EXPECT_THROW(parse(line), InvalidArgument) << line;
  }
}

}  // namespace
}  // namespace kith
