// Training steps reuse the memory of the steps before.
#include <gtest/gtest.h>

#include <vector>

#include "kernels/cpu/cpu_backend.h"
#include "tests/support/learnable.h"
#include "train/adam.h"
#include "train/device_data.h"
#include "train/loader.h"
#include "train/model.h"
#include "train/staging.h"

namespace kith {
namespace {

class SteadyState : public testing::TestWithParam<ModelKind> {};
INSTANTIATE_TEST_SUITE_P(All, SteadyState,
                         testing::Values(ModelKind::sage, ModelKind::gcn, ModelKind::gat, ModelKind::gin),
                         [](const auto& info) { return std::string(name_of(info.param)); });

TEST_P(SteadyState, StepsAllocateNothingOnceTheLargestBatchWasSeen) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "under AddressSanitizer every buffer is fresh, so that its ends are watched";
#endif
  const Dataset dataset = test::learnable_dataset();
  cpu::CpuBackend backend;
  const Loader loader(dataset, dataset.splits.train,
                      {.plan = {.batch_size = 50}, .sampler = {.fanouts = {4, 3}}, .prefetch_depth = 0});
  Model model(backend, {.kind = GetParam(),
                        .in_channels = 8,
                        .hidden_channels = 32,
                        .out_channels = 4,
                        .num_layers = 2,
                        .dropout = 0.5});
  Adam optimizer(backend, model.parameters(), {});
  DeviceData data(backend, dataset, GetParam());
  const auto staging = make_resident_staging(backend, dataset, data.features(), GetParam());
  Tensor totals = backend.zero_loss();
  std::int64_t step = 0;
  const auto run_epoch = [&](std::int32_t epoch) {
    const Plan plan = loader.plan(epoch);
    for (std::size_t i = 0; i < plan.size(); ++i) {
      const StagedBatch staged = staging->make(loader, plan, epoch, i);
      const ForwardPass pass = model.forward(staged.batch, ++step);
      model.backward(pass, staged.batch, totals);
      optimizer.step();
    }
  };
  for (std::int32_t epoch = 0; epoch < 5; ++epoch) run_epoch(epoch);
  const std::size_t before = backend.pool().num_allocations();
  EXPECT_GT(before, 0U);
  for (std::int32_t epoch = 0; epoch < 5; ++epoch) run_epoch(epoch);  // the same batches
  EXPECT_EQ(backend.pool().num_allocations(), before);
}

}  // namespace
}  // namespace kith
