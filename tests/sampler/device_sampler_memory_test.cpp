// The device sampler's use of the device, which only the emulated one shows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include "graph/errors.h"
#include "tests/sampler/device_sampler_checks.h"
#include "tests/sampler/random_graphs.h"
#include "tests/support/cuda/emulation.h"
#include "tests/support/errors.h"

namespace kith {
namespace {

const std::vector<NodeId> kRoots = {33, 121, 199, 5};
const SamplerOptions kOptions{
    .fanouts = {70, 3, -1}, .p_intra = 0.8, .is_unbiased = true, .keep_edges = true, .seed = 7};

class DeviceSamplerMemory : public testing::Test {
 protected:
  DeviceSamplerMemory() { emulation::reset(); }
  ~DeviceSamplerMemory() override { emulation::reset(); }

  const CsrGraph graph_ = test::messy_graph(1);
  const Communities communities_ = test::equal_communities(200, 20);
};

TEST_F(DeviceSamplerMemory, EverythingIsGivenBackWhateverGoesFirst) {
  std::optional<DeviceSample> batch;
  {
    const auto backend = make_backend("cuda");
    const auto sampler = make_device_sampler(*backend, graph_.view(), communities_, kOptions);
    sampler->sample(kRoots, 0, 0);
    batch = sampler->sample(kRoots, 0, 1);
  }
  EXPECT_EQ(emulation::in_use().allocations, 1U) << "the batch";
  batch.reset();
  ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  const emulation::InUse in_use = emulation::in_use();
  EXPECT_EQ(in_use.allocations, 0U);
  EXPECT_EQ(in_use.pinned_allocations, 0U);
  EXPECT_EQ(in_use.streams, 0U);
  EXPECT_EQ(in_use.events, 0U);
}

TEST_F(DeviceSamplerMemory, AGraphThatDoesNotFitIsReadInPlace) {
  const auto backend = make_backend("cuda");
  const emulation::InUse before = emulation::in_use();
  // A quarter stays free for training: the limit leaves no room for any of the three tables, each of 800 bytes
  // or more.
  emulation::set_memory_limit(before.device_bytes + 1000);
  const auto sampler = make_device_sampler(*backend, graph_.view(), communities_, {.fanouts = {1}});
  emulation::set_memory_limit(std::size_t{1} << 30);
  EXPECT_EQ(emulation::in_use().pinned_allocations, before.pinned_allocations + 4) << "tables and sizes";
  test::expect_equal(test::on_host(*backend, sampler->sample(kRoots, 3, 9)),
                     NeighborSampler(graph_.view(), communities_, {.fanouts = {1}}).sample(kRoots, 3, 9));
}

TEST_F(DeviceSamplerMemory, AGraphThatIsThereIsNotCopied) {
  for (const auto schedule : {emulation::Schedule::late, emulation::Schedule::early}) {
    emulation::reset();
    emulation::set_schedule(schedule);
    const auto backend = make_backend("cuda");
    const CsrView host = graph_.view();
    const DeviceArrays there = backend->to_device(host.offsets, host.neighbors);
    backend->wait_for(there);
    const CsrView on_device{.offsets = there.get<EdgeOffset>(0), .neighbors = there.get<NodeId>(1)};
    const auto bytes_with = [&](CsrView graph) {
      const std::size_t before = emulation::in_use().device_bytes;
      const auto sampler = make_device_sampler(*backend, host, communities_, kOptions, graph);
      const std::size_t used = emulation::in_use().device_bytes - before;
      test::expect_equal(test::on_host(*backend, sampler->sample(kRoots, 3, 9)),
                         NeighborSampler(host, communities_, kOptions).sample(kRoots, 3, 9));
      return used;
    };
    const auto padded = [](std::size_t bytes) { return (bytes + 255) / 256 * 256; };
    EXPECT_EQ(bytes_with({}),
              bytes_with(on_device) + padded(host.offsets.size_bytes()) + padded(host.neighbors.size_bytes()));
  }
}

TEST_F(DeviceSamplerMemory, AnotherGraphOnTheDeviceIsRefused) {
  const auto backend = make_backend("cuda");
  const CsrView host = graph_.view();
  EXPECT_THAT(test::error_of<InvalidArgument>([&] {
                make_device_sampler(*backend, host, communities_, kOptions,
                                    {.offsets = host.offsets, .neighbors = host.neighbors.subspan(1)});
              }),
              testing::HasSubstr("on the device, got 200 and"));
}

TEST_F(DeviceSamplerMemory, EveryOrderThatStreamsAllowGivesTheSame) {
  for (const auto schedule :
       {emulation::Schedule::late, emulation::Schedule::early, emulation::Schedule::immediate}) {
    emulation::reset();
    emulation::set_schedule(schedule);
    const auto backend = make_backend("cuda");
    test::SamplerPair samplers(*backend, graph_.view(), communities_, kOptions);
    samplers.compare(kRoots, 0, 0);
    samplers.compare(std::vector<NodeId>{1, 2}, 0, 1);
  }
}

// A batch that is left early leaves marks on its nodes, which the next one must not take for its own.
TEST_F(DeviceSamplerMemory, ACallThatFailsHarmsNoLaterBatch) {
  const auto backend = make_backend("cuda");
  test::SamplerPair samplers(*backend, graph_.view(), communities_, {.fanouts = {4, 2}, .seed = 3});
  const MiniBatch expected = samplers.on_host().sample(kRoots, 0, 1);
  bool has_failed = true;
  std::int64_t num_failures = 0;
  for (std::int64_t nth = 1; has_failed; ++nth) {
    emulation::fail_call(nth, cudaErrorMemoryAllocation);
    try {
      samplers.on_device().sample(kRoots, 0, 0);
      has_failed = false;
    } catch (const std::exception&) {
      ++num_failures;
    }
    emulation::fail_call(0, cudaSuccess);
    static_cast<void>(cudaGetLastError());  // CUDA keeps it for the next launch
    test::expect_equal(test::on_host(*backend, samplers.on_device().sample(kRoots, 0, 1)), expected);
    if (HasFailure()) FAIL() << "call " << nth;
  }
  EXPECT_GT(num_failures, 30) << "calls that a batch takes";
}

// What it had on its way still reads the graph.
TEST_F(DeviceSamplerMemory, ASamplerMayGoAfterACallThatFailed) {
  emulation::set_schedule(emulation::Schedule::early);
  const auto backend = make_backend("cuda");
  for (std::int64_t nth = 1; nth < 60; ++nth) {
    {
      const auto sampler = make_device_sampler(*backend, graph_.view(), communities_, kOptions);
      emulation::fail_call(nth, cudaErrorMemoryAllocation);
      EXPECT_THROW(sampler->sample(kRoots, 0, 0), std::exception) << "call " << nth;
      emulation::fail_call(0, cudaSuccess);
      static_cast<void>(cudaGetLastError());
    }
    test::finish(*backend);
    ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  }
}

}  // namespace
}  // namespace kith
