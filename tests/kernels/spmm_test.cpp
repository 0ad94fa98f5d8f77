// cuSPARSE in the place of the kernels, on the emulated device: what it keeps for a block, and when it must
// not.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graph/errors.h"
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

class Spmm : public ::testing::TestWithParam<SparseAlgorithm> {
 protected:
  Spmm() { emulation::reset(); }
  ~Spmm() override { emulation::reset(); }

  std::unique_ptr<Backend> sparse() {
    return make_backend("cuda", {.use_cusparse = true, .sparse_algorithm = GetParam()});
  }

  static Tensor tensor(Backend& backend, std::int64_t rows, std::int64_t cols, Scalar scalar,
                       std::uint64_t seed) {
    Tensor x = backend.empty(rows, cols, scalar);
    backend.upload(random_values(rows * cols, seed), x);
    return x;
  }
  static std::vector<double> values(Backend& backend, const Tensor& x) {
    std::vector<double> result(static_cast<std::size_t>(x.size()));
    backend.download(x, result);
    return result;
  }

  /// One call forwards or backwards. Adds to a gradient that is there.
  static std::vector<double> call(Backend& backend, const DeviceBlock& block, bool is_weighted,
                                  std::int64_t cols, Scalar scalar, bool is_backward = false,
                                  std::uint64_t seed = 1, bool has_memo = true) {
    BlockCsrView view = block.view();
    if (!has_memo) view.memo = nullptr;
    if (is_backward) {
      Tensor grad = tensor(backend, view.num_sources, cols, scalar, 9);
      backend.aggregate_backward(view, block.weights(is_weighted),
                                 tensor(backend, view.num_destinations(), cols, scalar, seed), grad);
      return values(backend, grad);
    }
    Tensor out = backend.empty(view.num_destinations(), cols, scalar);
    backend.aggregate(view, block.weights(is_weighted), tensor(backend, view.num_sources, cols, scalar, seed),
                      out);
    return values(backend, out);
  }
};

INSTANTIATE_TEST_SUITE_P(Algorithms, Spmm,
                         ::testing::Values(SparseAlgorithm::row_major, SparseAlgorithm::preprocessed),
                         [](const auto& info) {
                           return info.param == SparseAlgorithm::row_major ? "row_major" : "preprocessed";
                         });

TEST_P(Spmm, AgreesWithTheKernelsHoweverOftenItIsCalled) {
  const auto own = make_backend("cuda");
  const auto rival = sparse();
  const Block no_edges{.num_sources = 2, .offsets = {0, 0, 0}, .sources = {}, .weights = {}};
  for (const Block& block : {random_block(60, 90, 500), random_block(3, 200, 1), no_edges}) {
    const DeviceBlock on_own(*own, block), on_rival(*rival, block);
    for (int round = 0; round < 2; ++round) {
      for (const std::int64_t cols : {7, 4}) {
        for (const Scalar scalar : {Scalar::f32, Scalar::f64}) {
          for (const bool is_weighted : {false, true}) {
            for (const bool is_backward : {false, true}) {
              const auto seed = static_cast<std::uint64_t>(round);  // other values, at other addresses
              expect_close(call(*rival, on_rival, is_weighted, cols, scalar, is_backward, seed),
                           call(*own, on_own, is_weighted, cols, scalar, is_backward, seed),
                           test::tolerance_of(scalar));
            }
          }
        }
      }
    }
  }
}

TEST_P(Spmm, RowsOfAGraphAgreeWithTheKernels) {
  const Block block = random_block(50, 50, 120);
  const std::vector<EdgeOffset> offsets(block.offsets.begin(), block.offsets.end());
  const auto rows = [&](Backend& backend, bool has_memo) {
    const DeviceArrays there =
        backend.to_device(std::span<const EdgeOffset>(offsets), std::span<const NodeId>(block.sources),
                          std::span<const float>(block.weights));
    backend.wait_for(there);
    const CsrView graph{there.get<EdgeOffset>(0), there.get<NodeId>(1), has_memo ? there.memo() : nullptr};
    std::vector<std::vector<double>> all;
    for (int round = 0; round < 2; ++round) {
      for (const bool is_weighted : {false, true}) {
        for (const NodeId first : {0, 20, 40}) {
          Tensor out = backend.empty(std::min(20, 50 - first), 5, Scalar::f32);
          const auto weights = is_weighted ? there.get<float>(2) : std::span<const float>();
          const Tensor x = tensor(backend, 50, 5, Scalar::f32, static_cast<std::uint64_t>(round));
          backend.aggregate_rows(graph, weights, first, x, out);
          all.push_back(values(backend, out));
          backend.aggregate_rows(graph, weights, first, {x.data<std::byte>(), 50, 5, FeatureType::f32}, out);
          all.push_back(values(backend, out));
        }
      }
    }
    return test::joined(all);
  };
  const std::vector<double> expected = rows(*make_backend("cuda"), false);
  expect_close(rows(*sparse(), true), expected, 2e-5);
  expect_close(rows(*sparse(), false), expected, 2e-5);
}

