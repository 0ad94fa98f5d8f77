// The moving average of the parameters, from the optimiser to a whole run.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "graph/errors.h"
#include "tests/train/checkpoint_runs.h"
#include "train/trainer.h"

namespace kith {
namespace {

constexpr double kDecay = 0.6;

RunOptions averaging_run() {
  RunOptions run = test::small_run(ModelKind::sage);
  run.trainer.adam.average_decay = kDecay;
  return run;
}

class Averages : public test::CheckpointRuns {
 protected:
  std::vector<double> parameters_of(Model& model) {
    std::vector<double> all;
    for (const Parameter* parameter : model.parameters()) {
      std::vector<double> values(static_cast<std::size_t>(parameter->value.size()));
      backend->download(parameter->value, values);
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }
};

TEST_F(Averages, AreMeansOfTheParametersSoFarAndLeaveThemAlone) {
  const RunOptions options = resolve(averaging_run(), dataset);
  Model model(*backend, options.model);
  Trainer trainer(model, dataset, options.trainer);
  const Loader loader(dataset, dataset.splits.train, options.loader);
  std::vector<double> expected = parameters_of(model);
  int step = 0;
  EpochProgress epoch = begin_epoch(0);
  trainer.advance(loader, epoch, [&](std::size_t, std::size_t) {
    ++step;
    const double decay = std::min(kDecay, (1.0 + step) / (10.0 + step));
    const std::vector<double> now = parameters_of(model);
    for (std::size_t i = 0; i < now.size(); ++i) expected[i] = decay * expected[i] + (1 - decay) * now[i];
    return true;
  });
  ASSERT_EQ(step, 4);
  const std::vector<double> before = parameters_of(model);
  {
    const AveragedParameters averaged(trainer);
    const std::vector<double> averages = parameters_of(model);
    EXPECT_NE(averages, before);
    for (std::size_t i = 0; i < averages.size(); ++i) ASSERT_NEAR(averages[i], expected[i], 1e-6) << i;
  }
  EXPECT_EQ(parameters_of(model), before);
}

TEST_F(Averages, AreWhatARunEvaluatesAndKeeps) {
  RunOptions plain = averaging_run();
  plain.trainer.adam.average_decay = 0;
  const RunReport with = train(averaging_run(), into(temp.file("with")));
  const RunReport without = train(plain, into(temp.file("without")));
  ASSERT_EQ(with.epochs.size(), without.epochs.size());
  for (std::size_t e = 0; e < with.epochs.size(); ++e) {
    EXPECT_EQ(with.epochs[e].train_loss, without.epochs[e].train_loss) << "averaging must not change training";
  }
  const Checkpoint kept = newest(temp.file("with"));
  EXPECT_EQ(kept.trainer.parameters, newest(temp.file("without")).trainer.parameters);
  EXPECT_NE(kept.best_parameters, newest(temp.file("without")).best_parameters);
  // The kept ones give the result that is reported.
  const RunOptions options = resolve(averaging_run(), dataset);
  Model model(*backend, options.model);
  Trainer trainer(model, dataset, options.trainer);
  upload_parameters(kept.best_parameters, model);
  EXPECT_EQ(trainer.evaluate(dataset.splits.valid), with.best_valid_accuracy);
  EXPECT_EQ(trainer.evaluate(dataset.splits.test), with.test_accuracy);
}

TEST_F(Averages, AreTheSameAfterAResumeAtEveryBatch) {
  const RunReport whole = train(averaging_run(), into(temp.file("whole")));
  for (int stop = 1; stop < 12; ++stop) {
    const std::string folder = temp.file("stop" + std::to_string(stop));
    ASSERT_TRUE(train_for(stop, averaging_run(), into(folder)).was_stopped) << stop;
    const RunReport resumed = train(averaging_run(), into(folder, true));
    EXPECT_EQ(test::timeless(resumed, dataset), test::timeless(whole, dataset)) << stop;
    expect_same_state(folder, temp.file("whole"));
  }
}

TEST_F(Averages, HaveADecayBelowOne) {
  for (const double decay : {-0.1, 1.0, 1.5}) {
    RunOptions run = averaging_run();
    run.trainer.adam.average_decay = decay;
    EXPECT_THROW(train(run, {}), InvalidArgument) << decay;
  }
}

}  // namespace
}  // namespace kith
