// What only the emulated CUDA device can show of the operations: other measures of a device, and cuSPARSE.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/kernels/blocks.h"
#include "tests/kernels/on_device.h"
#include "tests/support/cuda/emulation.h"

namespace kith {
namespace {

using test::Block;
using test::DeviceBlock;
using test::expect_close;
using test::random_block;
using test::random_values;

class CudaOps : public ::testing::Test {
 protected:
  ~CudaOps() override { emulation::reset(); }

  /// The mean over `block`, forwards, by a backend with `options`.
  std::vector<double> mean(const Block& block, bool is_weighted, const std::vector<double>& x, Scalar scalar,
                           const BackendOptions& options = {}) {
    const auto backend = make_backend("cuda", options);
    const DeviceBlock device_block(*backend, block);
    const std::int64_t dim = static_cast<std::int64_t>(x.size()) / block.num_sources;
    Tensor source = backend->empty(block.num_sources, dim, scalar);
    backend->upload(x, source);
    Tensor out = backend->empty(block.num_destinations(), dim, scalar);
    backend->aggregate(device_block.view(), device_block.weights(is_weighted), source, out);
    std::vector<double> result(static_cast<std::size_t>(out.size()));
    backend->download(out, result);
    return result;
  }
};

TEST_F(CudaOps, TilesOfTheCacheChangeNoBit) {
  // Rows that are no hubs are summed in the order of their edges, whatever the tile.
  const Block block = random_block(60, 50, 100);
  for (const std::int64_t dim : {128, 300, 602}) {
    const std::vector<double> x = random_values(block.num_sources * dim, 1);
    const std::vector<double> whole = mean(block, false, x, Scalar::f32);
    for (const int l2_bytes : {2 * 50 * 128, 2 * 50 * 256, 1000}) {
      emulation::properties().l2CacheSize = l2_bytes;
      EXPECT_EQ(mean(block, false, x, Scalar::f32), whole) << dim << " columns, cache of " << l2_bytes;
    }
    emulation::reset();
  }
}

TEST_F(CudaOps, CuSparseAgreesWithTheKernels) {
  const Block no_edges{.num_sources = 2, .offsets = {0, 0, 0}, .sources = {}, .weights = {}};
  for (const Block& block : {random_block(60, 90, 500), random_block(3, 200, 1), no_edges}) {
    for (const Scalar scalar : {Scalar::f32, Scalar::f64}) {
      for (const bool is_weighted : {false, true}) {
        const std::vector<double> x = random_values(block.num_sources * std::int64_t{7}, 1);
        expect_close(mean(block, is_weighted, x, scalar, {.use_cusparse = true}),
                     mean(block, is_weighted, x, scalar), test::tolerance_of(scalar));
      }
    }
  }
}

TEST_F(CudaOps, CuSparseTakesAnotherBlockAtTheSameAddress) {
  // Buffers come back at the addresses of the ones before: nothing may be kept for an address.
  const auto backend = make_backend("cuda", {.use_cusparse = true});
  for (int round = 0; round < 3; ++round) {
    const Block block{.num_sources = 3, .offsets = {0, 1, 2}, .sources = {round, 2 - round}, .weights = {}};
    const DeviceBlock device_block(*backend, block);
    Tensor x = backend->empty(3, 1, Scalar::f32);
    backend->upload(std::vector<double>{1, 2, 3}, x);
    Tensor out = backend->empty(2, 1, Scalar::f32);
    backend->aggregate(device_block.view(), {}, x, out);
    std::vector<double> result(2);
    backend->download(out, result);
    EXPECT_EQ(result, (std::vector<double>{1.0 + round, 3.0 - round}));
  }
}

TEST_F(CudaOps, Tf32RoundsTheFactorsOfProductsWhereItIsAskedFor) {
  const auto product = [](Scalar scalar, const BackendOptions& options) {
    const auto backend = make_backend("cuda", options);
    Tensor a = backend->empty(1, 1, scalar), b = backend->empty(1, 1, scalar), c = backend->empty(1, 1, scalar);
    backend->upload(std::vector<double>{1 + 0x1p-12}, a);  // one bit more than TF32 keeps
    backend->upload(std::vector<double>{1}, b);
    backend->matmul(a, false, b, false, 0, c);
    std::vector<double> value(1);
    backend->download(c, value);
    return value[0];
  };
  EXPECT_EQ(product(Scalar::f32, {}), 1 + 0x1p-12);
  EXPECT_EQ(product(Scalar::f32, {.allow_tf32 = true}), 1);
  EXPECT_EQ(product(Scalar::f64, {.allow_tf32 = true}), 1 + 0x1p-12);
}

}  // namespace
}  // namespace kith
