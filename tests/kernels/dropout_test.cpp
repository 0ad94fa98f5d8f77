#include <Random123/philox.h>
#include <gtest/gtest.h>

#include "graph/errors.h"
#include "kernels/dropout_mask.h"
#include "tests/kernels/on_device.h"

namespace kith {
namespace {

using test::random_values;

class DropoutTest : public test::OnDevice {
 protected:
  /// The mask over `size` elements: 1 where kept.
  std::vector<double> mask(const Dropout& dropout, std::int64_t size) {
    Tensor x = backend_->empty(1, size, Scalar::f64);
    backend_->fill(x, 1 - dropout.rate);
    backend_->relu_dropout(dropout, x);
    return values(x);
  }
};

double share_of_equal(const std::vector<double>& a, const std::vector<double>& b) {
  double equal = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    equal += a[i] == b[i] ? 1 : 0;
  }
  return equal / static_cast<double>(a.size());
}

TEST_P(DropoutTest, RateZeroIsReluAloneAndKeepsNan) {
  Tensor x = tensor(1, 5, Scalar::f32, std::vector<double>{-1, 0, 2, -0.5, NAN});
  backend_->relu_dropout({}, x);
  const std::vector<double> got = values(x);
  EXPECT_EQ(std::vector<double>(got.begin(), got.begin() + 4), (std::vector<double>{0, 0, 2, 0}));
  EXPECT_TRUE(std::isnan(got[4]));
}

TEST_P(DropoutTest, DrawsAreThoseOfRandom123) {
  const Dropout dropout{
      .rate = 0.3, .seed = 0x123456789abcdef, .step = (std::int64_t{5} << 32) + 77, .layer = 2};
  const std::vector<double> got = mask(dropout, 1500);
  const std::uint64_t key = dropout.seed ^ kDropoutKey;
  const auto threshold = static_cast<std::uint32_t>(std::lround(0.3 * 65536));
  for (std::uint32_t i = 0; i < got.size(); ++i) {
    const std::uint32_t word = i % 512 / 128, half = i % 128 / 64, call = i / 512 * 64 + i % 64;
    const auto draws = r123::Philox4x32()(
        {{call, 5U << 16, 77, 2}}, {{static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)}});
    const bool is_kept = (draws[word] >> 16 * half & 0xffff) >= threshold;
    ASSERT_NEAR(got[i], is_kept ? 1 : 0, 1e-12) << i;
  }
}

TEST_P(DropoutTest, KeepsTheRightShareAndIndependentlyOfItsNeighbours) {
  constexpr std::int64_t kSize = 1 << 18;
  for (const double rate : {0.1, 0.5, 0.9}) {
    const std::vector<double> got = mask({.rate = rate, .seed = 3}, kSize);
    double kept = 0;
    for (const double value : got) {
      kept += value != 0 ? 1 : 0;
    }
    const double keep = 1 - rate;
    const double deviation = std::sqrt(keep * rate / kSize);
    EXPECT_NEAR(kept / kSize, keep, 5 * deviation);
    for (const std::int64_t lag : {1, 2, 8, 64, 128, 256, 512}) {
      double both = 0;
      for (std::int64_t i = 0; i + lag < kSize; ++i) {
        both += got[i] != 0 && got[i + lag] != 0 ? 1 : 0;
      }
      EXPECT_NEAR(both / static_cast<double>(kSize - lag), keep * keep, 8 * deviation) << "lag " << lag;
    }
  }
}

TEST_P(DropoutTest, MaskDependsOnSeedStepAndLayerAlone) {
  const Dropout base{.rate = 0.5, .seed = 1, .step = 1, .layer = 1};
  const std::vector<double> first = mask(base, 40'000);
  EXPECT_EQ(first, mask(base, 40'000));
  const std::vector<double> prefix = mask(base, 333);
  EXPECT_EQ(prefix, std::vector<double>(first.begin(), first.begin() + 333));
  for (const Dropout& other : {Dropout{.rate = 0.5, .seed = 2, .step = 1, .layer = 1},
                               Dropout{.rate = 0.5, .seed = 1, .step = 2, .layer = 1},
                               Dropout{.rate = 0.5, .seed = 1, .step = 1, .layer = 2}}) {
    EXPECT_NEAR(share_of_equal(first, mask(other, 40'000)), 0.5, 0.0125);
  }
}

TEST_P(DropoutTest, BackwardIsTheDerivativeOfForward) {
  const Dropout dropout{.rate = 0.25, .seed = 9, .step = 4};
  const std::vector<double> x = random_values(700, 1);
  Tensor y = tensor(7, 100, Scalar::f64, x);
  backend_->relu_dropout(dropout, y);
  const std::vector<double> forward = values(y);
  Tensor grad = backend_->empty(7, 100, Scalar::f64);
  backend_->fill(grad, 3);
  backend_->relu_dropout_backward(dropout, y, grad);
  const std::vector<double> got = values(grad);
  int dropped = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    ASSERT_TRUE(forward[i] == 0 || std::abs(forward[i] - x[i] / 0.75) < 1e-12) << i;
    ASSERT_NEAR(got[i], forward[i] > 0 ? 4 : 0, 1e-12) << i;
    dropped += x[i] > 0 && forward[i] == 0 ? 1 : 0;
  }
  EXPECT_GT(dropped, 40);
  EXPECT_LT(dropped, 140);
}

TEST_P(DropoutTest, GivesTheSameBitsForAnyNumberOfThreads) {
  expect_same_bits_for_any_threads([&] { return mask({.rate = 0.4, .seed = 8}, 100'001); });
}

TEST_P(DropoutTest, RefusesARateOutsideZeroToOne) {
  Tensor x = backend_->zeros(1, 1, Scalar::f32);
  EXPECT_THROW(backend_->relu_dropout({.rate = 1}, x), InvalidArgument);
  EXPECT_THROW(backend_->relu_dropout({.rate = -0.1}, x), InvalidArgument);
}

TEST_P(DropoutTest, AddsTheBiasFirst) {
  for (const Scalar scalar : {Scalar::f32, Scalar::f64}) {
    for (const double rate : {0.0, 0.5}) {
      constexpr std::int64_t kRows = 301, kCols = 37;
      const std::vector<double> x = random_values(kRows * kCols, 1);
      const std::vector<double> bias = random_values(kCols, 2);
      const Dropout dropout{.rate = rate, .seed = 3, .step = 4, .layer = 1};
      Tensor expected = tensor(kRows, kCols, scalar, x);
      backend_->add_bias(tensor(1, kCols, scalar, bias), expected);
      backend_->relu_dropout(dropout, expected);
      Tensor got = tensor(kRows, kCols, scalar, x);
      const Tensor column_bias = tensor(1, kCols, scalar, bias);
      backend_->bias_relu_dropout(&column_bias, dropout, got);
      EXPECT_EQ(values(got), values(expected));
    }
  }
  Tensor x = backend_->zeros(2, 3, Scalar::f32);
  const Tensor narrow = backend_->zeros(1, 2, Scalar::f32);
  EXPECT_THROW(backend_->bias_relu_dropout(&narrow, {}, x), InvalidArgument);
}

KITH_ON_EVERY_DEVICE(DropoutTest);

}  // namespace
}  // namespace kith
