#include "train/tune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "graph/errors.h"
#include "tests/support/learnable.h"
#include "train/tune_candidates.h"

namespace kith {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class Tune : public testing::Test {
 protected:
  Dataset dataset = test::learnable_dataset();
  std::unique_ptr<Backend> backend = make_cpu_backend();
  RunOptions options{.model = {.hidden_channels = 8, .num_layers = 2},
                     .loader = {.plan = {.batch_size = 16}, .sampler = {.fanouts = {3, 3}}},
                     .trainer = {},
                     .epochs = 60,
                     .patience = 0};
};

TEST_F(Tune, ReportsEveryContenderAndExplainsItsChoice) {
  const TuneReport report = tune(dataset, *backend, options, {});
  ASSERT_EQ(report.trials.size(), 1 + tune_candidates(dataset, options.loader).size());
  EXPECT_TRUE(are_random(report.trials.front().loader));
  EXPECT_LT(report.chosen, report.trials.size());
  EXPECT_THAT(report.explanation, SizeIs(3));
  EXPECT_THAT(report.explanation.back(), HasSubstr(report.trials[report.chosen].knobs));
  for (const TuneTrial& trial : report.trials) {
    EXPECT_GT(trial.result.effort.seconds, 0) << trial.knobs;
    EXPECT_GT(trial.input_nodes_per_batch, 16) << trial.knobs;
    EXPECT_FALSE(trial.result.verdict.empty()) << trial.knobs;
  }
  const nlohmann::ordered_json json = to_json(report);
  EXPECT_EQ(json.at("trials").size(), report.trials.size());
  EXPECT_EQ(json.at("chosen"), report.trials[report.chosen].knobs);
  EXPECT_EQ(json.at("explanation").size(), 3U);
}

TEST_F(Tune, LeavesTheOptionsThatAreNoKnobsAsTheyAre) {
  options.loader.sampler.kind = SamplerKind::labor;
  options.loader.plan.batch_order = BatchOrder::parse("sequential");
  options.loader.seed = 7;
  for (const LoaderOptions& candidate : tune_candidates(dataset, options.loader)) {
    EXPECT_EQ(candidate.sampler.kind, SamplerKind::labor);
    EXPECT_EQ(candidate.plan.batch_order.name(), "sequential");
    EXPECT_EQ(candidate.plan.batch_size, 16);
    EXPECT_FALSE(are_random(candidate)) << knobs_of(candidate);
  }
  EXPECT_TRUE(are_random(random_batches(options.loader)));
}

TEST_F(Tune, TriesNoWeightsWhereDrawsCannotHaveThem) {
  options.loader.sampler.no_intra = NoIntra::drop;
  for (const LoaderOptions& candidate : tune_candidates(dataset, options.loader)) {
    EXPECT_FALSE(candidate.sampler.is_unbiased);
  }
}

TEST_F(Tune, AWholeGraphInABatchIsNotSearched) {
  options.loader.plan.batch_size = 100'000;
  options.epochs = 5;
  const TuneReport report = tune(dataset, *backend, options, {});
  EXPECT_EQ(report.chosen, 0U);
  EXPECT_THAT(report.explanation[1], HasSubstr("so few batches"));
}

TEST_F(Tune, EndsAfterTheBatchInWhichItIsToldTo) {
  struct Stop {};
  int num_batches = 0;
  const auto stop = [&] {
    if (++num_batches == 5) throw Stop();
  };
  EXPECT_THROW(tune(dataset, *backend, options, {}, stop), Stop);
  EXPECT_EQ(num_batches, 5);
}

TEST_F(Tune, RefusesWhatItCannotSearch) {
  EXPECT_THROW(tune(dataset, *backend, options, {.share = 0}), InvalidArgument);
  EXPECT_THROW(tune(dataset, *backend, options, {.accuracy_loss = -0.1}), InvalidArgument);
  RunOptions other = options;
  other.loader.sampler.kind = SamplerKind::full;
  EXPECT_THROW(tune(dataset, *backend, other, {}), InvalidArgument);
  dataset.splits.valid.resize(3);
  EXPECT_THROW(tune(dataset, *backend, options, {}), InvalidArgument);
}

TEST_F(Tune, TheChosenKnobsTrainAsIfTheyHadBeenGiven) {
  const TuneReport report = tune(dataset, *backend, options, {});
  RunOptions tuned = options, given = options;
  tuned.epochs = given.epochs = 2;
  tuned.loader = report.trials[report.chosen].loader;
  given.loader.plan.mix = tuned.loader.plan.mix;
  given.loader.sampler.p_intra = tuned.loader.sampler.p_intra;
  given.loader.sampler.is_unbiased = tuned.loader.sampler.is_unbiased;
  given.loader.level = tuned.loader.level;
  EXPECT_EQ(run_training(dataset, *backend, tuned).epochs[1].train_loss,
            run_training(dataset, *backend, given).epochs[1].train_loss);
}

}  // namespace
}  // namespace kith
