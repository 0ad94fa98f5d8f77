#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>

#include "graph/errors.h"
#include "kernels/cpu/buffer_pool.h"
#include "tests/kernels/on_device.h"

namespace kith {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

class Device : public test::OnDevice {};

TEST_P(Device, MakesTheBackendOfThatName) { EXPECT_EQ(backend_->name(), GetParam()); }

TEST_P(Device, MovesValuesThereAndBack) {
  for (const Scalar scalar : {Scalar::f32, Scalar::f64}) {
    Tensor x = backend_->zeros(2, 3, scalar);
    EXPECT_EQ(values(x), std::vector<double>(6, 0));
    const std::vector<double> numbers{1, -2, 3.5, 0, 0.25, 6};
    backend_->upload(numbers, x);
    const Tensor copy = backend_->clone(x);
    backend_->fill(x, 7);
    EXPECT_EQ(values(copy), numbers);
    EXPECT_EQ(values(x), std::vector<double>(6, 7));
    EXPECT_THROW(backend_->upload(std::vector<double>(5), x), InvalidArgument);
    Tensor other = backend_->zeros(3, 2, scalar);
    EXPECT_THROW(backend_->copy(x, other), InvalidArgument);
  }
  EXPECT_THROW(backend_->empty(-1, 2, Scalar::f32), InvalidArgument);
  EXPECT_EQ(backend_->zeros(0, 5, Scalar::f32).size(), 0);
}

TEST_P(Device, TensorsMayOutliveTheirBackend) {
  auto backend = make_backend(GetParam());
  Tensor x = backend->zeros(10, 10, Scalar::f32);
  const Tensor gone = backend->zeros(10, 10, Scalar::f32);
  backend.reset();
  backend_->fill(x, 2);
  EXPECT_EQ(values(x), std::vector<double>(100, 2));
}

KITH_ON_EVERY_DEVICE(Device);

TEST(Devices, AlwaysIncludeTheCpu) {
  EXPECT_THAT(available_devices(), Contains("cpu"));
  EXPECT_NO_THROW(make_backend("auto"));
}

TEST(Devices, IncludeCudaWhereTheEnvironmentSaysSo) {
  const char* const required = std::getenv("KITH_REQUIRE_CUDA");
  if (required == nullptr || std::string_view(required) != "1") GTEST_SKIP() << "KITH_REQUIRE_CUDA is not 1";
  EXPECT_THAT(available_devices(), Contains("cuda"));
}

TEST(Devices, RefuseUnknownAndMissingOnes) {
  EXPECT_THROW(make_backend("tpu"), InvalidArgument);
  EXPECT_THROW(make_backend(""), InvalidArgument);
  EXPECT_THROW(make_backend("cpu", {.allow_tf32 = true}), InvalidArgument);
  EXPECT_THROW(make_backend("cpu", {.use_cusparse = true}), InvalidArgument);
  if (num_cuda_devices() > 0) return;
  try {
    make_backend("cuda");
    FAIL() << "there is no device";
  } catch (const DeviceError& error) {
    EXPECT_THAT(error.what(), HasSubstr("--device cuda: no CUDA device ("));
  }
}

/// Closes the pool when the test ends.
struct Close {
  void operator()(cpu::BufferPool* pool) const { pool->close(); }
};
using Pool = std::unique_ptr<cpu::BufferPool, Close>;

TEST(BufferPool, ReusesWhatComesBackForSizesThatAreAlike) {
  const Pool pool(cpu::BufferPool::create({}));
  std::byte* const first = pool->acquire(1000).get();
  EXPECT_EQ(pool->live_bytes(), 0U);
  const Tensor::Buffer again = pool->acquire(990);
  EXPECT_EQ(again.get(), first);
  const Tensor::Buffer other = pool->acquire(990);
  EXPECT_NE(other.get(), first);
}

TEST(BufferPool, NeverHoldsAQuarterMoreThanTheMostThatWasLive) {
  const Pool pool(cpu::BufferPool::create({}));
  std::size_t peak = 0;
  std::mt19937_64 random(1);
  std::vector<Tensor::Buffer> live;
  for (int i = 0; i < 2000; ++i) {
    if (live.size() < 10 && random() % 2 == 0) {
      live.push_back(pool->acquire(random() % 100'000));
    } else if (!live.empty()) {
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(random() % live.size()));
    }
    peak = std::max(peak, pool->live_bytes());
    ASSERT_LE(pool->live_bytes() + pool->kept_bytes(), peak + peak / 4);
  }
  EXPECT_GT(pool->kept_bytes(), 0U);
}

TEST(BufferPool, AlignsToTheCacheLineAndToHugePages) {
  const Pool pool(cpu::BufferPool::create({}));
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{65}, std::size_t{3} << 20}) {
    const Tensor::Buffer buffer = pool->acquire(bytes);
    const std::size_t alignment = bytes >= std::size_t{2} << 20 ? std::size_t{2} << 20 : 64;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.get()) % alignment, 0U);
  }
}

}  // namespace
}  // namespace kith
