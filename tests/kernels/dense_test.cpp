#include <gtest/gtest.h>

#include "graph/errors.h"
#include "tests/kernels/on_device.h"

namespace kith {
namespace {

using test::expect_close;
using test::random_values;
using test::tolerance_of;

class Dense : public test::OnDevice {};

struct Shape {
  std::int64_t rows, inner, cols;
};
constexpr Shape kShapes[] = {{0, 3, 2}, {1, 1, 1},     {3, 0, 2},     {2, 3, 0},
                             {5, 7, 3}, {513, 16, 17}, {1100, 3, 100}};

/// c = op(a) @ op(b) + beta * 0.25 in double precision; a holds at least the rows that are needed.
std::vector<double> naive(const Shape& s, const std::vector<double>& a, bool transpose_a, std::int64_t a_cols,
                          const std::vector<double>& b, bool transpose_b, double beta) {
  std::vector<double> c(static_cast<std::size_t>(s.rows * s.cols), beta * 0.25);
  for (std::int64_t i = 0; i < s.rows; ++i) {
    for (std::int64_t j = 0; j < s.cols; ++j) {
      for (std::int64_t k = 0; k < s.inner; ++k) {
        c[i * s.cols + j] += (transpose_a ? a[k * a_cols + i] : a[i * a_cols + k]) *
                             (transpose_b ? b[j * s.inner + k] : b[k * s.cols + j]);
      }
    }
  }
  return c;
}

TEST_P(Dense, MatmulAgreesWithALoopForEveryTransposition) {
  for (const Shape& s : kShapes) {
    const std::vector<double> a = random_values(s.rows * s.inner, 1);
    const std::vector<double> b = random_values(s.inner * s.cols, 2);
    for (const Scalar scalar : {Scalar::f32, Scalar::f64}) {
      for (int flags = 0; flags < 8; ++flags) {
        const bool ta = (flags & 1) != 0, tb = (flags & 2) != 0;
        const double beta = (flags & 4) != 0 ? 0.5 : 0;
        const Tensor left = ta ? tensor(s.inner, s.rows, scalar, a) : tensor(s.rows, s.inner, scalar, a);
        const Tensor right = tb ? tensor(s.cols, s.inner, scalar, b) : tensor(s.inner, s.cols, scalar, b);
        Tensor c = backend_->empty(s.rows, s.cols, scalar);
        backend_->fill(c, beta == 0 ? NAN : 0.25);  // beta 0 must not read c
        backend_->matmul(left, ta, right, tb, beta, c);
        expect_close(values(c), naive(s, a, ta, left.cols(), b, tb, beta), tolerance_of(scalar),
                     concat(s.rows, " x ", s.inner, " x ", s.cols, " flags ", flags));
      }
    }
  }
}

TEST_P(Dense, MatmulUsesAPrefixOfTheRows) {
  const std::vector<double> a = random_values(6 * 2, 1);
  const std::vector<double> b = random_values(2 * 3, 2);
  Tensor c = backend_->empty(4, 3, Scalar::f64);
  backend_->matmul(tensor(6, 2, Scalar::f64, a), false, tensor(2, 3, Scalar::f64, b), false, 0, c);
  expect_close(values(c), naive({4, 2, 3}, a, false, 2, b, false, 0), 1e-12);
}

TEST_P(Dense, WeightGradientAgreesWithALoop) {
  for (const std::int64_t rows : {0, 1, 7, 1024, 1025, 5000, 20'000}) {
    const Shape s{5, rows, 3};
    const std::vector<double> a = random_values((rows + 2) * 5, 1);
    const std::vector<double> g = random_values(rows * 3, 2);
    for (const double beta : {0.0, 2.0}) {
      Tensor w = backend_->empty(5, 3, Scalar::f64);
      backend_->fill(w, beta == 0 ? NAN : 0.25);
      backend_->matmul_at_b(tensor(rows + 2, 5, Scalar::f64, a), tensor(rows, 3, Scalar::f64, g), beta, w);
      expect_close(values(w), naive(s, a, true, 5, g, false, beta), 1e-11, concat(rows, " rows"));
    }
  }
}

TEST_P(Dense, BiasIsAddedAndItsGradientIsTheColumnSum) {
  for (const std::int64_t rows : {0, 1, 3, 511, 1300}) {
    for (const std::int64_t cols : {1, 7, 257}) {
      std::vector<double> x = random_values(rows * cols, 1);
      const std::vector<double> bias = random_values(cols, 2);
      std::vector<double> sums(static_cast<std::size_t>(cols));
      Tensor matrix = tensor(rows, cols, Scalar::f32, x);
      Tensor gradient = backend_->empty(1, cols, Scalar::f32);
      backend_->bias_gradient(matrix, gradient);
      backend_->add_bias(tensor(1, cols, Scalar::f32, bias), matrix);
      for (std::int64_t i = 0; i < rows * cols; ++i) {
        sums[i % cols] += x[i];
        x[i] += bias[i % cols];
      }
      expect_close(values(gradient), sums, 1e-4);
      expect_close(values(matrix), x, 1e-6);
    }
  }
}

TEST_P(Dense, GivesTheSameBitsForAnyNumberOfThreads) {
  const Tensor a = tensor(9000, 33, Scalar::f32, random_values(9000 * 33, 1));
  const Tensor b = tensor(33, 40, Scalar::f32, random_values(33 * 40, 2));
  expect_same_bits_for_any_threads([&] {
    Tensor c = backend_->empty(9000, 40, Scalar::f32);
    Tensor w = backend_->empty(33, 40, Scalar::f32);
    Tensor bias = backend_->empty(1, 40, Scalar::f32);
    backend_->matmul(a, false, b, false, 0, c);
    backend_->matmul_at_b(a, c, 0, w);
    backend_->bias_gradient(c, bias);
    std::vector<double> all = values(c);
    for (const Tensor* more : {&w, &bias}) {
      const std::vector<double> part = values(*more);
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  });
}

TEST_P(Dense, RefusesShapesThatDoNotFit) {
  const Tensor a = backend_->zeros(4, 3, Scalar::f32);
  const Tensor b = backend_->zeros(3, 2, Scalar::f32);
  Tensor too_long = backend_->zeros(5, 2, Scalar::f32);
  Tensor too_wide = backend_->zeros(4, 3, Scalar::f32);
  Tensor other = backend_->zeros(4, 2, Scalar::f64);
  EXPECT_THROW(backend_->matmul(a, false, b, false, 0, too_long), InvalidArgument);
  EXPECT_THROW(backend_->matmul(a, false, b, false, 0, too_wide), InvalidArgument);
  EXPECT_THROW(backend_->matmul(a, false, b, false, 0, other), InvalidArgument);
  EXPECT_THROW(backend_->matmul_at_b(b, a, 0, too_wide), InvalidArgument);
  EXPECT_THROW(backend_->add_bias(b, too_long), InvalidArgument);
}

KITH_ON_EVERY_DEVICE(Dense);

}  // namespace
}  // namespace kith
