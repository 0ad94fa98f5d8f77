// Op tests run on every device that this build can compute on.
#pragma once

#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/backend.h"
#include "tests/kernels/blocks.h"

namespace kith::test {

/// A block where the operations of `backend` can read it. `block` must outlive it: the CPU reads in place.
class DeviceBlock {
 public:
  DeviceBlock(Backend& backend, const Block& block)
      : num_sources_(block.num_sources),
        arrays_(backend.to_device(std::span<const std::int32_t>(block.offsets),
                                  std::span<const std::int32_t>(block.sources),
                                  std::span<const float>(block.weights))) {
    backend.wait_for(arrays_);
  }

  BlockCsrView view() const {
    return {num_sources_, arrays_.get<std::int32_t>(0), arrays_.get<std::int32_t>(1), arrays_.memo()};
  }
  std::span<const float> weights(bool is_weighted = true) const {
    return is_weighted ? arrays_.get<float>(2) : std::span<const float>();
  }

 private:
  std::int32_t num_sources_;
  DeviceArrays arrays_;
};

/// Integers that an operation writes and another one reads, as the bits of an f32 tensor: so they can be filled
/// and downloaded like one.
class DeviceInts {
 public:
  DeviceInts(Backend& backend, std::int64_t count)
      : backend_(backend), bits_(backend.empty(1, count, Scalar::f32)) {
    backend.fill(bits_, 77);
  }

  operator std::span<std::int32_t>() { return bits_.values<std::int32_t>(); }
  operator std::span<const std::int32_t>() const { return bits_.values<std::int32_t>(); }
  std::vector<std::int32_t> values() const {
    std::vector<double> numbers(static_cast<std::size_t>(bits_.size()));
    backend_.download(bits_, numbers);
    std::vector<std::int32_t> result;
    for (const double number : numbers)
      result.push_back(std::bit_cast<std::int32_t>(static_cast<float>(number)));
    return result;
  }

 private:
  Backend& backend_;
  Tensor bits_;
};

/// A backend of the device that the parameter names, and short ways to move values.
class OnDevice : public ::testing::TestWithParam<std::string> {
 protected:
  Tensor tensor(std::int64_t rows, std::int64_t cols, Scalar scalar, std::span<const double> values) {
    Tensor x = backend_->empty(rows, cols, scalar);
    backend_->upload(values, x);
    return x;
  }

  DeviceBlock on_device(const Block& block) { return DeviceBlock(*backend_, block); }

  /// Arrays where the operations can read them. They must outlive the result.
  template <typename... Ts>
  DeviceArrays to_device(const std::vector<Ts>&... arrays) {
    DeviceArrays there = backend_->to_device(std::span<const Ts>(arrays)...);
    backend_->wait_for(there);
    return there;
  }

  std::vector<double> values(const Tensor& x) {
    std::vector<double> result(static_cast<std::size_t>(x.size()));
    backend_->download(x, result);
    return result;
  }

  /// What `run` returns with one thread; fails unless four threads give the same bits.
  template <typename Run>
  void expect_same_bits_for_any_threads(const Run& run) {
    const auto with_threads = [&](std::size_t threads) {
      const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
      return run();
    };
    const std::vector<double> one = with_threads(1);
    EXPECT_EQ(one, with_threads(2));
    EXPECT_EQ(one, with_threads(4));
  }

  std::unique_ptr<Backend> backend_ = make_backend(GetParam());
};

/// Values in [-1, 1) that binary32 holds exactly.
inline std::vector<double> random_values(std::int64_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<double> result(static_cast<std::size_t>(count));
  for (double& value : result) {
    value = static_cast<double>(static_cast<std::int64_t>(random() % 2001) - 1000) / 1024;
  }
  return result;
}

/// Fails unless all values agree within `tolerance`, absolute and relative.
inline void expect_close(const std::vector<double>& got, const std::vector<double>& expected, double tolerance,
                         const std::string& what = "") {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], expected[i], tolerance * (1 + std::abs(expected[i]))) << what << " at " << i;
  }
}

/// All values, one vector after another.
inline std::vector<double> joined(const std::vector<std::vector<double>>& parts) {
  std::vector<double> all;
  for (const std::vector<double>& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

/// Fails unless `gradient` is that of <direction, run(x)> by x, by central differences. run: vector to vector.
template <typename Run>
void expect_gradient(std::vector<double> x, const std::vector<double>& direction,
                     const std::vector<double>& gradient, const Run& run) {
  constexpr double kStep = 1e-5;
  const auto objective_at = [&](std::size_t i, double value) {
    const double before = std::exchange(x[i], value);
    const std::vector<double> out = run(x);
    x[i] = before;
    return std::inner_product(out.begin(), out.end(), direction.begin(), 0.0);
  };
  ASSERT_EQ(gradient.size(), x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double slope = (objective_at(i, x[i] + kStep) - objective_at(i, x[i] - kStep)) / (2 * kStep);
    ASSERT_NEAR(gradient[i], slope, 1e-8 * (1 + std::abs(slope))) << "at " << i;
  }
}

inline double tolerance_of(Scalar scalar) { return scalar == Scalar::f32 ? 2e-5 : 1e-12; }

}  // namespace kith::test

#define KITH_ON_EVERY_DEVICE(suite)                                                          \
  INSTANTIATE_TEST_SUITE_P(Devices, suite, ::testing::ValuesIn(::kith::available_devices()), \
                           [](const auto& info) { return info.param; })
