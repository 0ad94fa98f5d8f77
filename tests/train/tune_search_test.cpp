#include "train/tune_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

namespace kith {
namespace {

using testing::DoubleNear;
using testing::HasSubstr;

/// A contender whose clock and metric are made up.
struct Simulated {
  double seconds_per_epoch = 1;
  std::function<double(double epochs)> accuracy;
  double noise = 0;  ///< of one score against the others
};

class SimulatedArena final : public TuneArena {
 public:
  explicit SimulatedArena(std::vector<Simulated> contenders, double batches_per_epoch = 100)
      : contenders_(std::move(contenders)),
        batches_per_epoch_(batches_per_epoch),
        batches_(contenders_.size(), 0) {}

  std::size_t size() const override { return contenders_.size(); }
  double batches_per_epoch() const override { return batches_per_epoch_; }
  double seconds() const override { return clock_; }

  TuneEffort train_to_batches(std::size_t i, std::int64_t batches) override {
    do step(i);
    while (batches_[i] < batches);
    return effort(i);
  }

  TuneEffort train_to_seconds(std::size_t i, double seconds) override {
    do step(i);
    while (effort(i).seconds < seconds);
    return effort(i);
  }

  std::vector<double> score(std::size_t i) override {
    clock_ += score_seconds;
    ++num_scores;
    const double accuracy = contenders_[i].accuracy(effort(i).epochs);
    return {accuracy + contenders_[i].noise, accuracy - contenders_[i].noise, accuracy, accuracy};
  }

  TuneEffort effort(std::size_t i) const {
    const double epochs = static_cast<double>(batches_[i]) / batches_per_epoch_;
    return {.seconds = epochs * contenders_[i].seconds_per_epoch, .epochs = epochs};
  }

  double score_seconds = 0.05;
  int num_scores = 0;

 private:
  void step(std::size_t i) {
    ++batches_[i];
    clock_ += contenders_[i].seconds_per_epoch / batches_per_epoch_;
  }

