#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <vector>

#include "graph/errors.h"
#include "tests/kernels/on_device.h"

namespace kith {
namespace {

using test::random_values;

class RowsAsBlock : public test::OnDevice {};

/// Rows of 0, 2, 1, 0 and 3 neighbours.
struct Graph {
  std::vector<EdgeOffset> offsets{0, 0, 2, 3, 3, 6};
  std::vector<NodeId> neighbors{1, 4, 0, 0, 2, 3};

  CsrView view() const { return {offsets, neighbors}; }
};

TEST_P(RowsAsBlock, AggregateAsTheRowsOfTheGraphDo) {
  const Graph graph;
  const DeviceArrays arrays = to_device(graph.offsets, graph.neighbors);
  const CsrView view{arrays.get<EdgeOffset>(0), arrays.get<NodeId>(1)};
  const Tensor x = tensor(5, 3, Scalar::f32, random_values(15, 1));
  for (NodeId first = 0; first <= 5; ++first) {
    for (std::int64_t count = 0; first + count <= 5; ++count) {
      const RowsBlock rows = backend_->rows_as_block(view, first, count);
      ASSERT_EQ(rows.block.num_sources, 5);
      ASSERT_EQ(rows.block.num_destinations(), count);
      ASSERT_EQ(rows.block.num_edges(), graph.offsets[first + count] - graph.offsets[first]);
      Tensor out = backend_->empty(count, 3, Scalar::f32), expected = backend_->empty(count, 3, Scalar::f32);
      backend_->aggregate(rows.block, {}, x, out);
      backend_->aggregate_rows(view, {}, first, x, expected);
      EXPECT_EQ(values(out), values(expected)) << first << " + " << count;
    }
  }
}

TEST_P(RowsAsBlock, RefuseRowsThatAreNotThere) {
  const Graph graph;
  EXPECT_THROW(backend_->rows_as_block(graph.view(), -1, 2), InvalidArgument);
  EXPECT_THROW(backend_->rows_as_block(graph.view(), 4, 2), InvalidArgument);
  EXPECT_THROW(backend_->rows_as_block(graph.view(), 4, -1), InvalidArgument);
  EXPECT_THROW(backend_->rows_as_block({}, 0, 0), InvalidArgument);
}

TEST_P(RowsAsBlock, RefuseMoreEdgesThanABlockCanNumber) {
  // Bounds alone: the neighbours of such a row would fill 8 GiB.
  const std::vector<EdgeOffset> offsets{0, std::int64_t{std::numeric_limits<std::int32_t>::max()} + 1};
  const DeviceArrays arrays = to_device(offsets);
  EXPECT_THROW(backend_->rows_as_block({arrays.get<EdgeOffset>(0), {}}, 0, 1), InvalidArgument);
}

KITH_ON_EVERY_DEVICE(RowsAsBlock);

}  // namespace
}  // namespace kith
