// A device that is not the CPU computes what the CPU does: gradients, inference, whole runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/backend.h"
#include "tests/support/devices.h"
#include "tests/support/errors.h"
#include "tests/support/learnable.h"
#include "tests/support/temp_folder.h"
#include "tests/train/checkpoint_runs.h"
#include "tests/train/one_batch.h"
#include "train/adam.h"
#include "train/device_data.h"
#include "train/model.h"
#include "train/run.h"
#include "train/trainer.h"

namespace kith {
namespace {

/// Every device but the CPU, with every kind of model.
class DeviceTraining : public testing::TestWithParam<std::tuple<std::string, ModelKind>> {
 protected:
  ModelKind kind() const { return std::get<1>(GetParam()); }

  std::unique_ptr<Backend> cpu_ = make_cpu_backend();
  std::unique_ptr<Backend> device_ = make_backend(std::get<0>(GetParam()));
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DeviceTraining);
INSTANTIATE_TEST_SUITE_P(Devices, DeviceTraining,
                         testing::Combine(testing::ValuesIn(test::other_devices()),
                                          testing::Values(ModelKind::sage, ModelKind::gcn, ModelKind::gat,
                                                          ModelKind::gin)),
                         [](const auto& info) {
                           return std::get<0>(info.param) + "_" + std::string(name_of(std::get<1>(info.param)));
                         });

std::vector<double> values_of(Backend& backend, const Tensor& x) {
  std::vector<double> values(static_cast<std::size_t>(x.size()));
  backend.download(x, values);
  return values;
}

void expect_close(const std::vector<double>& got, const std::vector<double>& expected,
                  const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], expected[i], 1e-9 * (1 + std::abs(expected[i]))) << what << " at " << i;
  }
}

/// Loss and gradients of one step in double precision, then the parameters after it.
std::vector<std::vector<double>> one_step(Backend& backend, const test::OneBatch& f, ModelKind kind) {
  Model model(backend, f.options(kind, 3, Scalar::f64));
  Adam optimizer(backend, model.parameters(), {.lr = 0.01});
  const DeviceBatch batch = f.batch(backend);
  const ForwardPass pass = model.forward(batch, 1);
  Tensor totals = backend.zero_loss();
  model.backward(pass, batch, totals);
  std::vector<std::vector<double>> all{values_of(backend, pass.logits()), values_of(backend, totals)};
  for (const Parameter* parameter : model.parameters()) all.push_back(values_of(backend, parameter->gradient));
  optimizer.step();
  for (const Parameter* parameter : model.parameters()) all.push_back(values_of(backend, parameter->value));
  return all;
}

TEST_P(DeviceTraining, GivesTheCpusLossGradientsAndStep) {
  for (const bool is_unbiased : {false, true}) {
    if (is_unbiased && kind() == ModelKind::gat) continue;  // takes no weights
    const test::OneBatch f(kind(), 3, is_unbiased);
    const auto expected = one_step(*cpu_, f, kind());
    const auto got = one_step(*device_, f, kind());
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i)
      expect_close(got[i], expected[i], "array " + std::to_string(i));
  }
}

TEST_P(DeviceTraining, InfersWhatTheCpuInfers) {
  const test::OneBatch f(kind());
  const auto infer = [&](Backend& backend) {
    Model model(backend, f.options(kind(), 2, Scalar::f64));
    DeviceData data(backend, f.dataset, kind());
    return values_of(backend, model.infer(data.graph()));
  };
  expect_close(infer(*device_), infer(*cpu_), "logits");
}

