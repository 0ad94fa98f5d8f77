#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <random>

#include "graph/errors.h"
#include "tests/kernels/on_device.h"

namespace kith {
namespace {

using test::expect_close;
using test::random_values;
using test::tolerance_of;

class Aggregate : public test::OnDevice {};

/// Owns a block; every edge has a weight.
struct Block {
  std::int32_t num_sources = 0;
  std::vector<std::int32_t> offsets{0}, sources;
  std::vector<float> weights;

  BlockCsrView view() const { return {num_sources, offsets, sources}; }
  std::int64_t num_destinations() const { return view().num_destinations(); }
};

/// Empty rows, short rows with duplicates, and a hub as row 1.
Block random_block(std::int32_t num_destinations, std::int32_t num_sources, std::int32_t hub_degree) {
  std::mt19937_64 random(5);
  Block block;
  block.num_sources = num_sources;
  for (std::int32_t v = 0; v < num_destinations; ++v) {
    const std::int64_t degree = v == 1 ? hub_degree : static_cast<std::int64_t>(random() % 7);
    for (std::int64_t i = 0; i < degree; ++i) {
      block.sources.push_back(static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(num_sources)));
      block.weights.push_back(static_cast<float>(random() % 64) / 32 - 1);
    }
    block.offsets.push_back(static_cast<std::int32_t>(block.sources.size()));
  }
  return block;
}

double weight(const Block& block, bool is_weighted, std::int64_t v, std::int32_t e) {
  return is_weighted ? block.weights[e] : 1.0 / (block.offsets[v + 1] - block.offsets[v]);
}

std::vector<double> naive(const Block& block, bool is_weighted, const std::vector<double>& x,
                          std::int64_t dim) {
  std::vector<double> out(static_cast<std::size_t>(block.num_destinations() * dim));
  for (std::int64_t v = 0; v < block.num_destinations(); ++v) {
    for (std::int32_t e = block.offsets[v]; e < block.offsets[v + 1]; ++e) {
      for (std::int64_t j = 0; j < dim; ++j) {
        out[v * dim + j] += weight(block, is_weighted, v, e) * x[block.sources[e] * dim + j];
      }
    }
  }
  return out;
}

std::vector<double> naive_backward(const Block& block, bool is_weighted, const std::vector<double>& grad_out,
                                   std::int64_t dim, double before) {
  std::vector<double> grad(static_cast<std::size_t>(block.num_sources * dim), before);
  for (std::int64_t v = 0; v < block.num_destinations(); ++v) {
    for (std::int32_t e = block.offsets[v]; e < block.offsets[v + 1]; ++e) {
      for (std::int64_t j = 0; j < dim; ++j) {
        grad[block.sources[e] * dim + j] += weight(block, is_weighted, v, e) * grad_out[v * dim + j];
      }
    }
  }
  return grad;
}

std::span<const float> weights_of(const Block& block, bool is_weighted) {
  return is_weighted ? std::span<const float>(block.weights) : std::span<const float>();
}

TEST_P(Aggregate, TakesTheMeanOfATinyBlock) {
  const Block block{.num_sources = 3, .offsets = {0, 1, 3, 3}, .sources = {2, 0, 2}, .weights = {}};
  const Tensor x = tensor(3, 2, Scalar::f32, std::vector<double>{1, 10, 2, 20, 3, 30});
  Tensor out = backend_->empty(3, 2, Scalar::f32);
  backend_->aggregate(block.view(), {}, x, out);
  EXPECT_EQ(values(out), (std::vector<double>{3, 30, 2, 20, 0, 0}));
}

TEST_P(Aggregate, AgreesWithALoopForwardsAndBackwards) {
  const Block block = random_block(60, 90, 500);
  for (const std::int64_t dim : {1, 3, 7, 16, 100, 257, 1030}) {
    const std::vector<double> x = random_values(block.num_sources * dim, 1);
    const std::vector<double> g = random_values(block.num_destinations() * dim, 2);
    for (const Scalar scalar : {Scalar::f32, Scalar::f64}) {
      for (const bool is_weighted : {false, true}) {
        const auto weights = weights_of(block, is_weighted);
        const std::string what = concat("dim ", dim, ", weighted ", is_weighted);
        Tensor out = backend_->empty(block.num_destinations(), dim, scalar);
        backend_->aggregate(block.view(), weights, tensor(block.num_sources, dim, scalar, x), out);
        expect_close(values(out), naive(block, is_weighted, x, dim), tolerance_of(scalar), what);
        Tensor grad = backend_->empty(block.num_sources, dim, scalar);
        backend_->fill(grad, 0.5);
        backend_->aggregate_backward(block.view(), weights, tensor(block.num_destinations(), dim, scalar, g),
                                     grad);
        expect_close(values(grad), naive_backward(block, is_weighted, g, dim, 0.5), tolerance_of(scalar), what);
      }
    }
  }
}

TEST_P(Aggregate, AcceptsBlocksWithoutRowsEdgesOrColumns) {
  const Block no_rows{.num_sources = 2, .offsets = {0}, .sources = {}, .weights = {}};
  Tensor none = backend_->empty(0, 3, Scalar::f32);
  backend_->aggregate(no_rows.view(), {}, backend_->zeros(2, 3, Scalar::f32), none);
  Tensor grad = backend_->zeros(2, 3, Scalar::f32);
  backend_->aggregate_backward(no_rows.view(), {}, none, grad);
  EXPECT_EQ(values(grad), std::vector<double>(6, 0));

  const Block no_edges{.num_sources = 2, .offsets = {0, 0, 0}, .sources = {}, .weights = {}};
  Tensor out = backend_->empty(2, 3, Scalar::f32);
  backend_->fill(out, 9);
  backend_->aggregate(no_edges.view(), {}, backend_->zeros(2, 3, Scalar::f32), out);
  EXPECT_EQ(values(out), std::vector<double>(6, 0));

  const Block one{.num_sources = 1, .offsets = {0, 1}, .sources = {0}, .weights = {}};
  Tensor narrow = backend_->empty(1, 0, Scalar::f32);
  backend_->aggregate(one.view(), {}, backend_->zeros(1, 0, Scalar::f32), narrow);
}

/// A finite binary16 value by its definition.
double half_value(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const double fraction = bits & 1023;
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return bits >> 15 != 0 ? -magnitude : magnitude;
}

TEST_P(Aggregate, GatherConvertsEveryHalfExactly) {
  std::vector<std::uint16_t> table(65536);
  std::vector<NodeId> ids(65536);
  for (int i = 0; i < 65536; ++i) {
    table[i] = static_cast<std::uint16_t>(i);
    ids[i] = 65535 - i;
  }
  const FeatureView f16{reinterpret_cast<const std::byte*>(table.data()), 65536, 1, FeatureType::f16};
  const FeatureView bf16{f16.data, 65536, 1, FeatureType::bf16};
  Tensor from_f16 = backend_->empty(65536, 1, Scalar::f32);
  Tensor from_bf16 = backend_->empty(65536, 1, Scalar::f64);
  backend_->gather(f16, ids, from_f16);
  backend_->gather(bf16, ids, from_bf16);
  const std::vector<double> got16 = values(from_f16);
  const std::vector<double> got_b = values(from_bf16);
  for (int i = 0; i < 65536; ++i) {
    const auto bits = static_cast<std::uint16_t>(65535 - i);
    const double bf = std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
    ASSERT_TRUE(got_b[i] == bf || (std::isnan(got_b[i]) && std::isnan(bf))) << bits;
    if ((bits >> 10 & 31) != 31) {
      ASSERT_EQ(got16[i], half_value(bits)) << bits;
      ASSERT_EQ(std::signbit(got16[i]), bits >> 15 != 0) << bits;
    } else if ((bits & 1023) != 0) {
      ASSERT_TRUE(std::isnan(got16[i])) << bits;
    } else {
      ASSERT_TRUE(std::isinf(got16[i]) && std::signbit(got16[i]) == (bits >> 15 != 0)) << bits;
    }
  }
}

/// A table of `type` with finite random values, and the same values as doubles.
struct Table {
  std::vector<std::byte> bytes;
  std::vector<double> numbers;
  FeatureView view;
};

Table random_table(std::int64_t rows, std::int32_t dim, FeatureType type) {
  const std::int64_t count = rows * dim;
  Table table{
      .bytes = std::vector<std::byte>(static_cast<std::size_t>(count * (type == FeatureType::f32 ? 4 : 2))),
      .numbers = random_values(count, 3),
      .view = {}};
  for (std::int64_t i = 0; i < count; ++i) {
    const auto number = static_cast<float>(table.numbers[i]);
    if (type == FeatureType::f32) {
      std::memcpy(&table.bytes[i * 4], &number, 4);
      continue;
    }
    const auto bits = type == FeatureType::bf16
                          ? static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(number) >> 16)
                          : static_cast<std::uint16_t>(i * 7919 % 0x4000);
    std::memcpy(&table.bytes[i * 2], &bits, 2);
    table.numbers[i] = type == FeatureType::bf16 ? std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16)
                                                 : half_value(bits);
  }
  table.view = {table.bytes.data(), rows, dim, type};
  return table;
}