  std::vector<Simulated> contenders_;
  double batches_per_epoch_;
  std::vector<std::int64_t> batches_;
  double clock_ = 0;
};

/// Rises to `limit`, half of the way in every `half` epochs.
std::function<double(double)> curve(double limit, double half = 1) {
  return [=](double epochs) { return limit * (1 - std::exp2(-epochs / half)); };
}

constexpr std::int32_t kEpochs = 30;

TEST(TuneSearch, ChoosesWhatIsFasterAndLearnsAsWell) {
  SimulatedArena arena({{1, curve(0.7)}, {0.5, curve(0.7)}, {0.25, curve(0.7)}, {0.3, curve(0.5)}});
  const TuneOutcome outcome = search(arena, {}, kEpochs);
  EXPECT_EQ(outcome.chosen, 2U);
  EXPECT_EQ(outcome.best, 2U);
  EXPECT_EQ(outcome.results[2].verdict, "chosen");
  EXPECT_EQ(outcome.results[0].verdict, "the measure of the others");
  EXPECT_GT(outcome.results[2].difference, 0.1);
}

TEST(TuneSearch, SpeedThatCostsMoreThanItGivesIsNotChosen) {
  SimulatedArena arena({{1, curve(0.7)}, {0.25, curve(0.7, 8)}, {0.1, curve(0.3)}});
  const TuneOutcome outcome = search(arena, {}, kEpochs);
  EXPECT_EQ(outcome.chosen, 0U);
  EXPECT_EQ(outcome.results[0].verdict, "chosen");
  EXPECT_NE(outcome.best, 0U);
  EXPECT_EQ(outcome.results[outcome.best].verdict, "not safely as accurate as random batches");
}

TEST(TuneSearch, WhatIsHardlyFasterIsDroppedAfterTheTiming) {
  SimulatedArena arena({{1, curve(0.7)}, {0.95, curve(0.9)}, {1.5, curve(0.9)}});
  const TuneOutcome outcome = search(arena, {}, kEpochs);
  EXPECT_EQ(outcome.chosen, 0U);
  EXPECT_EQ(outcome.best, 0U);
  EXPECT_EQ(outcome.num_slow, 2U);
  EXPECT_THAT(outcome.results[1].verdict, HasSubstr("hardly faster"));
  EXPECT_TRUE(std::isnan(outcome.results[1].accuracy));
  EXPECT_LE(arena.num_scores, 1);
}

TEST(TuneSearch, AllThatAreComparedHaveTrainedAsLong) {
  SimulatedArena arena({{1, curve(0.7)}, {0.5, curve(0.6)}, {0.25, curve(0.65)}});
  const TuneOutcome outcome = search(arena, {}, kEpochs);
  EXPECT_NEAR(outcome.results[0].effort.seconds, outcome.seconds, 0.011);  // a batch
  EXPECT_NEAR(outcome.results[outcome.best].effort.seconds, outcome.seconds, 0.011);
  EXPECT_NEAR(outcome.results[2].effort.epochs, 4 * outcome.results[0].effort.epochs, 0.05);
}

TEST(TuneSearch, KeepsToItsShareOfTheTraining) {
  for (const double share : {0.05, 0.15, 0.5}) {
    for (const double score_seconds : {0.0, 0.02, 0.1}) {
      std::vector<Simulated> contenders = {{1, curve(0.7)}};
      for (int i = 0; i < 7; ++i) contenders.push_back({0.8 - 0.1 * i, curve(0.6)});
      SimulatedArena arena(contenders);
      arena.score_seconds = score_seconds;
      search(arena, {.share = share}, kEpochs);
      EXPECT_LE(arena.seconds(), share * kEpochs + 0.2) << share << " " << score_seconds;
      EXPECT_GE(arena.seconds(), 0.7 * share * kEpochs) << share << " " << score_seconds;
    }
  }
}

TEST(TuneSearch, DoubtGoesAgainstStructureUnlessTheLossIsAccepted) {
  // Ahead by a hair, with scores that scatter.
  const std::vector<Simulated> contenders = {{1, [](double) { return 0.7; }},
                                             {0.5, [](double) { return 0.705; }, 0.02}};
  SimulatedArena doubtful(contenders);
  const TuneOutcome outcome = search(doubtful, {.accuracy_loss = 0.002}, kEpochs);
  EXPECT_EQ(outcome.chosen, 0U);
  // Four scores 0.02, -0.02, 0, 0 about their mean: standard error 0.00816, t of 3 degrees of freedom 2.353.
  EXPECT_THAT(outcome.results[1].difference, DoubleNear(0.005, 1e-9));
  EXPECT_THAT(outcome.results[1].difference_error, DoubleNear(2.353 * 0.00816497, 1e-4));
  SimulatedArena generous(contenders);
  EXPECT_EQ(search(generous, {.accuracy_loss = 0.02}, kEpochs).chosen, 1U);
}

TEST(TuneSearch, TrainingThatIsTooShortIsLeftAlone) {
  SimulatedArena arena({{1, curve(0.7)}, {0.1, curve(0.9)}, {0.1, curve(0.9)}}, /*batches_per_epoch=*/1);
  const TuneOutcome outcome = search(arena, {}, kEpochs);
  EXPECT_FALSE(outcome.was_worthwhile);
  EXPECT_EQ(outcome.chosen, 0U);
  EXPECT_EQ(arena.seconds(), 0);
}

TEST(TuneSearch, ALoneContenderIsChosen) {
  SimulatedArena arena({{1, curve(0.7)}});
  const TuneOutcome outcome = search(arena, {}, kEpochs);
  EXPECT_EQ(outcome.chosen, 0U);
  EXPECT_EQ(outcome.num_slow, 0U);
}

}  // namespace
}  // namespace kith