TEST_P(Spmm, ARepeatedCallIsTheProductAlone) {
  const auto backend = sparse();
  const DeviceBlock block(*backend, random_block(60, 90, 500));
  for (const bool is_backward : {false, true}) {
    const auto launches = [&](bool has_memo) {
      const std::int64_t before = emulation::num_launches();
      call(*backend, block, false, 7, Scalar::f32, is_backward, 1, has_memo);
      return emulation::num_launches() - before;
    };
    const std::int64_t cold = launches(false);
    EXPECT_GT(cold, 1);
    EXPECT_EQ(launches(true), cold) << "the first of a block";
    EXPECT_EQ(launches(true), 1);
    EXPECT_EQ(launches(false), cold) << "nothing is kept for a block without a memo";
  }
}

TEST_P(Spmm, WhatIsKeptGoesWithTheBlock) {
  const auto backend = sparse();
  const std::size_t handles = emulation::in_use().library_handles;
  {
    const DeviceBlock block(*backend, random_block(60, 90, 500));
    call(*backend, block, false, 7, Scalar::f32);
    EXPECT_EQ(emulation::in_use().library_handles, handles + 3);
    call(*backend, block, false, 7, Scalar::f32, true);
    call(*backend, block, false, 7, Scalar::f32);
    EXPECT_EQ(emulation::in_use().library_handles, handles + 6);
  }
  EXPECT_EQ(emulation::in_use().library_handles, handles);
}

TEST_P(Spmm, AnotherBlockAtTheSameAddressIsMultipliedAsItIs) {
  const auto backend = sparse();
  for (int round = 0; round < 3; ++round) {
    const Block block{.num_sources = 3, .offsets = {0, 1, 2}, .sources = {round, 2 - round}, .weights = {}};
    const DeviceBlock device_block(*backend, block);
    Tensor x = backend->empty(3, 1, Scalar::f32);
    backend->upload(std::vector<double>{1, 2, 3}, x);
    for (int again = 0; again < 2; ++again) {
      Tensor out = backend->empty(2, 1, Scalar::f32);
      backend->aggregate(device_block.view(), {}, x, out);
      EXPECT_EQ(values(*backend, out), (std::vector<double>{1.0 + round, 3.0 - round}));
      Tensor grad = backend->zeros(3, 1, Scalar::f32);
      backend->aggregate_backward(device_block.view(), {}, out, grad);
      std::vector<double> expected(3);
      expected[static_cast<std::size_t>(round)] += 1.0 + round;
      expected[static_cast<std::size_t>(2 - round)] += 3.0 - round;
      EXPECT_EQ(values(*backend, grad), expected);
    }
  }
}

TEST_P(Spmm, ABlockOfFewerRowsOfTheSameArraysIsNotTaken) {
  const auto backend = sparse();
  const Block block{.num_sources = 3, .offsets = {0, 2, 3}, .sources = {0, 1, 2}, .weights = {}};
  const DeviceBlock device_block(*backend, block);
  BlockCsrView first_row = device_block.view();
  first_row.offsets = first_row.offsets.first(2);
  first_row.sources = first_row.sources.first(2);
  first_row.num_sources = 2;
  Tensor x = backend->empty(3, 1, Scalar::f32);
  backend->upload(std::vector<double>{1, 2, 7}, x);
  for (int round = 0; round < 2; ++round) {
    Tensor out = backend->empty(2, 1, Scalar::f32);
    backend->aggregate(device_block.view(), {}, x, out);
    EXPECT_EQ(values(*backend, out), (std::vector<double>{1.5, 7}));
    Tensor first = backend->empty(1, 1, Scalar::f32);
    backend->aggregate(first_row, {}, x.view_rows(0, 2), first);
    EXPECT_EQ(values(*backend, first), (std::vector<double>{1.5}));
  }
}

TEST_P(Spmm, WeightsMayChangeBetweenCalls) {
  const auto backend = sparse();
  const Block block{.num_sources = 2, .offsets = {0, 2}, .sources = {0, 1}, .weights = {}};
  const DeviceBlock device_block(*backend, block);
  for (const Scalar scalar : {Scalar::f32, Scalar::f64}) {
    Tensor x = backend->empty(2, 1, scalar);
    backend->upload(std::vector<double>{1, 10}, x);
    Tensor weights = backend->empty(1, 2, Scalar::f32);
    for (const double weight : {2.0, 3.0}) {
      backend->fill(weights, weight);
      Tensor out = backend->empty(1, 1, scalar);
      backend->aggregate(device_block.view(), weights.values<float>(), x, out);
      EXPECT_EQ(values(*backend, out), (std::vector<double>{11 * weight}));
      Tensor grad = backend->zeros(2, 1, scalar);
      backend->aggregate_backward(device_block.view(), weights.values<float>(), out, grad);
      EXPECT_EQ(values(*backend, grad), std::vector<double>(2, 11 * weight * weight));
    }
  }
}

}  // namespace
}  // namespace kith