TEST_P(Aggregate, ReadsFeatureTablesThroughTheIds) {
  const Block block = random_block(40, 70, 200);
  std::vector<NodeId> ids(static_cast<std::size_t>(block.num_sources));
  std::ranges::generate(ids, [i = 0]() mutable { return 100 - i++; });
  for (const FeatureType type : {FeatureType::f32, FeatureType::f16, FeatureType::bf16}) {
    for (const std::int32_t dim : {1, 7, 100}) {
      const Table table = random_table(101, dim, type);
      std::vector<double> x;
      for (const NodeId id : ids) {
        x.insert(x.end(), table.numbers.begin() + id * dim, table.numbers.begin() + (id + 1) * dim);
      }
      for (const Scalar scalar : {Scalar::f32, Scalar::f64}) {
        for (const bool is_weighted : {false, true}) {
          Tensor out = backend_->empty(block.num_destinations(), dim, scalar);
          backend_->aggregate(block.view(), weights_of(block, is_weighted), table.view, ids, out);
          const double tolerance = scalar == Scalar::f32 ? 1e-4 : 1e-12;
          expect_close(values(out), naive(block, is_weighted, x, dim), tolerance, concat("dim ", dim));
        }
      }
    }
  }
}

TEST_P(Aggregate, SumsARangeOfRowsOfAWholeGraph) {
  const Block block = random_block(50, 50, 120);
  const std::vector<EdgeOffset> offsets(block.offsets.begin(), block.offsets.end());
  const CsrView graph{offsets, block.sources};
  const Table table = random_table(50, 9, FeatureType::f32);
  for (const bool is_weighted : {false, true}) {
    const std::vector<double> all = naive(block, is_weighted, table.numbers, 9);
    for (const NodeId first : {0, 1, 13, 50}) {
      const NodeId count = std::min(30, 50 - first);
      const std::vector<double> expected(all.begin() + first * 9, all.begin() + (first + count) * 9);
      Tensor out = backend_->empty(count, 9, Scalar::f64);
      backend_->aggregate_rows(graph, weights_of(block, is_weighted), first, table.view, out);
      expect_close(values(out), expected, 1e-12);
      backend_->fill(out, 0);
      backend_->aggregate_rows(graph, weights_of(block, is_weighted), first,
                               tensor(50, 9, Scalar::f64, table.numbers), out);
      expect_close(values(out), expected, 1e-12);
    }
  }
}

