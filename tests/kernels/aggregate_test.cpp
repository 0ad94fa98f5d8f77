#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "graph/errors.h"
#include "tests/kernels/blocks.h"
#include "tests/kernels/on_device.h"

namespace kith {
namespace {

using test::Block;
using test::block_with_hubs;
using test::DeviceBlock;
using test::expect_close;
using test::expect_gradient;
using test::joined;
using test::random_block;
using test::random_values;
using test::tolerance_of;

class Aggregate : public test::OnDevice {};

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

TEST_P(Aggregate, TakesTheMeanOfATinyBlock) {
  const Block block{.num_sources = 3, .offsets = {0, 1, 3, 3}, .sources = {2, 0, 2}, .weights = {}};
  const DeviceBlock device_block = on_device(block);
  const Tensor x = tensor(3, 2, Scalar::f32, std::vector<double>{1, 10, 2, 20, 3, 30});
  Tensor out = backend_->empty(3, 2, Scalar::f32);
  backend_->aggregate(device_block.view(), {}, x, out);
  EXPECT_EQ(values(out), (std::vector<double>{3, 30, 2, 20, 0, 0}));
}

TEST_P(Aggregate, AgreesWithALoopForwardsAndBackwards) {
  const Block block = random_block(60, 90, 500);
  const DeviceBlock device_block = on_device(block);
  for (const std::int64_t dim : {1, 3, 7, 16, 100, 257, 1030}) {
    const std::vector<double> x = random_values(block.num_sources * dim, 1);
    const std::vector<double> g = random_values(block.num_destinations() * dim, 2);
    for (const Scalar scalar : {Scalar::f32, Scalar::f64}) {
      for (const bool is_weighted : {false, true}) {
        const auto weights = device_block.weights(is_weighted);
        const std::string what = concat("dim ", dim, ", weighted ", is_weighted);
        Tensor out = backend_->empty(block.num_destinations(), dim, scalar);
        backend_->aggregate(device_block.view(), weights, tensor(block.num_sources, dim, scalar, x), out);
        expect_close(values(out), naive(block, is_weighted, x, dim), tolerance_of(scalar), what);
        Tensor grad = backend_->empty(block.num_sources, dim, scalar);
        backend_->fill(grad, 0.5);
        backend_->aggregate_backward(device_block.view(), weights,
                                     tensor(block.num_destinations(), dim, scalar, g), grad);
        expect_close(values(grad), naive_backward(block, is_weighted, g, dim, 0.5), tolerance_of(scalar), what);
      }
    }
  }
}

TEST_P(Aggregate, SharesOutHubsOfEveryWidth) {
  const Block block = block_with_hubs();
  const DeviceBlock device_block = on_device(block);
  for (const std::int64_t dim : {1, 2, 5, 31, 64, 130, 602, 2048}) {
    const std::vector<double> x = random_values(block.num_sources * dim, 1);
    const std::vector<double> g = random_values(block.num_destinations() * dim, 2);
    Tensor out = backend_->empty(block.num_destinations(), dim, Scalar::f32);
    backend_->aggregate(device_block.view(), {}, tensor(block.num_sources, dim, Scalar::f32, x), out);
    expect_close(values(out), naive(block, false, x, dim), 2e-5, concat("dim ", dim));
    Tensor grad = backend_->zeros(block.num_sources, dim, Scalar::f32);
    backend_->aggregate_backward(device_block.view(), device_block.weights(),
                                 tensor(block.num_destinations(), dim, Scalar::f32, g), grad);
    expect_close(values(grad), naive_backward(block, true, g, dim, 0), 5e-5, concat("dim ", dim));
  }
}

TEST_P(Aggregate, ReadsAndWritesRowsAtAnyAddress) {
  // Rows 1 and on of an odd width start at any multiple of a value's size.
  const Block block = random_block(30, 40, 200);
  const DeviceBlock device_block = on_device(block);
  for (const std::int64_t dim : {1, 2, 4, 6, 9, 8, 13}) {
    const std::vector<double> all = random_values(41 * dim, 1);
    const Tensor table = tensor(41, dim, Scalar::f32, all);
    Tensor results = backend_->zeros(31, dim, Scalar::f32);
    Tensor out = results.view_rows(1, 30);
    backend_->aggregate(device_block.view(), {}, table.view_rows(1, 40), out);
    const std::vector<double> x(all.begin() + dim, all.end());
    std::vector<double> expected(static_cast<std::size_t>(dim), 0);
    const std::vector<double> rows = naive(block, false, x, dim);
    expected.insert(expected.end(), rows.begin(), rows.end());
    expect_close(values(results), expected, 2e-5, concat("dim ", dim));
  }
}

TEST_P(Aggregate, KeepsWhatIsNotFinite) {
  const double infinity = std::numeric_limits<double>::infinity();
  const Block block{.num_sources = 3, .offsets = {0, 2, 3, 4}, .sources = {0, 1, 2, 0}, .weights = {}};
  const DeviceBlock device_block = on_device(block);
  const Tensor x = tensor(3, 1, Scalar::f32, std::vector<double>{infinity, 1, std::nan("")});
  Tensor out = backend_->empty(3, 1, Scalar::f32);
  backend_->aggregate(device_block.view(), {}, x, out);
  EXPECT_EQ(values(out)[0], infinity);
  EXPECT_TRUE(std::isnan(values(out)[1]));
  EXPECT_EQ(values(out)[2], infinity);
}

TEST_P(Aggregate, AcceptsBlocksWithoutRowsEdgesOrColumns) {
  const Block no_rows{.num_sources = 2, .offsets = {0}, .sources = {}, .weights = {}};
  const DeviceBlock no_rows_there = on_device(no_rows);
  Tensor none = backend_->empty(0, 3, Scalar::f32);
  backend_->aggregate(no_rows_there.view(), {}, backend_->zeros(2, 3, Scalar::f32), none);
  Tensor grad = backend_->zeros(2, 3, Scalar::f32);
  backend_->aggregate_backward(no_rows_there.view(), {}, none, grad);
  EXPECT_EQ(values(grad), std::vector<double>(6, 0));

  const Block no_edges{.num_sources = 2, .offsets = {0, 0, 0}, .sources = {}, .weights = {}};
  const DeviceBlock no_edges_there = on_device(no_edges);
  Tensor out = backend_->empty(2, 3, Scalar::f32);
  backend_->fill(out, 9);
  backend_->aggregate(no_edges_there.view(), {}, backend_->zeros(2, 3, Scalar::f32), out);
  EXPECT_EQ(values(out), std::vector<double>(6, 0));

  const Block one{.num_sources = 1, .offsets = {0, 1}, .sources = {0}, .weights = {}};
  const DeviceBlock one_there = on_device(one);
  Tensor narrow = backend_->empty(1, 0, Scalar::f32);
  backend_->aggregate(one_there.view(), {}, backend_->zeros(1, 0, Scalar::f32), narrow);
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
  const DeviceArrays there = to_device(table, ids);
  const FeatureView f16{there.get<std::byte>(0).data(), 65536, 1, FeatureType::f16};
  const FeatureView bf16{f16.data, 65536, 1, FeatureType::bf16};
  Tensor from_f16 = backend_->empty(65536, 1, Scalar::f32);
  Tensor from_bf16 = backend_->empty(65536, 1, Scalar::f64);
  backend_->gather(f16, there.get<NodeId>(1), from_f16);
  backend_->gather(bf16, there.get<NodeId>(1), from_bf16);
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
  std::int32_t dim;
  FeatureType type;

  /// The table where an operation reads it.
  FeatureView view(std::span<const std::byte> there) const {
    return {there.data(), static_cast<std::int64_t>(numbers.size()) / dim, dim, type};
  }
};

Table random_table(std::int64_t rows, std::int32_t dim, FeatureType type) {
  const std::int64_t count = rows * dim;
  Table table{
      .bytes = std::vector<std::byte>(static_cast<std::size_t>(count * (type == FeatureType::f32 ? 4 : 2))),
      .numbers = random_values(count, 3),
      .dim = dim,
      .type = type};
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
  return table;
}

TEST_P(Aggregate, ReadsFeatureTablesThroughTheIds) {
  const Block block = random_block(40, 70, 200);
  const DeviceBlock device_block = on_device(block);
  std::vector<NodeId> ids(static_cast<std::size_t>(block.num_sources));
  std::ranges::generate(ids, [i = 0]() mutable { return 100 - i++; });
  for (const FeatureType type : {FeatureType::f32, FeatureType::f16, FeatureType::bf16}) {
    for (const std::int32_t dim : {1, 7, 100}) {
      const Table table = random_table(101, dim, type);
      const DeviceArrays there = to_device(table.bytes, ids);
      std::vector<double> x;
      for (const NodeId id : ids) {
        x.insert(x.end(), table.numbers.begin() + id * dim, table.numbers.begin() + (id + 1) * dim);
      }
      for (const Scalar scalar : {Scalar::f32, Scalar::f64}) {
        for (const bool is_weighted : {false, true}) {
          Tensor out = backend_->empty(block.num_destinations(), dim, scalar);
          backend_->aggregate(device_block.view(), device_block.weights(is_weighted),
                              table.view(there.get<std::byte>(0)), there.get<NodeId>(1), out);
          const double tolerance = scalar == Scalar::f32 ? 1e-4 : 1e-12;
          expect_close(values(out), naive(block, is_weighted, x, dim), tolerance, concat("dim ", dim));
        }
      }
    }
  }
}

TEST_P(Aggregate, SumsARangeOfRowsOfAWholeGraph) {
  const Block block = random_block(50, 50, 120);
  const DeviceBlock device_block = on_device(block);
  const std::vector<EdgeOffset> offsets(block.offsets.begin(), block.offsets.end());
  const Table table = random_table(50, 9, FeatureType::f32);
  const DeviceArrays there = to_device(offsets, block.sources, table.bytes);
  const CsrView graph{there.get<EdgeOffset>(0), there.get<NodeId>(1)};
  for (const bool is_weighted : {false, true}) {
    const std::vector<double> all = naive(block, is_weighted, table.numbers, 9);
    for (const NodeId first : {0, 1, 13, 50}) {
      const NodeId count = std::min(30, 50 - first);
      const std::vector<double> expected(all.begin() + first * 9, all.begin() + (first + count) * 9);
      Tensor out = backend_->empty(count, 9, Scalar::f64);
      backend_->aggregate_rows(graph, device_block.weights(is_weighted), first,
                               TableRows{.table = table.view(there.get<std::byte>(2))}, out);
      expect_close(values(out), expected, 1e-12);
      backend_->fill(out, 0);
      backend_->aggregate_rows(graph, device_block.weights(is_weighted), first,
                               tensor(50, 9, Scalar::f64, table.numbers), out);
      expect_close(values(out), expected, 1e-12);
    }
  }
}

TEST_P(Aggregate, ReadsTheRowsOfAGraphInAnyOrderToTheSameBits) {
  const Block block = random_block(60, 60, 400);
  const std::vector<EdgeOffset> offsets(block.offsets.begin(), block.offsets.end());
  const Table table = random_table(60, 9, FeatureType::f16);
  std::vector<NodeId> nodes(60);
  std::iota(nodes.begin(), nodes.end(), 0);
  std::ranges::shuffle(nodes, std::mt19937_64(4));
  std::vector<std::byte> packed;  // row i is that of node nodes[i]
  for (const NodeId node : nodes) {
    const auto row = table.bytes.begin() + node * 18;
    packed.insert(packed.end(), row, row + 18);
  }
  const DeviceArrays there = to_device(offsets, block.sources, table.bytes);
  const DeviceArrays moved = to_device(nodes, packed);
  const CsrView graph{there.get<EdgeOffset>(0), there.get<NodeId>(1)};
  test::DeviceInts ids(*backend_, 60);
  backend_->number_rows(moved.get<NodeId>(0), ids);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    EXPECT_EQ(ids.values()[static_cast<std::size_t>(nodes[i])], static_cast<std::int32_t>(i));
  }
  Tensor in_place = backend_->empty(40, 9, Scalar::f32), through_ids = backend_->empty(40, 9, Scalar::f32);
  backend_->aggregate_rows(graph, {}, 11, TableRows{.table = table.view(there.get<std::byte>(2))}, in_place);
  backend_->aggregate_rows(graph, {}, 11, TableRows{.table = table.view(moved.get<std::byte>(1)), .ids = ids},
                           through_ids);
  EXPECT_EQ(values(through_ids), values(in_place));
}

TEST_P(Aggregate, GivesTheSameBitsForAnyNumberOfThreads) {
  const Block block = random_block(30'000, 40'000, 20'000);
  const DeviceBlock device_block = on_device(block);
  const Tensor x = tensor(block.num_sources, 33, Scalar::f32, random_values(block.num_sources * 33, 1));
  const Tensor g =
      tensor(block.num_destinations(), 33, Scalar::f32, random_values(block.num_destinations() * 33, 2));
  expect_same_bits_for_any_threads([&] {
    Tensor out = backend_->empty(block.num_destinations(), 33, Scalar::f32);
    Tensor grad = backend_->zeros(block.num_sources, 33, Scalar::f32);
    backend_->aggregate(device_block.view(), {}, x, out);
    backend_->aggregate_backward(device_block.view(), device_block.weights(), g, grad);
    return joined({values(out), values(grad)});
  });
  const Tensor weights = tensor(block.num_edges(), 3, Scalar::f32, random_values(block.num_edges() * 3, 3));
  expect_same_bits_for_any_threads([&] {
    Tensor out = backend_->empty(block.num_destinations(), 33, Scalar::f32);
    Tensor grad = backend_->zeros(block.num_sources, 33, Scalar::f32);
    Tensor grad_weights = backend_->empty(block.num_edges(), 3, Scalar::f32);
    backend_->aggregate_heads(device_block.view(), weights, x, out);
    backend_->aggregate_heads_backward(device_block.view(), weights, g, grad);
    backend_->edge_dot(device_block.view(), x, g, grad_weights);
    return joined({values(out), values(grad), values(grad_weights)});
  });
}

/// Sums with a weight for every edge and head, in double.
std::vector<double> naive_heads(const Block& block, const std::vector<double>& weights, std::int64_t heads,
                                const std::vector<double>& x) {
  const auto dim = static_cast<std::int64_t>(x.size()) / block.num_sources;
  std::vector<double> out(static_cast<std::size_t>(block.num_destinations() * dim));
  for (std::int64_t v = 0; v < block.num_destinations(); ++v) {
    for (std::int32_t e = block.offsets[v]; e < block.offsets[v + 1]; ++e) {
      for (std::int64_t j = 0; j < dim; ++j) {
        out[v * dim + j] += weights[e * heads + j / (dim / heads)] * x[block.sources[e] * dim + j];
      }
    }
  }
  return out;
}

std::vector<double> naive_heads_backward(const Block& block, const std::vector<double>& weights,
                                         std::int64_t heads, const std::vector<double>& grad_out,
                                         std::int64_t dim) {
  std::vector<double> grad(static_cast<std::size_t>(block.num_sources * dim), 0.5);
  for (std::int64_t v = 0; v < block.num_destinations(); ++v) {
    for (std::int32_t e = block.offsets[v]; e < block.offsets[v + 1]; ++e) {
      for (std::int64_t j = 0; j < dim; ++j) {
        grad[block.sources[e] * dim + j] += weights[e * heads + j / (dim / heads)] * grad_out[v * dim + j];
      }
    }
  }
  return grad;
}

TEST_P(Aggregate, WeighsEveryHeadOfATinyBlockOnItsOwn) {
  // Destination 0 hears from 1 and 2, destination 1 from nobody; two heads of one column.
  const Block block{.num_sources = 3, .offsets = {0, 2, 2}, .sources = {1, 2}, .weights = {}};
  const DeviceBlock device_block = on_device(block);
  const Tensor x = tensor(3, 2, Scalar::f32, std::vector<double>{9, 9, 1, 10, 2, 20});
  const Tensor weights = tensor(2, 2, Scalar::f32, std::vector<double>{3, 0, 1, 0.5});
  Tensor out = backend_->empty(2, 2, Scalar::f32);
  backend_->aggregate_heads(device_block.view(), weights, x, out);
  EXPECT_EQ(values(out), (std::vector<double>{5, 10, 0, 0}));
}

TEST_P(Aggregate, HeadsAgreeWithALoopForwardsAndBackwards) {
  const Block block = random_block(60, 90, 500);
  const DeviceBlock device_block = on_device(block);
  for (const auto& [heads, columns] : {std::pair{1, 33}, {1, 1030}, {3, 1}, {4, 8}, {8, 17}, {2, 1030}}) {
    const std::int64_t dim = heads * columns;
    const std::vector<double> w = random_values(block.num_edges() * heads, 1);
    const std::vector<double> x = random_values(block.num_sources * dim, 2);
    const std::vector<double> g = random_values(block.num_destinations() * dim, 3);
    for (const Scalar scalar : {Scalar::f32, Scalar::f64}) {
      const std::string what = concat(heads, " heads of ", columns);
      const Tensor weights = tensor(block.num_edges(), heads, scalar, w);
      Tensor out = backend_->empty(block.num_destinations(), dim, scalar);
      backend_->aggregate_heads(device_block.view(), weights, tensor(block.num_sources, dim, scalar, x), out);
      expect_close(values(out), naive_heads(block, w, heads, x), tolerance_of(scalar), what);
      Tensor grad = backend_->empty(block.num_sources, dim, scalar);
      backend_->fill(grad, 0.5);
      backend_->aggregate_heads_backward(device_block.view(), weights,
                                         tensor(block.num_destinations(), dim, scalar, g), grad);
      expect_close(values(grad), naive_heads_backward(block, w, heads, g, dim), tolerance_of(scalar), what);
    }
  }
}

TEST_P(Aggregate, GradientsOfHeadsAgreeWithFiniteDifferences) {
  const Block block = random_block(5, 7, 4);
  const DeviceBlock device_block = on_device(block);
  const std::int64_t heads = 2, dim = 6, num_edges = block.num_edges();
  const std::vector<double> w = random_values(num_edges * heads, 1);
  const std::vector<double> x = random_values(block.num_sources * dim, 2);
  const std::vector<double> direction = random_values(block.num_destinations() * dim, 3);
  const auto run = [&](const std::vector<double>& w_now, const std::vector<double>& x_now) {
    Tensor out = backend_->empty(block.num_destinations(), dim, Scalar::f64);
    backend_->aggregate_heads(device_block.view(), tensor(num_edges, heads, Scalar::f64, w_now),
                              tensor(block.num_sources, dim, Scalar::f64, x_now), out);
    return values(out);
  };
  const Tensor grad_out = tensor(block.num_destinations(), dim, Scalar::f64, direction);
  Tensor grad_x = backend_->zeros(block.num_sources, dim, Scalar::f64);
  backend_->aggregate_heads_backward(device_block.view(), tensor(num_edges, heads, Scalar::f64, w), grad_out,
                                     grad_x);
  expect_gradient(x, direction, values(grad_x), [&](const auto& at) { return run(w, at); });
  Tensor grad_w = backend_->empty(num_edges, heads, Scalar::f64);
  backend_->edge_dot(device_block.view(), tensor(block.num_sources, dim, Scalar::f64, x), grad_out, grad_w);
  expect_gradient(w, direction, values(grad_w), [&](const auto& at) { return run(at, x); });
}

TEST_P(Aggregate, AcceptsMoreDestinationsThanSources) {
  const Block block{.num_sources = 1, .offsets = {0, 1, 2, 2}, .sources = {0, 0}, .weights = {2, 3}};
  const DeviceBlock device_block = on_device(block);
  Tensor out = backend_->empty(3, 1, Scalar::f32);
  backend_->aggregate(device_block.view(), device_block.weights(),
                      tensor(1, 1, Scalar::f32, std::vector<double>{7}), out);
  EXPECT_EQ(values(out), (std::vector<double>{14, 21, 0}));
}

TEST_P(Aggregate, RefusesHeadsThatDoNotFit) {
  const Block block{.num_sources = 2, .offsets = {0, 1}, .sources = {1}, .weights = {}};
  const DeviceBlock device_block = on_device(block);
  const Tensor x = backend_->zeros(2, 4, Scalar::f32);
  Tensor out = backend_->zeros(1, 4, Scalar::f32);
  Tensor grad = backend_->zeros(2, 4, Scalar::f32);
  for (const auto& [rows, heads] : {std::pair{1, 3}, {2, 2}, {1, 0}}) {
    Tensor weights = backend_->zeros(rows, heads, Scalar::f32);
    EXPECT_THROW(backend_->aggregate_heads(device_block.view(), weights, x, out), InvalidArgument);
    EXPECT_THROW(backend_->aggregate_heads_backward(device_block.view(), weights, out, grad), InvalidArgument);
    EXPECT_THROW(backend_->edge_dot(device_block.view(), x, out, weights), InvalidArgument);
  }
  const Tensor wide_weights = backend_->zeros(1, 2, Scalar::f64);
  EXPECT_THROW(backend_->aggregate_heads(device_block.view(), wide_weights, x, out), InvalidArgument);
}

TEST_P(Aggregate, RefusesShapesThatDoNotFit) {
  const Block block{.num_sources = 2, .offsets = {0, 1}, .sources = {1}, .weights = {1, 1}};
  const DeviceBlock device_block = on_device(block);
  const Tensor x = backend_->zeros(2, 3, Scalar::f32);
  Tensor good = backend_->zeros(1, 3, Scalar::f32);
  Tensor narrow = backend_->zeros(1, 2, Scalar::f32);
  Tensor wide_scalar = backend_->zeros(1, 3, Scalar::f64);
  EXPECT_THROW(backend_->aggregate(device_block.view(), device_block.weights(), x, good), InvalidArgument);
  EXPECT_THROW(backend_->aggregate(device_block.view(), {}, x, narrow), InvalidArgument);
  EXPECT_THROW(backend_->aggregate(device_block.view(), {}, x, wide_scalar), InvalidArgument);
  EXPECT_THROW(backend_->aggregate(device_block.view(), {}, good, good), InvalidArgument);
  EXPECT_THROW(backend_->aggregate_backward(device_block.view(), {}, narrow, good), InvalidArgument);
}

KITH_ON_EVERY_DEVICE(Aggregate);

}  // namespace
}  // namespace kith
