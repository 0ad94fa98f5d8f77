#include "train/predict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "graph/errors.h"
#include "tests/support/errors.h"
#include "tests/support/graphs.h"
#include "tests/train/checkpoint_runs.h"
#include "train/npy_file.h"

namespace kith {
namespace {

using testing::HasSubstr;
using Predict = test::CheckpointRuns;

TEST_F(Predict, UsesTheBestParametersInTheOrderOfTheSource) {
  // The ids of the source run backwards, with gaps.
  for (NodeId v = 0; v < dataset.num_nodes(); ++v) dataset.original_id[v] = 1000 - 2 * v;
  const RunOptions run = test::small_run(ModelKind::sage);
  const RunReport report = train(run, into(temp.file("a")));
  const Checkpoint checkpoint = newest(temp.file("a"));
  Model model = restore_model(checkpoint, *backend, "a");
  check_fits(checkpoint, dataset, "a");
  const Predictions classes = predict(model, dataset, dataset.splits.test, false);
  const Predictions logits = predict(model, dataset, dataset.splits.test, true);
  std::size_t num_right = 0, num_chosen = 0;
  for (NodeId v = 0; v < dataset.num_nodes(); ++v) {
    const auto row = static_cast<std::size_t>(dataset.num_nodes() - 1 - v);
    const float* const values = logits.logits.data() + row * 4;
    const bool is_test = v % 4 == 3;
    EXPECT_EQ(std::isnan(values[0]), !is_test);
    EXPECT_EQ(classes.classes[row],
              is_test ? static_cast<std::int32_t>(std::max_element(values, values + 4) - values) : -1);
    num_chosen += is_test ? 1 : 0;
    num_right += is_test && classes.classes[row] == dataset.labels.of_node[v] ? 1 : 0;
  }
  EXPECT_EQ(num_chosen, dataset.splits.test.size());
  EXPECT_DOUBLE_EQ(static_cast<double>(num_right) / static_cast<double>(num_chosen), report.test_accuracy);
}

TEST_F(Predict, RefusesWhatDoesNotFit) {
  train_for(1, test::small_run(ModelKind::sage), into(temp.file("a")));
  Checkpoint checkpoint = newest(temp.file("a"));
  Dataset other = test::tiny_dataset();
  EXPECT_THAT(test::error_of<InvalidArgument>([&] { check_fits(checkpoint, other, "a"); }),
              HasSubstr("expected 8 features, got 3"));
  std::string hidden = R"("hidden":8)";
  checkpoint.request.replace(checkpoint.request.find(hidden), hidden.size(), R"("hidden":2000000000)");
  EXPECT_THAT(test::error_of<IoError>([&] { restore_model(checkpoint, *backend, "a"); }),
              HasSubstr("holds less than its options ask for"));
}

TEST(NpyFile, HasAnAlignedHeadAndTheValues) {
  const test::TempFolder temp;
  write_npy(temp.file("a.npy"), std::vector<std::int32_t>{7, -1}, 2);
  write_npy(temp.file("b.npy"), std::vector<float>{1, 2, 3, 4, 5, 6}, 2, 3);
  const std::string a = test::read_bytes(temp.file("a.npy")), b = test::read_bytes(temp.file("b.npy"));
  EXPECT_EQ(a.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  EXPECT_EQ(a.size(), 128U + 8);
  EXPECT_THAT(a, HasSubstr("{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }"));
  EXPECT_EQ(a.substr(127), std::string("\n\x07\0\0\0\xFF\xFF\xFF\xFF", 9));
  EXPECT_THAT(b, HasSubstr("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"));
  EXPECT_EQ(b.size(), 128U + 24);
}

}  // namespace
}  // namespace kith
