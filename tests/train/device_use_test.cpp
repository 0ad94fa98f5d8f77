// What training holds and starts on a device, which only the emulated one counts exactly.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <string>

#include "kernels/backend.h"
#include "tests/support/cuda/emulation.h"
#include "tests/support/learnable.h"
#include "tests/train/one_batch.h"
#include "train/adam.h"
#include "train/trainer.h"

namespace kith {
namespace {

class DeviceUse : public testing::Test {
 protected:
  DeviceUse() { emulation::reset(); }
  ~DeviceUse() override { emulation::reset(); }

  /// Device memory in use once all work is done.
  static std::size_t device_bytes() {
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    return emulation::in_use().device_bytes;
  }

  /// Kernels and library calls that `run` starts.
  template <typename Run>
  static std::int64_t launches_of(const Run& run) {
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    const std::int64_t before = emulation::num_launches();
    run();
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    return emulation::num_launches() - before;
  }
};

TEST_F(DeviceUse, SamplingAndEvaluationReadOneGraph) {
  const std::unique_ptr<Backend> backend = make_backend("cuda");
  const Dataset dataset = test::learnable_dataset();
  Model model(*backend, {.in_channels = dataset.features.dim(),
                         .hidden_channels = 4,
                         .out_channels = dataset.labels.num_classes,
                         .num_layers = 2});
  Trainer trainer(model, dataset, {.adam = {}, .sample_on = SampleOn::device});
  const Loader loader(dataset, dataset.splits.train,
                      {.plan = {.batch_size = 10}, .sampler = {.fanouts = {1, 1}}, .prefetch_depth = 0});
  const std::size_t before = device_bytes();
  trainer.run_epoch(loader, 0);
  const std::size_t sampling = device_bytes();
  const CsrView graph = dataset.graph.view();
  const std::size_t graph_bytes = graph.offsets.size_bytes() + graph.neighbors.size_bytes();
  EXPECT_GE(sampling, before + graph_bytes);
  EXPECT_LT(sampling, before + 2 * graph_bytes) << "a copy, with tables of the sampler that are smaller";
  trainer.evaluate(dataset.splits.valid);
  EXPECT_EQ(device_bytes(), sampling);
  RecordProperty("graph_bytes", static_cast<int>(graph_bytes));
  RecordProperty("device_bytes", static_cast<int>(sampling - before));
}

TEST_F(DeviceUse, AnOptimiserStepIsOneLaunch) {
  for (const ModelKind kind : {ModelKind::sage, ModelKind::gcn, ModelKind::gat, ModelKind::gin}) {
    const test::OneBatch f(kind, 3);
    const std::unique_ptr<Backend> backend = make_backend("cuda");
    Model model(*backend, f.options(kind, 3, Scalar::f32));
    Adam optimizer(*backend, model.parameters(), {.lr = 0.01});
    const DeviceBatch batch = f.batch(*backend);
    Tensor totals = backend->zero_loss();
    ForwardPass pass;
    for (int step = 1; step <= 6; ++step)
      pass = model.forward(batch, step);  // the first ones time both gathers
    const std::int64_t forward = launches_of([&] { pass = model.forward(batch, 7); });
    const std::int64_t backward = launches_of([&] { model.backward(pass, batch, totals); });
    EXPECT_EQ(launches_of([&] { optimizer.step(); }), 1);
    RecordProperty(std::string(name_of(kind)),
                   std::to_string(forward) + " + " + std::to_string(backward) + " + 1");
  }
}

}  // namespace
}  // namespace kith
