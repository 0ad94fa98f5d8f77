#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "graph/errors.h"
#include "kernels/backend.h"
#include "tests/kernels/blocks.h"

namespace kith {
namespace {

constexpr std::int32_t kNodes = 60;
constexpr std::int32_t kDim = 9;

/// A graph with a hub, empty rows and repeated neighbours, and a weight an edge.
class AggregateSlice : public ::testing::Test {
 protected:
  AggregateSlice() {
    for (std::int32_t v = 0; v < kNodes; ++v) {
      std::sort(block_.sources.begin() + block_.offsets[v], block_.sources.begin() + block_.offsets[v + 1]);
    }
  }

  /// Values between an eighth and two.
  FeatureView random_table(FeatureType type) {
    std::mt19937_64 random(3);
    bytes_.clear();
    for (std::int32_t i = 0; i < kNodes * kDim; ++i) {
      const std::uint64_t bits = random();
      const auto number = 0.125F + static_cast<float>(bits % 1024) / 1024;
      const auto half =
          static_cast<std::uint16_t>(type == FeatureType::f16 ? 0x3000 + bits % 0x1000 : 0x3f00 + bits % 0x100);
      const auto* const from = type == FeatureType::f32 ? reinterpret_cast<const std::byte*>(&number)
                                                        : reinterpret_cast<const std::byte*>(&half);
      bytes_.insert(bytes_.end(), from, from + size_of(type));
    }
    return {bytes_.data(), kNodes, kDim, type};
  }

  test::Block block_ = test::random_block(kNodes, kNodes, 400);
  std::vector<EdgeOffset> offsets_{block_.offsets.begin(), block_.offsets.end()};
  CsrView graph_{offsets_, block_.sources};
  std::vector<std::byte> bytes_;
  std::unique_ptr<Backend> backend_ = make_cpu_backend();
};

TEST_F(AggregateSlice, GoesOnToTheBitsOfTheWholeTable) {
  for (const FeatureType type : {FeatureType::f32, FeatureType::f16, FeatureType::bf16}) {
    const FeatureView whole = random_table(type);
    for (const bool is_weighted : {false, true}) {
      const std::span<const float> weights = is_weighted ? std::span(block_.weights) : std::span<const float>();
      Tensor expected = backend_->empty(kNodes, kDim, Scalar::f32);
      backend_->aggregate_rows(graph_, weights, 0, TableRows{.table = whole}, expected);
      for (const NodeId rows : {1, 7, kNodes}) {
        Tensor out = backend_->zeros(kNodes, kDim, Scalar::f32);
        std::vector<EdgeOffset> next(offsets_.begin(), offsets_.end() - 1);
        for (NodeId first = 0; first < kNodes; first += rows) {
          FeatureView part = whole;
          part.data = whole.row(first);
          part.num_rows = std::min(rows, kNodes - first);
          backend_->aggregate_slice(graph_, weights, {.table = part, .first = first}, next, out);
        }
        EXPECT_TRUE(std::ranges::equal(out.values<float>(), expected.values<float>())) << rows;
        EXPECT_TRUE(std::ranges::equal(next, std::span(offsets_).subspan(1)));  // each edge was used
      }
    }
  }
}

TEST_F(AggregateSlice, RefusesWhatDoesNotFit) {
  const FeatureView table = random_table(FeatureType::f32);
  Tensor out = backend_->empty(kNodes, kDim, Scalar::f32), narrow = backend_->empty(kNodes, 2, Scalar::f32);
  std::vector<EdgeOffset> next(kNodes), too_few(1);
  EXPECT_THROW(backend_->aggregate_slice(graph_, {}, {.table = table, .first = 1}, next, out), InvalidArgument);
  EXPECT_THROW(backend_->aggregate_slice(graph_, {}, {.table = table}, too_few, out), InvalidArgument);
  EXPECT_THROW(backend_->aggregate_slice(graph_, {}, {.table = table}, next, narrow), InvalidArgument);
}

}  // namespace
}  // namespace kith
