#include <gtest/gtest.h>

#include "graph/errors.h"
#include "tests/kernels/on_device.h"

namespace kith {
namespace {

using test::random_values;

class Loss : public test::OnDevice {
 protected:
  LossResult loss_of(const Tensor& logits, const std::vector<std::int32_t>& labels,
                     Tensor* gradient = nullptr) {
    const DeviceArrays on_device = backend_->to_device(std::span<const std::int32_t>(labels));
    Tensor totals = backend_->zero_loss();
    backend_->wait_for(on_device);
    backend_->softmax_cross_entropy(logits, on_device.get<std::int32_t>(0), gradient, totals);
    return backend_->read_loss(totals);
  }
};

TEST_P(Loss, KnowsUniformLogits) {
  const Tensor logits = backend_->zeros(2, 4, Scalar::f64);
  Tensor gradient = backend_->empty(2, 4, Scalar::f64);
  const std::vector<std::int32_t> labels{0, 3};
  const LossResult result = loss_of(logits, labels, &gradient);
  EXPECT_NEAR(result.loss, 2 * std::log(4.0), 1e-12);
  EXPECT_EQ(result.counted, 2);
  EXPECT_EQ(result.correct, 1);  // the first of equal logits counts
  test::expect_close(values(gradient), {-0.375, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125, -0.375}, 1e-12);
}

TEST_P(Loss, StaysFiniteForHugeLogits) {
  const Tensor logits = tensor(2, 2, Scalar::f32, std::vector<double>{1e30, -1e30, 1000, 1001});
  Tensor gradient = backend_->empty(2, 2, Scalar::f32);
  const std::vector<std::int32_t> labels{0, 1};
  const LossResult result = loss_of(logits, labels, &gradient);
  EXPECT_NEAR(result.loss, std::log1p(std::exp(-1.0)), 1e-4);
  EXPECT_EQ(result.correct, 2);
  for (const double value : values(gradient)) {
    EXPECT_TRUE(std::isfinite(value));
  }
}

TEST_P(Loss, LeavesOutRowsWithoutALabel) {
  const Tensor logits = tensor(3, 2, Scalar::f64, std::vector<double>{5, 1, 0, 0, 7, -2});
  Tensor gradient = backend_->empty(3, 2, Scalar::f64);
  backend_->fill(gradient, 9);
  const std::vector<std::int32_t> labels{kNoLabel, 1, kNoLabel};
  const LossResult result = loss_of(logits, labels, &gradient);
  EXPECT_NEAR(result.loss, std::log(2.0), 1e-12);
  EXPECT_EQ(result.counted, 1);
  test::expect_close(values(gradient), {0, 0, 0.5, -0.5, 0, 0}, 1e-12);
  const std::vector<std::int32_t> none(3, kNoLabel);
  const LossResult nothing = loss_of(logits, none, &gradient);
  EXPECT_EQ(nothing.loss, 0);
  EXPECT_EQ(nothing.counted, 0);
  EXPECT_EQ(values(gradient), std::vector<double>(6, 0));
}

TEST_P(Loss, GradientAgreesWithFiniteDifferences) {
  const std::vector<double> x = random_values(5 * 7, 1);
  const std::vector<std::int32_t> labels{3, kNoLabel, 0, 6, 2};
  Tensor gradient = backend_->empty(5, 7, Scalar::f64);
  loss_of(tensor(5, 7, Scalar::f64, x), labels, &gradient);
  const std::vector<double> got = values(gradient);
  constexpr double kStep = 1e-5;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto mean_loss = [&](double change) {
      std::vector<double> moved = x;
      moved[i] += change;
      const LossResult result = loss_of(tensor(5, 7, Scalar::f64, moved), labels);
      return result.loss / static_cast<double>(result.counted);
    };
    EXPECT_NEAR(got[i], (mean_loss(kStep) - mean_loss(-kStep)) / (2 * kStep), 1e-9);
  }
}

TEST_P(Loss, GivesTheSameBitsForAnyNumberOfThreads) {
  const Tensor logits = tensor(5000, 7, Scalar::f32, random_values(5000 * 7, 1));
  std::vector<std::int32_t> labels(5000);
  for (int i = 0; i < 5000; ++i) {
    labels[i] = i % 8 - 1;
  }
  expect_same_bits_for_any_threads([&] {
    Tensor gradient = backend_->empty(5000, 7, Scalar::f32);
    const LossResult result = loss_of(logits, labels, &gradient);
    std::vector<double> all = values(gradient);
    all.push_back(result.loss);
    return all;
  });
}

TEST_P(Loss, AddsUpOverBatches) {
  const Tensor logits = tensor(2, 2, Scalar::f64, std::vector<double>{0, 0, 3, 3});
  const std::vector<std::int32_t> labels{0, 1};
  const DeviceArrays on_device = backend_->to_device(std::span<const std::int32_t>(labels));
  Tensor totals = backend_->zero_loss();
  backend_->wait_for(on_device);
  for (int i = 0; i < 3; ++i) {
    backend_->softmax_cross_entropy(logits, on_device.get<std::int32_t>(0), nullptr, totals);
  }
  const LossResult result = backend_->read_loss(totals);
  EXPECT_NEAR(result.loss, 6 * std::log(2.0), 1e-12);
  EXPECT_EQ(result.correct, 3);
  EXPECT_EQ(result.counted, 6);
}

TEST_P(Loss, RefusesOtherShapes) {
  const Tensor logits = backend_->zeros(1, 3, Scalar::f32);
  EXPECT_THROW(loss_of(logits, {0, 0}), InvalidArgument);
  Tensor gradient = backend_->zeros(1, 2, Scalar::f32);
  EXPECT_THROW(loss_of(logits, {0}, &gradient), InvalidArgument);
}

TEST(LossOnTheCpu, RefusesLabelsThatAreNoClass) {
  const auto backend = make_cpu_backend();
  const Tensor logits = backend->zeros(1, 3, Scalar::f32);
  Tensor totals = backend->zero_loss();
  for (const std::int32_t label : {3, -2}) {
    EXPECT_THROW(backend->softmax_cross_entropy(logits, std::vector<std::int32_t>{label}, nullptr, totals),
                 InvalidArgument);
  }
}

KITH_ON_EVERY_DEVICE(Loss);

}  // namespace
}  // namespace kith