TEST_P(Aggregate, GivesTheSameBitsForAnyNumberOfThreads) {
  const Block block = random_block(30'000, 40'000, 20'000);
  const Tensor x = tensor(block.num_sources, 33, Scalar::f32, random_values(block.num_sources * 33, 1));
  const Tensor g =
      tensor(block.num_destinations(), 33, Scalar::f32, random_values(block.num_destinations() * 33, 2));
  expect_same_bits_for_any_threads([&] {
    Tensor out = backend_->empty(block.num_destinations(), 33, Scalar::f32);
    Tensor grad = backend_->zeros(block.num_sources, 33, Scalar::f32);
    backend_->aggregate(block.view(), {}, x, out);
    backend_->aggregate_backward(block.view(), block.weights, g, grad);
    std::vector<double> all = values(out);
    const std::vector<double> more = values(grad);
    all.insert(all.end(), more.begin(), more.end());
    return all;
  });
}

TEST_P(Aggregate, RefusesShapesThatDoNotFit) {
  const Block block{.num_sources = 2, .offsets = {0, 1}, .sources = {1}, .weights = {1, 1}};
  const Tensor x = backend_->zeros(2, 3, Scalar::f32);
  Tensor good = backend_->zeros(1, 3, Scalar::f32);
  Tensor narrow = backend_->zeros(1, 2, Scalar::f32);
  Tensor wide_scalar = backend_->zeros(1, 3, Scalar::f64);
  EXPECT_THROW(backend_->aggregate(block.view(), block.weights, x, good), InvalidArgument);
  EXPECT_THROW(backend_->aggregate(block.view(), {}, x, narrow), InvalidArgument);
  EXPECT_THROW(backend_->aggregate(block.view(), {}, x, wide_scalar), InvalidArgument);
  EXPECT_THROW(backend_->aggregate(block.view(), {}, good, good), InvalidArgument);
  EXPECT_THROW(backend_->aggregate_backward(block.view(), {}, narrow, good), InvalidArgument);
}

KITH_ON_EVERY_DEVICE(Aggregate);

}  // namespace
}  // namespace kith
