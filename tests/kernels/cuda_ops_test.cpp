// What only the emulated CUDA device can show of the operations: other measures of a device, and launches.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "tests/kernels/blocks.h"
#include "tests/kernels/on_device.h"
#include "tests/support/cuda/emulation.h"

namespace kith {
namespace {

using test::Block;
using test::DeviceBlock;
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
  const Block block = random_block(60, 50, 1000);
  for (const std::int64_t dim : {128, 300, 602}) {
    std::vector<double> x = random_values(block.num_sources * dim, 1);
    for (double& value : x) value /= 3;  // sums are rounded, so that another order shows
    const std::vector<double> whole = mean(block, false, x, Scalar::f32);
    for (const int l2_bytes : {2 * 50 * 128, 2 * 50 * 256, 1000}) {
      emulation::properties().l2CacheSize = l2_bytes;
      EXPECT_EQ(mean(block, false, x, Scalar::f32), whole) << dim << " columns, cache of " << l2_bytes;
    }
    emulation::reset();
  }
}

TEST_F(CudaOps, OperationsOnABlockSortItOnce) {
  const Block block = random_block(60, 90, 500);
  const auto backend = make_backend("cuda");
  const DeviceBlock device_block(*backend, block);
  const auto tensor = [&](std::int64_t rows, std::int64_t cols) {
    Tensor x = backend->empty(rows, cols, Scalar::f32);
    backend->upload(random_values(rows * cols, 1), x);
    return x;
  };
  const Tensor weights = tensor(block.num_edges(), 2);
  const Tensor grad_out = tensor(block.num_destinations(), 6);
  /// The gradients of attention over the first rows of the arrays, and how many launches they took.
  const auto gradients = [&](std::int64_t num_rows, bool has_memo) {
    BlockCsrView view = device_block.view();
    view.offsets = view.offsets.first(static_cast<std::size_t>(num_rows) + 1);
    view.sources = view.sources.first(static_cast<std::size_t>(block.offsets[num_rows]));
    if (!has_memo) view.memo = nullptr;
    Tensor grad_x = backend->zeros(block.num_sources, 6, Scalar::f32);
    Tensor at_source = backend->zeros(block.num_sources, 2, Scalar::f32);
    Tensor at_destination = backend->zeros(num_rows, 2, Scalar::f32);
    const Tensor edge_weights = weights.view_rows(0, view.num_edges());
    const std::int64_t before = emulation::num_launches();
    backend->aggregate_heads_backward(view, edge_weights, grad_out.view_rows(0, num_rows), grad_x);
    backend->edge_scores_backward(view, 0.2, edge_weights, edge_weights,
                                  {.at_source = &at_source, .at_destination = &at_destination});
    std::vector<std::vector<double>> values;
    for (const Tensor* gradient : {&grad_x, &at_source, &at_destination}) {
      backend->download(*gradient, values.emplace_back(static_cast<std::size_t>(gradient->size())));
    }
    return std::pair(test::joined(values), emulation::num_launches() - before);
  };
  const auto [expected, twice] = gradients(60, false);
  const auto [once_values, once] = gradients(60, true);
  const auto [again_values, never] = gradients(60, true);
  EXPECT_EQ(once_values, expected);
  EXPECT_EQ(again_values, expected);
  EXPECT_GT(once - never, 0) << "a sort";
  EXPECT_EQ(twice - once, once - never) << "the other one";
  // The block of another layer: fewer rows of the same arrays.
  EXPECT_EQ(gradients(20, true).first, gradients(20, false).first);
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
