// A run that is stopped and resumed ends with the bits of one that never was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "graph/dataset_file.h"
#include "graph/errors.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"
#include "tests/train/checkpoint_runs.h"
#include "train/checkpoint/checkpoint_folder.h"
#include "train/run.h"

namespace kith {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Resume : public test::CheckpointRuns, public testing::WithParamInterface<ModelKind> {};
INSTANTIATE_TEST_SUITE_P(All, Resume,
                         testing::Values(ModelKind::sage, ModelKind::gcn, ModelKind::gat, ModelKind::gin),
                         [](const auto& info) { return std::string(name_of(info.param)); });
using ResumeOnce = Resume;
INSTANTIATE_TEST_SUITE_P(One, ResumeOnce, testing::Values(ModelKind::sage));

TEST_P(Resume, AtEveryBatchEndsWithTheSameBits) {
  for (const std::int32_t depth : {0, 2}) {
    RunOptions run = test::small_run(GetParam());
    run.loader.prefetch_depth = depth;
    const std::string whole = temp.file("whole" + std::to_string(depth));
    const RunReport expected = train(run, into(whole));
    ASSERT_EQ(newest(whole).trainer.step, 12);  // 3 epochs of 4 batches
    for (int stop = 1; stop < 12; ++stop) {
      const std::string folder = temp.file(std::to_string(depth) + "-" + std::to_string(stop));
      RunOptions other = run;
      other.loader.prefetch_depth = 2 - depth;  // neither may matter
      const RunReport stopped = train_for(stop, stop % 2 == 0 ? run : other, into(folder));
      ASSERT_TRUE(stopped.was_stopped);
      EXPECT_EQ(newest(folder).trainer.step, stop);
      const RunReport resumed = train(run, into(folder, true));
      EXPECT_EQ(test::timeless(resumed, dataset), test::timeless(expected, dataset))
          << "stopped after batch " << stop;
      expect_same_state(folder, whole);
    }
  }
}

TEST_P(Resume, AgainAndAgainEndsWithTheSameBits) {
  const RunOptions run = test::small_run(GetParam());
  const RunReport expected = train(run, into(temp.file("whole")));
  const std::string folder = temp.file("pieces");
  RunReport report = train_for(1, run, into(folder));
  int num_runs = 1;
  for (; report.was_stopped; ++num_runs) report = train_for(1, run, into(folder, true));
  EXPECT_EQ(num_runs, 13);  // the last one evaluates
  EXPECT_EQ(test::timeless(report, dataset), test::timeless(expected, dataset));
  expect_same_state(folder, temp.file("whole"));
}

TEST_P(ResumeOnce, ServesWithTiersAndLookaheadToo) {
  write_dataset(temp.file("d.kith.h5"), dataset);
  dataset = read_dataset(temp.file("d.kith.h5"));
  RunOptions run = test::small_run(GetParam());
  run.trainer.staging.policy = StagePolicy::lookahead;
  run.trainer.staging.stage_bytes = 4096;
  run.trainer.staging.host_bytes = 0;
  run.trainer.staging.page_bytes = 4096;
  train(run, into(temp.file("whole")));
  for (const int stop : {1, 3, 4, 6}) {
    const std::string folder = temp.file(std::to_string(stop));
    train_for(stop, run, into(folder));
    train(run, into(folder, true));
    expect_same_state(folder, temp.file("whole"));
  }
}

TEST_P(ResumeOnce, OfAFinishedRunReportsItAgain) {
  const RunOptions run = test::small_run(GetParam());
  const std::string folder = temp.file("a");
  const std::string expected = test::timeless(train(run, into(folder)), dataset);
  EXPECT_EQ(test::timeless(train(run, into(folder, true)), dataset), expected);
}

TEST_P(ResumeOnce, MayGoOnForLongerThanFirstAsked) {
  RunOptions run = test::small_run(GetParam());
  run.epochs = 5;
  const std::string expected = test::timeless(train(run, into(temp.file("whole"))), dataset);
  RunOptions shorter = run;
  shorter.epochs = 2;
  shorter.patience = 1;
  train(shorter, into(temp.file("a")));
  EXPECT_EQ(test::timeless(train(run, into(temp.file("a"), true)), dataset), expected);
  EXPECT_THAT(test::error_of<InvalidArgument>([&] { train(shorter, into(temp.file("a"), true)); }),
              HasSubstr("expected --epochs 5, got 2"));
}

TEST_P(ResumeOnce, NamesTheFirstOptionThatDiffers) {
  const RunOptions run = test::small_run(GetParam());
  const std::string folder = temp.file("a");
  train_for(2, run, into(folder));
  RunOptions other = run;
  other.loader.sampler.p_intra = 0.75;
  other.trainer.adam.lr = 0.5;
  EXPECT_THAT(test::error_of<InvalidArgument>([&] { train(other, into(folder, true)); }),
              AllOf(HasSubstr(folder), HasSubstr("expected --p-intra 0.9, got 0.75")));
  dataset.provenance.source = "another";
  EXPECT_THAT(test::error_of<InvalidArgument>([&] { train(run, into(folder, true)); }),
              HasSubstr("another dataset: expected source \"learnable\", got \"another\""));
}

TEST_P(ResumeOnce, ARunIntoAFolderWithCheckpointsIsRefused) {
  const RunOptions run = test::small_run(GetParam());
  train_for(2, run, into(temp.file("a")));
  EXPECT_THAT(test::error_of<InvalidArgument>([&] { train(run, into(temp.file("a"))); }),
              HasSubstr("--resume"));
  EXPECT_EQ(newest(temp.file("a")).trainer.step, 2);
}

TEST_P(ResumeOnce, FallsBackWithAWarningAndStartsAnewWithANote) {
  const RunOptions run = test::small_run(GetParam());
  train(run, into(temp.file("whole")));
  const std::string folder = temp.file("a");
  RunControl every = into(folder, true);
  every.checkpoint.every_batches = 1;
  train_for(3, run, every);
  EXPECT_THAT(notes, HasSubstr("no checkpoint to go on from, starting anew"));
  const std::string path = CheckpointFolder(folder).list().at(0);
  test::write_bytes(path, test::read_bytes(path).substr(1));
  notes.clear();
  train(run, into(folder, true));
  EXPECT_THAT(notes, AllOf(HasSubstr("warning: " + path + ": not a checkpoint"), HasSubstr("going on from"),
                           HasSubstr("epoch 0, batch 2")));
  EXPECT_TRUE(std::filesystem::exists(path + ".damaged"));
  expect_same_state(folder, temp.file("whole"));
}

TEST_P(ResumeOnce, CountsCheckpointsAsAsked) {
  const RunOptions run = test::small_run(GetParam());
  EXPECT_EQ(train(run, into(temp.file("epochs"))).checkpoints.count, 3);
  RunControl control = into(temp.file("batches"));
  control.checkpoint.every_batches = 5;
  control.checkpoint.keep = 9;
  EXPECT_EQ(train(run, control).checkpoints.count, 3);  // after 5, 10 and all 12
  EXPECT_EQ(CheckpointFolder(temp.file("batches")).list().size(), 3U);
  control = into(temp.file("seconds"));
  control.checkpoint.every_seconds = 1e-9;
  EXPECT_EQ(train(run, control).checkpoints.count, 13);
  EXPECT_EQ(CheckpointFolder(temp.file("seconds")).list().size(), 2U);
}

TEST_P(ResumeOnce, ADivergingRunStopsAndNeverKeepsIt) {
  RunOptions run = test::small_run(GetParam());
  run.trainer.adam.lr = 1e36;
  RunControl control = into(temp.file("a"));
  control.checkpoint.every_batches = 1;
  const std::string text = test::error_of<Divergence>([&] { train(run, control); });
  EXPECT_THAT(text, HasSubstr("not finite any more"));
  for (const std::string& path : CheckpointFolder(temp.file("a")).list())
    EXPECT_NO_THROW(read_checkpoint(path));
  const std::string alone = test::error_of<Divergence>([&] { train(run, {}); });
  EXPECT_THAT(alone, AllOf(HasSubstr("in epoch 0, batch "), HasSubstr("(nodes ")));
}

}  // namespace
}  // namespace kith
