#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "graph/errors.h"
#include "tests/kernels/on_device.h"

namespace kith {
namespace {

using test::random_values;

class Adam : public test::OnDevice {};

/// torch.optim.Adam as its documentation writes it, one value.
struct NaiveAdam {
  double value;
  double m = 0, v = 0;

  explicit NaiveAdam(double start) : value(start) {}

  void step(double gradient, const AdamOptions& o, int t) {
    gradient += o.weight_decay * value;
    m = o.beta1 * m + (1 - o.beta1) * gradient;
    v = o.beta2 * v + (1 - o.beta2) * gradient * gradient;
    const double m_hat = m / (1 - std::pow(o.beta1, t));
    const double v_hat = v / (1 - std::pow(o.beta2, t));
    value -= o.lr * m_hat / (std::sqrt(v_hat) + o.epsilon);
  }
};

TEST_P(Adam, FirstStepMovesByTheLearningRateAgainstTheGradient) {
  Tensor value = tensor(1, 3, Scalar::f64, std::vector<double>{1, 1, 1});
  const Tensor gradient = tensor(1, 3, Scalar::f64, std::vector<double>{4, -0.5, 0});
  Tensor m = backend_->zeros(1, 3, Scalar::f64), v = backend_->zeros(1, 3, Scalar::f64);
  backend_->adam(std::vector<AdamParameter>{{&value, &gradient, &m, &v}}, {.lr = 0.1}, 1);
  test::expect_close(values(value), {0.9, 1.1, 1}, 1e-7);
  test::expect_close(values(m), {0.4, -0.05, 0}, 1e-12);
  test::expect_close(values(v), {0.016, 0.00025, 0}, 1e-12);
}

TEST_P(Adam, AgreesWithALoopOverSeveralParametersAndSteps) {
  const AdamOptions options{.lr = 0.01, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-6, .weight_decay = 0.1};
  for (const Scalar scalar : {Scalar::f32, Scalar::f64}) {
    std::vector<std::vector<NaiveAdam>> naive;
    std::vector<Tensor> value, gradient, m, v;
    for (const std::int64_t size : {1, 7, 0, 20'000}) {
      const std::vector<double> start = random_values(size, 1);
      naive.emplace_back(start.begin(), start.end());
      value.push_back(tensor(1, size, scalar, start));
      gradient.push_back(backend_->empty(1, size, scalar));
      m.push_back(backend_->zeros(1, size, scalar));
      v.push_back(backend_->zeros(1, size, scalar));
    }
    std::vector<AdamParameter> parameters;
    for (std::size_t p = 0; p < value.size(); ++p) {
      parameters.push_back({&value[p], &gradient[p], &m[p], &v[p]});
    }
    for (int step = 1; step <= 4; ++step) {
      for (std::size_t p = 0; p < value.size(); ++p) {
        const std::vector<double> g = random_values(value[p].size(), 10 * p + step);
        backend_->upload(g, gradient[p]);
        for (std::size_t i = 0; i < g.size(); ++i) {
          naive[p][i].step(g[i], options, step);
        }
      }
      backend_->adam(parameters, options, step);
    }
    for (std::size_t p = 0; p < value.size(); ++p) {
      std::vector<double> expected;
      for (const NaiveAdam& one : naive[p]) {
        expected.push_back(one.value);
      }
      test::expect_close(values(value[p]), expected, scalar == Scalar::f32 ? 1e-5 : 1e-12);
    }
  }
}

TEST_P(Adam, AveragesFollowTheValuesFastAtFirst) {
  const AdamOptions options{.lr = 0.1, .average_decay = 0.75};
  for (const Scalar scalar : {Scalar::f32, Scalar::f64}) {
    const std::int64_t size = 3000;
    const std::vector<double> start = random_values(size, 1);
    std::vector<NaiveAdam> naive(start.begin(), start.end());
    std::vector<double> expected = start;
    Tensor value = tensor(1, size, scalar, start), average = tensor(1, size, scalar, start);
    Tensor other = tensor(1, 2, scalar, std::vector<double>{1, 2});  // has no average
    Tensor m = backend_->zeros(1, size, scalar), v = backend_->zeros(1, size, scalar);
    Tensor other_m = backend_->zeros(1, 2, scalar), other_v = backend_->zeros(1, 2, scalar);
    const Tensor none = backend_->zeros(1, 2, scalar);
    Tensor gradient = backend_->empty(1, size, scalar);
    const std::vector<AdamParameter> parameters = {{&other, &none, &other_m, &other_v},
                                                   {&value, &gradient, &m, &v, &average}};
    const double decay_of_step[] = {2.0 / 11, 3.0 / 12, 4.0 / 13};
    for (int step = 1; step <= 40; ++step) {
      const std::vector<double> g = random_values(size, step);
      backend_->upload(g, gradient);
      backend_->adam(parameters, options, step);
      const double decay = step <= 3 ? decay_of_step[step - 1] : std::min(0.75, (1.0 + step) / (10.0 + step));
      for (std::size_t i = 0; i < g.size(); ++i) {
        naive[i].step(g[i], options, step);
        expected[i] = decay * expected[i] + (1 - decay) * naive[i].value;
      }
    }
    test::expect_close(values(average), expected, scalar == Scalar::f32 ? 1e-4 : 1e-12);
    test::expect_close(values(other), {1, 2}, 1e-12);
  }
}

TEST_P(Adam, RefusesStepZeroAndOtherShapes) {
  Tensor value = backend_->zeros(1, 3, Scalar::f32), m = backend_->zeros(1, 3, Scalar::f32);
  Tensor v = backend_->zeros(1, 3, Scalar::f32);
  const Tensor good = backend_->zeros(1, 3, Scalar::f32), bad = backend_->zeros(3, 1, Scalar::f32);
  EXPECT_THROW(backend_->adam(std::vector<AdamParameter>{{&value, &good, &m, &v}}, {}, 0), InvalidArgument);
  EXPECT_THROW(backend_->adam(std::vector<AdamParameter>{{&value, &bad, &m, &v}}, {}, 1), InvalidArgument);
  Tensor average = backend_->zeros(3, 1, Scalar::f32);
  EXPECT_THROW(backend_->adam(std::vector<AdamParameter>{{&value, &good, &m, &v, &average}}, {}, 1),
               InvalidArgument);
}

KITH_ON_EVERY_DEVICE(Adam);

}  // namespace
}  // namespace kith
