#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "graph/errors.h"
#include "tests/kernels/blocks.h"
#include "tests/kernels/on_device.h"

namespace kith {
namespace {

using test::Block;
using test::block_with_hubs;
using test::DeviceBlock;
using test::DeviceInts;
using test::expect_close;
using test::expect_gradient;
using test::joined;
using test::random_block;
using test::random_values;

class AggregateMax : public test::OnDevice {
 protected:
  DeviceInts argmax_for(const Tensor& out) { return {*backend_, out.size()}; }
};

TEST_P(AggregateMax, FindsTheLargestOfATinyBlock) {
  // Destination 0 hears from 1 and 2, destination 1 from nobody, destination 2 twice from 0.
  const Block block{.num_sources = 3, .offsets = {0, 2, 2, 4}, .sources = {1, 2, 0, 0}, .weights = {}};
  const DeviceBlock device_block = on_device(block);
  const Tensor x = tensor(3, 2, Scalar::f32, std::vector<double>{-4, -5, 1, 20, 2, 10});
  Tensor out = backend_->empty(3, 2, Scalar::f32);
  DeviceInts argmax = argmax_for(out);
  backend_->aggregate_max(device_block.view(), x, out, argmax);
  EXPECT_EQ(values(out), (std::vector<double>{2, 20, 0, 0, -4, -5}));
  EXPECT_EQ(argmax.values(), (std::vector<std::int32_t>{1, 0, -1, -1, 2, 2}));

  Tensor grad = tensor(3, 2, Scalar::f32, std::vector<double>{0, 0, 0, 0, 0, 100});
  const Tensor grad_out = tensor(3, 2, Scalar::f32, std::vector<double>{1, 2, 3, 4, 5, 6});
  backend_->aggregate_max_backward(device_block.view(), argmax, grad_out, grad);
  EXPECT_EQ(values(grad), (std::vector<double>{5, 6, 0, 2, 1, 100}));
}

TEST_P(AggregateMax, AgreesWithALoopForwardsAndBackwards) {
  for (const auto& [hubs, dim] : {std::pair{false, 1}, {false, 3}, {true, 16}, {true, 100}, {false, 1030}}) {
    const Block block = hubs ? block_with_hubs() : random_block(60, 90, 500);
    const DeviceBlock device_block = on_device(block);
    const std::vector<double> x = random_values(block.num_sources * dim, 1);
    const std::vector<double> g = random_values(block.num_destinations() * dim, 2);
    std::vector<double> expected(static_cast<std::size_t>(block.num_destinations() * dim));
    std::vector<double> expected_grad(x.size(), 0.5);
    std::vector<std::int32_t> winners(expected.size(), -1);
    for (std::int64_t i = 0; i < block.num_destinations() * dim; ++i) {
      for (std::int32_t e = block.offsets[i / dim]; e < block.offsets[i / dim + 1]; ++e) {
        const double value = x[block.sources[e] * dim + i % dim];
        if (winners[i] < 0 || value > expected[i]) {
          winners[i] = e;
          expected[i] = value;
        }
      }
      if (winners[i] >= 0) expected_grad[block.sources[winners[i]] * dim + i % dim] += g[i];
    }
    for (const Scalar scalar : {Scalar::f32, Scalar::f64}) {
      Tensor out = backend_->empty(block.num_destinations(), dim, scalar);
      DeviceInts argmax = argmax_for(out);
      backend_->aggregate_max(device_block.view(), tensor(block.num_sources, dim, scalar, x), out, argmax);
      EXPECT_EQ(values(out), expected) << dim;
      EXPECT_EQ(argmax.values(), winners) << dim;
      Tensor grad = backend_->empty(block.num_sources, dim, scalar);
      backend_->fill(grad, 0.5);
      backend_->aggregate_max_backward(device_block.view(), argmax,
                                       tensor(block.num_destinations(), dim, scalar, g), grad);
      expect_close(values(grad), expected_grad, test::tolerance_of(scalar), concat("dim ", dim));
    }
  }
}

TEST_P(AggregateMax, GradientAgreesWithFiniteDifferences) {
  const Block block = random_block(6, 8, 5);
  const DeviceBlock device_block = on_device(block);
  const std::int64_t dim = 3;
  const std::vector<double> x = random_values(block.num_sources * dim, 1);
  const std::vector<double> direction = random_values(block.num_destinations() * dim, 2);
  DeviceInts argmax(*backend_, block.num_destinations() * dim);
  const auto run = [&](const std::vector<double>& at) {
    Tensor out = backend_->empty(block.num_destinations(), dim, Scalar::f64);
    backend_->aggregate_max(device_block.view(), tensor(block.num_sources, dim, Scalar::f64, at), out, argmax);
    return values(out);
  };
  run(x);
  Tensor grad = backend_->zeros(block.num_sources, dim, Scalar::f64);
  const Tensor grad_out = tensor(block.num_destinations(), dim, Scalar::f64, direction);
  backend_->aggregate_max_backward(device_block.view(), argmax, grad_out, grad);
  expect_gradient(x, direction, values(grad), run);
}

TEST_P(AggregateMax, KeepsANanAndTheSmallestNumbers) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const Block block{.num_sources = 3, .offsets = {0, 3, 4}, .sources = {0, 1, 2, 2}, .weights = {}};
  const DeviceBlock device_block = on_device(block);
  const std::vector<double> x{1, -kInfinity, std::nan(""), -kInfinity, 2, -kInfinity};
  Tensor out = backend_->empty(2, 2, Scalar::f64);
  DeviceInts argmax = argmax_for(out);
  backend_->aggregate_max(device_block.view(), tensor(3, 2, Scalar::f64, x), out, argmax);
  EXPECT_TRUE(std::isnan(values(out)[0]));
  EXPECT_EQ(argmax.values(), (std::vector<std::int32_t>{1, 0, 3, 3}));
  EXPECT_EQ(values(out)[1], -kInfinity);
}

TEST_P(AggregateMax, FindsTheFirstOfEqualsAndTheLastNanOfAHub) {
  // 1000 edges from six sources in turn: a tie over all parts of the row, and a NaN among the others.
  Block block{.num_sources = 6, .offsets = {0, 0, 1000, 1000}, .sources = {}, .weights = {}};
  for (int e = 0; e < 1000; ++e) block.sources.push_back(e % 6);
  const DeviceBlock device_block = on_device(block);
  std::vector<double> x(6 * 3);
  for (int u = 0; u < 6; ++u) {
    x[u * 3] = u == 4 || u == 2 ? 7 : u;
    x[u * 3 + 1] = u == 1 ? std::nan("") : u;
    x[u * 3 + 2] = -std::numeric_limits<double>::infinity();
  }
  Tensor out = backend_->empty(3, 3, Scalar::f32);
  DeviceInts argmax = argmax_for(out);
  backend_->aggregate_max(device_block.view(), tensor(6, 3, Scalar::f32, x), out, argmax);
  EXPECT_EQ(argmax.values(), (std::vector<std::int32_t>{-1, -1, -1, 2, 997, 0, -1, -1, -1}));
  EXPECT_EQ(values(out)[3], 7);
  EXPECT_TRUE(std::isnan(values(out)[4]));
}

TEST_P(AggregateMax, AcceptsBlocksWithoutRowsOrEdges) {
  const Block no_rows{.num_sources = 2, .offsets = {0}, .sources = {}, .weights = {}};
  const DeviceBlock no_rows_there = on_device(no_rows);
  Tensor none = backend_->empty(0, 3, Scalar::f32);
  backend_->aggregate_max(no_rows_there.view(), backend_->zeros(2, 3, Scalar::f32), none, {});
  Tensor grad = backend_->zeros(2, 3, Scalar::f32);
  backend_->aggregate_max_backward(no_rows_there.view(), {}, none, grad);
  EXPECT_EQ(values(grad), std::vector<double>(6, 0));
}

TEST_P(AggregateMax, GivesTheSameBitsForAnyNumberOfThreads) {
  const Block block = random_block(30'000, 40'000, 20'000);
  const DeviceBlock device_block = on_device(block);
  const Tensor x = tensor(block.num_sources, 17, Scalar::f32, random_values(block.num_sources * 17, 1));
  const Tensor g =
      tensor(block.num_destinations(), 17, Scalar::f32, random_values(block.num_destinations() * 17, 2));
  expect_same_bits_for_any_threads([&] {
    Tensor out = backend_->empty(block.num_destinations(), 17, Scalar::f32);
    Tensor grad = backend_->zeros(block.num_sources, 17, Scalar::f32);
    DeviceInts argmax = argmax_for(out);
    backend_->aggregate_max(device_block.view(), x, out, argmax);
    backend_->aggregate_max_backward(device_block.view(), argmax, g, grad);
    return joined({values(out), values(grad)});
  });
}

TEST_P(AggregateMax, RefusesShapesThatDoNotFit) {
  const Block block{.num_sources = 2, .offsets = {0, 1}, .sources = {1}, .weights = {}};
  const DeviceBlock device_block = on_device(block);
  const Tensor x = backend_->zeros(2, 3, Scalar::f32);
  Tensor out = backend_->zeros(1, 3, Scalar::f32);
  Tensor narrow = backend_->zeros(1, 2, Scalar::f32);
  DeviceInts argmax(*backend_, 3), few(*backend_, 2);
  EXPECT_THROW(backend_->aggregate_max(device_block.view(), x, narrow, few), InvalidArgument);
  EXPECT_THROW(backend_->aggregate_max(device_block.view(), x, out, few), InvalidArgument);
  EXPECT_THROW(backend_->aggregate_max(device_block.view(), out, out, argmax), InvalidArgument);
  EXPECT_THROW(backend_->aggregate_max_backward(device_block.view(), few, narrow, out), InvalidArgument);
  EXPECT_THROW(backend_->aggregate_max_backward(device_block.view(), argmax, out, out), InvalidArgument);
}

KITH_ON_EVERY_DEVICE(AggregateMax);

}  // namespace
}  // namespace kith