TEST_P(DeviceTraining, ARunEndsWhereTheCpusEnds) {
  const Dataset dataset = test::learnable_dataset();
  RunOptions options;
  options.model = {.kind = kind(),
                   .hidden_channels = 8,
                   .num_layers = 2,
                   .heads = kind() == ModelKind::gat ? 2 : 1,
                   .dropout = 0.2};
  options.loader.plan.batch_size = 64;
  options.loader.sampler.fanouts = {4, 3};
  options.trainer.adam.average_decay = kind() == ModelKind::gcn ? 0.9 : 0;
  options.loader.set_p_intra({1, 0.6});  // so that each epoch has its own
  options.epochs = 2;
  options.patience = 0;
  const RunReport expected = run_training(dataset, *cpu_, options);
  for (const SampleOn where : {SampleOn::host, SampleOn::automatic}) {  // auto: on the device for sage
    options.trainer.sample_on = where;
    options.loader.prefetch_depth = where == SampleOn::host ? 0 : 2;
    const RunReport got = run_training(dataset, *device_, options);
    ASSERT_EQ(got.epochs.size(), expected.epochs.size());
    for (std::size_t i = 0; i < got.epochs.size(); ++i) {
      EXPECT_NEAR(got.epochs[i].train_loss, expected.epochs[i].train_loss, 1e-4);
      EXPECT_NEAR(got.epochs[i].valid_accuracy, expected.epochs[i].valid_accuracy, 0.03);  // of 100 nodes
      EXPECT_EQ(got.epochs[i].has_locality, where == SampleOn::host || kind() != ModelKind::sage);
      EXPECT_EQ(got.epochs[i].stats.edges, expected.epochs[i].stats.edges);
      EXPECT_EQ(got.epochs[i].stats.intra_edges, expected.epochs[i].stats.intra_edges);
      EXPECT_EQ(got.epochs[i].stats.input_nodes, expected.epochs[i].stats.input_nodes);
      EXPECT_EQ(got.epochs[i].stats.communities, expected.epochs[i].stats.communities);
    }
    EXPECT_NEAR(got.test_accuracy, expected.test_accuracy, 0.03);
  }
}

TEST_P(DeviceTraining, AResumedRunEndsWithTheSameBits) {
  const Dataset dataset = test::learnable_dataset();
  const test::TempFolder temp;
  RunOptions options = test::small_run(kind());
  options.epochs = 2;
  const auto train = [&](const std::string& folder, bool is_resuming, int stop) {
    const RunControl control{.checkpoint = {.folder = temp.file(folder), .is_resuming = is_resuming}};
    return test::timeless(test::run_for(stop, dataset, *device_, options, control), dataset);
  };
  const std::string expected = train("whole", false, -1);
  for (const int stop : {2, 4, 7}) {
    const std::string folder = std::to_string(stop);
    train(folder, false, stop);
    EXPECT_EQ(train(folder, true, -1), expected) << "stopped after batch " << stop;
  }
}

TEST_P(DeviceTraining, ADivergingRunNamesTheBatchesThatItMayHaveBeen) {
  const Dataset dataset = test::learnable_dataset();
  RunOptions options = test::small_run(kind());
  options.trainer.adam.lr = 1e36;
  options.loader.plan.batch_size = 50;
  EXPECT_THAT(test::error_of<Divergence>([&] { run_training(dataset, *device_, options); }),
              testing::HasSubstr("in epoch 0, in one of the batches 0 to 3"));
}

TEST_P(DeviceTraining, SamplesAsTheLoaderSaysThatTookTheLastOnesPlace) {
  const Dataset dataset = test::learnable_dataset();
  const test::OneBatch f(kind());
  Model model(*device_, f.options(kind(), 2, Scalar::f32));
  Trainer trainer(model, dataset, {});
  std::optional<Loader> loader;  // its address stays
  for (const std::int32_t fanout : {4, 2}) {
    loader.emplace(
        dataset, dataset.splits.train,
        LoaderOptions{
            .plan = {.batch_size = 100}, .sampler = {.fanouts = {fanout, fanout}}, .prefetch_depth = 0});
    const EpochReport report = trainer.run_epoch(*loader, 0);
    const Plan plan = loader->plan(0);
    std::int64_t edges = 0;
    for (std::size_t i = 0; i < plan.size(); ++i) edges += loader->sample(plan, 0, i).stats.edges;
    EXPECT_EQ(report.stats.edges, edges) << "fanout " << fanout;
  }
}

}  // namespace
}  // namespace kith
