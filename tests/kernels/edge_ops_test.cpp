#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "graph/errors.h"
#include "tests/kernels/blocks.h"
#include "tests/kernels/on_device.h"

namespace kith {
namespace {

using test::Block;
using test::DeviceBlock;
using test::expect_close;
using test::expect_gradient;
using test::joined;
using test::random_block;
using test::random_values;
using test::tolerance_of;

class EdgeOps : public test::OnDevice {};

std::vector<double> naive_softmax(const Block& block, const std::vector<double>& scores, std::int64_t heads) {
  std::vector<double> out(scores.size());
  for (std::int64_t v = 0; v < block.num_destinations(); ++v) {
    for (std::int64_t h = 0; h < heads; ++h) {
      double sum = 0;
      for (std::int32_t e = block.offsets[v]; e < block.offsets[v + 1]; ++e) {
        sum += std::exp(scores[e * heads + h]);
      }
      for (std::int32_t e = block.offsets[v]; e < block.offsets[v + 1]; ++e) {
        out[e * heads + h] = std::exp(scores[e * heads + h]) / sum;
      }
    }
  }
  return out;
}

/// By the whole Jacobian of each row: d out_i / d score_j = out_i * (i == j) - out_i * out_j.
std::vector<double> naive_softmax_backward(const Block& block, const std::vector<double>& out,
                                           const std::vector<double>& grad_out, std::int64_t heads) {
  std::vector<double> grad(out.size());
  for (std::int64_t v = 0; v < block.num_destinations(); ++v) {
    for (std::int32_t e = block.offsets[v]; e < block.offsets[v + 1]; ++e) {
      for (std::int32_t f = block.offsets[v]; f < block.offsets[v + 1]; ++f) {
        for (std::int64_t h = 0; h < heads; ++h) {
          const double y = out[f * heads + h];
          grad[e * heads + h] += grad_out[f * heads + h] * y * ((e == f ? 1 : 0) - out[e * heads + h]);
        }
      }
    }
  }
  return grad;
}

TEST_P(EdgeOps, SoftmaxOfATinyBlock) {
  // One edge gets everything; two equal scores share; scores that would overflow without the maximum.
  const Block block{.num_sources = 2, .offsets = {0, 1, 1, 3, 5}, .sources = {0, 0, 1, 0, 1}, .weights = {}};
  const DeviceBlock device_block = on_device(block);
  const Tensor scores = tensor(5, 1, Scalar::f32, std::vector<double>{-3, 7, 7, 1000, -1000});
  Tensor out = backend_->empty(5, 1, Scalar::f32);
  backend_->edge_softmax(device_block.view(), scores, out);
  EXPECT_EQ(values(out), (std::vector<double>{1, 0.5, 0.5, 1, 0}));
}

TEST_P(EdgeOps, SoftmaxAgreesWithALoopForwardsAndBackwards) {
  const Block block = random_block(60, 90, 500);
  const DeviceBlock device_block = on_device(block);
  for (const std::int64_t heads : {1, 2, 4, 7, 64, 70}) {
    const std::vector<double> scores = random_values(block.num_edges() * heads, 1);
    const std::vector<double> g = random_values(block.num_edges() * heads, 2);
    const std::vector<double> expected = naive_softmax(block, scores, heads);
    const std::vector<double> expected_grad = naive_softmax_backward(block, expected, g, heads);
    for (const Scalar scalar : {Scalar::f32, Scalar::f64}) {
      Tensor out = backend_->empty(block.num_edges(), heads, scalar);
      backend_->edge_softmax(device_block.view(), tensor(block.num_edges(), heads, scalar, scores), out);
      expect_close(values(out), expected, tolerance_of(scalar), concat(heads, " heads"));
      Tensor grad = backend_->empty(block.num_edges(), heads, scalar);
      backend_->fill(grad, 9);
      backend_->edge_softmax_backward(device_block.view(), out, tensor(block.num_edges(), heads, scalar, g),
                                      grad);
      expect_close(values(grad), expected_grad, tolerance_of(scalar), concat(heads, " heads"));
    }
  }
}

TEST_P(EdgeOps, SoftmaxGradientAgreesWithFiniteDifferences) {
  const Block block = random_block(6, 8, 5);
  const DeviceBlock device_block = on_device(block);
  const std::int64_t heads = 3, num_edges = block.num_edges();
  const std::vector<double> scores = random_values(num_edges * heads, 1);
  const std::vector<double> direction = random_values(num_edges * heads, 2);
  const auto softmax = [&](const std::vector<double>& at) {
    Tensor out = backend_->empty(num_edges, heads, Scalar::f64);
    backend_->edge_softmax(device_block.view(), tensor(num_edges, heads, Scalar::f64, at), out);
    return out;
  };
  Tensor grad = backend_->empty(num_edges, heads, Scalar::f64);
  backend_->edge_softmax_backward(device_block.view(), softmax(scores),
                                  tensor(num_edges, heads, Scalar::f64, direction), grad);
  expect_gradient(scores, direction, values(grad), [&](const auto& at) { return values(softmax(at)); });
}

TEST_P(EdgeOps, DotsAgreeWithALoop) {
  const Block block = random_block(60, 90, 500);
  const DeviceBlock device_block = on_device(block);
  for (const auto& [heads, columns] :
       {std::pair{1, 1}, {1, 100}, {1, 301}, {4, 8}, {3, 21}, {8, 16}, {40, 2}}) {
    const std::int64_t dim = heads * columns;
    const std::vector<double> x = random_values(block.num_sources * dim, 1);
    const std::vector<double> y = random_values(block.num_destinations() * dim, 2);
    std::vector<double> expected(static_cast<std::size_t>(block.num_edges() * heads));
    for (std::int64_t v = 0; v < block.num_destinations(); ++v) {
      for (std::int32_t e = block.offsets[v]; e < block.offsets[v + 1]; ++e) {
        for (std::int64_t j = 0; j < dim; ++j) {
          expected[e * heads + j / columns] += x[block.sources[e] * dim + j] * y[v * dim + j];
        }
      }
    }
    for (const Scalar scalar : {Scalar::f32, Scalar::f64}) {
      Tensor out = backend_->empty(block.num_edges(), heads, scalar);
      backend_->edge_dot(device_block.view(), tensor(block.num_sources, dim, scalar, x),
                         tensor(block.num_destinations(), dim, scalar, y), out);
      expect_close(values(out), expected, tolerance_of(scalar), concat(heads, " heads of ", columns));
    }
  }
}

constexpr double kSlope = 0.2;

std::vector<double> naive_scores(const Block& block, const std::vector<double>& at_source,
                                 const std::vector<double>& at_destination, std::int64_t heads) {
  std::vector<double> out;
  for (std::int64_t v = 0; v < block.num_destinations(); ++v) {
    for (std::int32_t e = block.offsets[v]; e < block.offsets[v + 1]; ++e) {
      for (std::int64_t h = 0; h < heads; ++h) {
        const double sum = at_source[block.sources[e] * heads + h] + at_destination[v * heads + h];
        out.push_back(sum > 0 ? sum : kSlope * sum);
      }
    }
  }
  return out;
}

/// The gradients by both ends, sources first.
std::vector<double> naive_scores_backward(const Block& block, const std::vector<double>& scores,
                                          const std::vector<double>& grad_scores, std::int64_t heads) {
  std::vector<double> grad(static_cast<std::size_t>((block.num_sources + block.num_destinations()) * heads));
  for (std::int64_t v = 0; v < block.num_destinations(); ++v) {
    for (std::int32_t e = block.offsets[v]; e < block.offsets[v + 1]; ++e) {
      for (std::int64_t h = 0; h < heads; ++h) {
        const double g = grad_scores[e * heads + h] * (scores[e * heads + h] > 0 ? 1 : kSlope);
        grad[block.sources[e] * heads + h] += g;
        grad[(block.num_sources + v) * heads + h] += g;
      }
    }
  }
  return grad;
}

TEST_P(EdgeOps, ScoresOfATinyBlock) {
  // 1 + 2, and -4 + 2 with the slope; destination 1 hears from nobody.
  const Block block{.num_sources = 3, .offsets = {0, 2, 2}, .sources = {2, 0}, .weights = {}};
  const DeviceBlock device_block = on_device(block);
  const Tensor at_source = tensor(3, 1, Scalar::f64, std::vector<double>{-4, 9, 1});
  const Tensor at_destination = tensor(2, 1, Scalar::f64, std::vector<double>{2, 8});
  Tensor out = backend_->empty(2, 1, Scalar::f64);
  backend_->edge_scores(device_block.view(), at_source, at_destination, 0.25, out);
  EXPECT_EQ(values(out), (std::vector<double>{3, -0.5}));
  Tensor grad_source = backend_->empty(3, 1, Scalar::f64),
         grad_destination = backend_->empty(2, 1, Scalar::f64);
  backend_->edge_scores_backward(device_block.view(), 0.25, out,
                                 tensor(2, 1, Scalar::f64, std::vector<double>{10, 4}),
                                 {.at_source = &grad_source, .at_destination = &grad_destination});
  EXPECT_EQ(values(grad_source), (std::vector<double>{1, 0, 10}));
  EXPECT_EQ(values(grad_destination), (std::vector<double>{11, 0}));
}

TEST_P(EdgeOps, ScoresAgreeWithALoopForwardsAndBackwards) {
  const Block block = random_block(60, 90, 500);
  const DeviceBlock device_block = on_device(block);
  for (const std::int64_t heads : {1, 2, 4, 7, 70}) {
    // More rows than needed: the operations take a prefix, as the destinations are one of the sources.
    const std::vector<double> at_source = random_values((block.num_sources + 2) * heads, 1);
    const std::vector<double> at_destination = random_values((block.num_destinations() + 3) * heads, 2);
    const std::vector<double> g = random_values(block.num_edges() * heads, 3);
    const std::vector<double> expected = naive_scores(block, at_source, at_destination, heads);
    const std::vector<double> expected_grad = naive_scores_backward(block, expected, g, heads);
    for (const Scalar scalar : {Scalar::f32, Scalar::f64}) {
      Tensor out = backend_->empty(block.num_edges(), heads, scalar);
      backend_->edge_scores(device_block.view(), tensor(block.num_sources + 2, heads, scalar, at_source),
                            tensor(block.num_destinations() + 3, heads, scalar, at_destination), kSlope, out);
      expect_close(values(out), expected, tolerance_of(scalar), concat(heads, " heads"));
      Tensor grad_source = backend_->empty(block.num_sources, heads, scalar);
      Tensor grad_destination = backend_->empty(block.num_destinations(), heads, scalar);
      backend_->fill(grad_source, 9);
      backend_->fill(grad_destination, 9);
      backend_->edge_scores_backward(device_block.view(), kSlope, out,
                                     tensor(block.num_edges(), heads, scalar, g),
                                     {.at_source = &grad_source, .at_destination = &grad_destination});
      expect_close(joined({values(grad_source), values(grad_destination)}), expected_grad, tolerance_of(scalar),
                   concat(heads, " heads"));
    }
  }
}

TEST_P(EdgeOps, ScoresGradientAgreesWithFiniteDifferences) {
  const Block block = random_block(6, 8, 5);
  const DeviceBlock device_block = on_device(block);
  const std::int64_t heads = 3, num_edges = block.num_edges();
  const std::int64_t num_sources = block.num_sources, num_destinations = block.num_destinations();
  const std::vector<double> ends = random_values((num_sources + num_destinations) * heads, 1);
  const std::vector<double> direction = random_values(num_edges * heads, 2);
  const auto scores_of = [&](const std::vector<double>& at) {
    const std::span all(at);
    Tensor out = backend_->empty(num_edges, heads, Scalar::f64);
    backend_->edge_scores(
        device_block.view(), tensor(num_sources, heads, Scalar::f64, all.first(num_sources * heads)),
        tensor(num_destinations, heads, Scalar::f64, all.subspan(num_sources * heads)), kSlope, out);
    return out;
  };
  Tensor grad_source = backend_->empty(num_sources, heads, Scalar::f64);
  Tensor grad_destination = backend_->empty(num_destinations, heads, Scalar::f64);
  backend_->edge_scores_backward(device_block.view(), kSlope, scores_of(ends),
                                 tensor(num_edges, heads, Scalar::f64, direction),
                                 {.at_source = &grad_source, .at_destination = &grad_destination});
  expect_gradient(ends, direction, joined({values(grad_source), values(grad_destination)}),
                  [&](const auto& at) { return values(scores_of(at)); });
}

TEST_P(EdgeOps, SoftmaxOfLongRowsAgreesWithALoop) {
  // All rows are long, the last ones are hubs of several hundred edges; no number of heads fills a warp but 32.
  Block block;
  block.num_sources = 50;
  for (int v = 0; v < 9; ++v) {
    const int degree = v < 5 ? 20 * v : 100 * v + 3;
    for (int i = 0; i < degree; ++i) block.sources.push_back((v * 7 + i * 3) % 50);
    block.offsets.push_back(static_cast<std::int32_t>(block.sources.size()));
  }
  const DeviceBlock device_block = on_device(block);
  for (const std::int64_t heads : {1, 3, 32, 33}) {
    const std::vector<double> scores = random_values(block.num_edges() * heads, 1);
    const std::vector<double> g = random_values(block.num_edges() * heads, 2);
    const std::vector<double> expected = naive_softmax(block, scores, heads);
    Tensor out = backend_->empty(block.num_edges(), heads, Scalar::f32);
    backend_->edge_softmax(device_block.view(), tensor(block.num_edges(), heads, Scalar::f32, scores), out);
    expect_close(values(out), expected, 2e-5, concat(heads, " heads"));
    Tensor grad = backend_->empty(block.num_edges(), heads, Scalar::f32);
    backend_->edge_softmax_backward(device_block.view(), out, tensor(block.num_edges(), heads, Scalar::f32, g),
                                    grad);
    expect_close(values(grad), naive_softmax_backward(block, expected, g, heads), 2e-5,
                 concat(heads, " heads"));
  }
}

TEST_P(EdgeOps, SoftmaxKeepsANan) {
  const Block block{.num_sources = 1, .offsets = {0, 2, 3}, .sources = {0, 0, 0}, .weights = {}};
  const DeviceBlock device_block = on_device(block);
  Tensor out = backend_->empty(3, 1, Scalar::f32);
  backend_->edge_softmax(device_block.view(),
                         tensor(3, 1, Scalar::f32, std::vector<double>{1, std::nan(""), 4}), out);
  EXPECT_TRUE(std::isnan(values(out)[0]) && std::isnan(values(out)[1]));
  EXPECT_EQ(values(out)[2], 1);
}

TEST_P(EdgeOps, AcceptBlocksWithoutRowsOrEdges) {
  for (const std::vector<std::int32_t>& offsets : {std::vector<std::int32_t>{0}, {0, 0, 0}}) {
    const Block block{.num_sources = 2, .offsets = offsets, .sources = {}, .weights = {}};
    const DeviceBlock device_block = on_device(block);
    Tensor none = backend_->empty(0, 4, Scalar::f32);
    backend_->edge_softmax(device_block.view(), none, none);
    Tensor grad = backend_->empty(0, 4, Scalar::f32);
    backend_->edge_softmax_backward(device_block.view(), none, none, grad);
    const Tensor y = backend_->zeros(block.num_destinations(), 8, Scalar::f32);
    backend_->edge_dot(device_block.view(), backend_->zeros(2, 8, Scalar::f32), y, grad);
    Tensor at_source = backend_->empty(2, 4, Scalar::f32);
    Tensor at_destination = backend_->empty(block.num_destinations(), 4, Scalar::f32);
    backend_->edge_scores_backward(device_block.view(), kSlope, none, none,
                                   {.at_source = &at_source, .at_destination = &at_destination});
    EXPECT_EQ(values(at_source), std::vector<double>(8));
    EXPECT_EQ(values(at_destination), std::vector<double>(static_cast<std::size_t>(at_destination.size())));
    backend_->edge_scores(device_block.view(), at_source, at_destination, kSlope, none);
  }
}

TEST_P(EdgeOps, GiveTheSameBitsForAnyNumberOfThreads) {
  const Block block = random_block(30'000, 40'000, 20'000);
  const DeviceBlock device_block = on_device(block);
  const std::int64_t num_edges = block.num_edges();
  const Tensor scores = tensor(num_edges, 4, Scalar::f32, random_values(num_edges * 4, 1));
  const Tensor g = tensor(num_edges, 4, Scalar::f32, random_values(num_edges * 4, 2));
  expect_same_bits_for_any_threads([&] {
    Tensor out = backend_->empty(num_edges, 4, Scalar::f32);
    Tensor grad = backend_->empty(num_edges, 4, Scalar::f32);
    backend_->edge_softmax(device_block.view(), scores, out);
    backend_->edge_softmax_backward(device_block.view(), out, g, grad);
    Tensor at_source = backend_->empty(block.num_sources, 4, Scalar::f32);
    Tensor at_destination = backend_->empty(block.num_destinations(), 4, Scalar::f32);
    backend_->edge_scores_backward(device_block.view(), kSlope, scores, grad,
                                   {.at_source = &at_source, .at_destination = &at_destination});
    backend_->edge_scores(device_block.view(), at_source, at_destination, kSlope, out);
    return joined({values(out), values(grad), values(at_source), values(at_destination)});
  });
}

TEST_P(EdgeOps, RefuseShapesThatDoNotFit) {
  const Block block{.num_sources = 2, .offsets = {0, 1}, .sources = {1}, .weights = {}};
  const DeviceBlock device_block = on_device(block);
  Tensor one = backend_->zeros(1, 2, Scalar::f32);
  Tensor two = backend_->zeros(2, 2, Scalar::f32);
  Tensor narrow = backend_->zeros(1, 1, Scalar::f32);
  Tensor wide_scalar = backend_->zeros(1, 2, Scalar::f64);
  EXPECT_THROW(backend_->edge_softmax(device_block.view(), two, two), InvalidArgument);
  EXPECT_THROW(backend_->edge_softmax(device_block.view(), one, narrow), InvalidArgument);
  EXPECT_THROW(backend_->edge_softmax(device_block.view(), one, wide_scalar), InvalidArgument);
  EXPECT_THROW(backend_->edge_softmax_backward(device_block.view(), one, narrow, one), InvalidArgument);
  EXPECT_THROW(backend_->edge_softmax_backward(device_block.view(), one, one, two), InvalidArgument);
  EXPECT_THROW(backend_->edge_dot(device_block.view(), one, one, narrow), InvalidArgument);
  EXPECT_THROW(backend_->edge_dot(device_block.view(), two, narrow, narrow), InvalidArgument);
  EXPECT_NO_THROW(backend_->edge_scores(device_block.view(), two, one, kSlope, one));
  EXPECT_THROW(backend_->edge_scores(device_block.view(), one, one, kSlope, one), InvalidArgument);
  EXPECT_THROW(backend_->edge_scores(device_block.view(), two, narrow, kSlope, one), InvalidArgument);
  EXPECT_THROW(backend_->edge_scores(device_block.view(), two, wide_scalar, kSlope, one), InvalidArgument);
  EXPECT_THROW(backend_->edge_scores(device_block.view(), two, one, kSlope, two), InvalidArgument);
  EXPECT_THROW(backend_->edge_scores(device_block.view(), two, one, 0, one), InvalidArgument);
  const auto backward = [&](const Tensor& scores, const Tensor& grad, Tensor& source, Tensor& destination) {
    backend_->edge_scores_backward(device_block.view(), kSlope, scores, grad,
                                   {.at_source = &source, .at_destination = &destination});
  };
  EXPECT_NO_THROW(backward(one, one, two, one));
  EXPECT_THROW(backward(two, two, two, one), InvalidArgument);
  EXPECT_THROW(backward(one, narrow, two, one), InvalidArgument);
  EXPECT_THROW(backward(one, one, one, one), InvalidArgument);
  EXPECT_THROW(backward(one, one, two, two), InvalidArgument);
}

KITH_ON_EVERY_DEVICE(EdgeOps);

}  // namespace
}  // namespace kith
