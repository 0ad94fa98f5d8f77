#include <gtest/gtest.h>

#include "graph/errors.h"
#include "tests/kernels/on_device.h"

namespace kith {
namespace {

using test::expect_close;
using test::expect_gradient;
using test::joined;
using test::random_values;
using test::tolerance_of;

class HeadDot : public test::OnDevice {};

/// Heads and values of a head.
struct Shape {
  std::int64_t heads, columns;
};
constexpr Shape kShapes[] = {{1, 1}, {1, 100}, {4, 8}, {3, 21}, {8, 16}, {2, 0}};

TEST_P(HeadDot, OfTwoRowsByHand) {
  const Tensor x = tensor(2, 4, Scalar::f64, std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8});
  const Tensor weight = tensor(2, 2, Scalar::f64, std::vector<double>{10, 1, 0, -1});
  Tensor out = backend_->empty(2, 2, Scalar::f64);
  backend_->head_dot(x, weight, out);
  EXPECT_EQ(values(out), (std::vector<double>{12, -4, 56, -8}));
}

TEST_P(HeadDot, AgreesWithALoopForwardsAndBackwards) {
  for (const auto& [heads, columns] : kShapes) {
    for (const std::int64_t rows : {0, 1, 7, 512, 1300}) {
      const std::int64_t width = heads * columns;
      const std::vector<double> x = random_values((rows + 2) * width, 1);  // two rows more than are used
      const std::vector<double> weight = random_values(width, 2);
      const std::vector<double> g = random_values(rows * heads, 3);
      std::vector<double> expected(static_cast<std::size_t>(rows * heads)), expected_weight(weight.size());
      std::vector<double> expected_x(x.size(), 0.25);
      for (std::int64_t i = 0; i < rows * heads; ++i) {
        for (std::int64_t j = 0; j < columns; ++j) {
          const std::int64_t at = i % heads * columns + j;
          expected[i] += x[i * columns + j] * weight[at];
          expected_x[i * columns + j] += g[i] * weight[at];
          expected_weight[at] += g[i] * x[i * columns + j];
        }
      }
      for (const Scalar scalar : {Scalar::f32, Scalar::f64}) {
        const Tensor inputs = tensor(rows + 2, width, scalar, x);
        const Tensor weights = tensor(heads, columns, scalar, weight);
        Tensor out = backend_->empty(rows, heads, scalar);
        Tensor grad_x = backend_->empty(rows + 2, width, scalar);
        Tensor grad_weight = backend_->empty(heads, columns, scalar);
        backend_->fill(grad_x, 0.25);  // added to
        backend_->fill(grad_weight, NAN);
        backend_->head_dot(inputs, weights, out);
        backend_->head_dot_backward(inputs, weights, tensor(rows, heads, scalar, g), grad_x, grad_weight);
        expect_close(joined({values(out), values(grad_x), values(grad_weight)}),
                     joined({expected, expected_x, expected_weight}), tolerance_of(scalar),
                     concat(rows, " rows of ", heads, " x ", columns));
      }
    }
  }
}

TEST_P(HeadDot, GradientsAgreeWithFiniteDifferences) {
  const std::int64_t rows = 3, heads = 2, columns = 5;
  const std::vector<double> x = random_values(rows * heads * columns, 1);
  const std::vector<double> weight = random_values(heads * columns, 2);
  const std::vector<double> direction = random_values(rows * heads, 3);
  const auto dots = [&](const std::vector<double>& at_x, const std::vector<double>& at_weight) {
    Tensor out = backend_->empty(rows, heads, Scalar::f64);
    backend_->head_dot(tensor(rows, heads * columns, Scalar::f64, at_x),
                       tensor(heads, columns, Scalar::f64, at_weight), out);
    return values(out);
  };
  Tensor grad_x = backend_->zeros(rows, heads * columns, Scalar::f64);
  Tensor grad_weight = backend_->empty(heads, columns, Scalar::f64);
  backend_->head_dot_backward(tensor(rows, heads * columns, Scalar::f64, x),
                              tensor(heads, columns, Scalar::f64, weight),
                              tensor(rows, heads, Scalar::f64, direction), grad_x, grad_weight);
  expect_gradient(x, direction, values(grad_x), [&](const auto& at) { return dots(at, weight); });
  expect_gradient(weight, direction, values(grad_weight), [&](const auto& at) { return dots(x, at); });
}

TEST_P(HeadDot, GivesTheSameBitsForAnyNumberOfThreads) {
  const std::int64_t rows = 50'000, heads = 3, columns = 7;
  const Tensor x = tensor(rows, heads * columns, Scalar::f32, random_values(rows * heads * columns, 1));
  const Tensor weight = tensor(heads, columns, Scalar::f32, random_values(heads * columns, 2));
  expect_same_bits_for_any_threads([&] {
    Tensor out = backend_->empty(rows, heads, Scalar::f32);
    Tensor grad_x = backend_->zeros(rows, heads * columns, Scalar::f32);
    Tensor grad_weight = backend_->empty(heads, columns, Scalar::f32);
    backend_->head_dot(x, weight, out);
    backend_->head_dot_backward(x, weight, out, grad_x, grad_weight);
    return joined({values(out), values(grad_x), values(grad_weight)});
  });
}

TEST_P(HeadDot, RefusesShapesThatDoNotFit) {
  const Tensor x = backend_->zeros(2, 6, Scalar::f32);
  const Tensor weight = backend_->zeros(3, 2, Scalar::f32);
  const Tensor wide = backend_->zeros(3, 3, Scalar::f32);
  Tensor out = backend_->zeros(2, 3, Scalar::f32), two_heads = backend_->zeros(2, 2, Scalar::f32);
  Tensor long_out = backend_->zeros(3, 3, Scalar::f32), other_scalar = backend_->zeros(2, 3, Scalar::f64);
  EXPECT_NO_THROW(backend_->head_dot(x, weight, out));
  EXPECT_THROW(backend_->head_dot(x, wide, out), InvalidArgument);
  EXPECT_THROW(backend_->head_dot(x, weight, two_heads), InvalidArgument);
  EXPECT_THROW(backend_->head_dot(x, weight, long_out), InvalidArgument);
  EXPECT_THROW(backend_->head_dot(x, weight, other_scalar), InvalidArgument);
  Tensor grad_x = backend_->zeros(2, 6, Scalar::f32), grad_weight = backend_->zeros(3, 2, Scalar::f32);
  Tensor short_x = backend_->zeros(1, 6, Scalar::f32), turned = backend_->zeros(2, 3, Scalar::f32);
  EXPECT_NO_THROW(backend_->head_dot_backward(x, weight, out, grad_x, grad_weight));
  EXPECT_THROW(backend_->head_dot_backward(x, weight, out, short_x, grad_weight), InvalidArgument);
  EXPECT_THROW(backend_->head_dot_backward(x, weight, out, grad_x, turned), InvalidArgument);
  EXPECT_THROW(backend_->head_dot_backward(x, weight, two_heads, grad_x, grad_weight), InvalidArgument);
}

KITH_ON_EVERY_DEVICE(HeadDot);

}  // namespace
}  // namespace kith
