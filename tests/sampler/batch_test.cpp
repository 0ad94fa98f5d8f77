#include "sampler/batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "graph/errors.h"

namespace kith {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// The example of the header: root 7 hears from 3 and 9, 3 hears from 7.
MiniBatch example() {
  return {.input_nodes = {7, 3, 9},
          .hop_bounds = {1, 3, 3},
          .offsets = {0, 2, 3, 3},
          .sources = {1, 2, 0},
          .edges = {}};
}

TEST(MiniBatch, CutsItsBlocksAsPrefixesOfOneAdjacency) {
  const MiniBatch batch = example();
  const BlockCsrView inner = batch.block(1);
  EXPECT_EQ(inner.num_sources, 3);
  EXPECT_THAT(inner.offsets, ElementsAre(0, 2));
  EXPECT_THAT(inner.sources, ElementsAre(1, 2));
  const BlockCsrView outer = batch.block(0);
  EXPECT_EQ(outer.num_sources, 3);
  EXPECT_THAT(outer.offsets, ElementsAre(0, 2, 3, 3));
  EXPECT_THAT(outer.sources, ElementsAre(1, 2, 0));
  EXPECT_THAT(batch.roots(), ElementsAre(7));
}

TEST(MiniBatch, CutsEmptyBlocksWithoutRoots) {
  const MiniBatch batch{.input_nodes = {}, .hop_bounds = {0, 0}, .offsets = {0}, .sources = {}, .edges = {}};
  EXPECT_EQ(batch.block(0).num_destinations(), 0);
  EXPECT_THAT(batch.block(0).sources, IsEmpty());
}

TEST(MiniBatch, RefusesALayerThatItDoesNotHave) {
  const MiniBatch batch = example();
  EXPECT_THROW(batch.block(2), InvalidArgument);
  EXPECT_THROW(batch.block(-1), InvalidArgument);
}

TEST(Describe, CountsAHandCheckableBatch) {
  // Communities {0, 1} {2, 3} {4..9}; the roots 1, 5, 0, 9 lie in the first and the third.
  const Communities communities({0, 2, 4, 10}, 10, "test");
  const MiniBatch batch{.input_nodes = {1, 5, 0, 9, 2},
                        .hop_bounds = {4, 5},
                        .offsets = {0, 1, 1, 2, 2},
                        .sources = {4, 0},
                        .edges = {}};
  std::vector<std::int32_t> labels(10, kNoLabel);
  labels[1] = 2;
  labels[5] = 0;
  labels[0] = 2;
  labels[2] = 1;  // no root: must not count
  const BatchStats stats = describe(batch, communities, labels);
  EXPECT_EQ(stats.batches, 1);
  EXPECT_EQ(stats.roots, 4);
  EXPECT_EQ(stats.input_nodes, 5);
  EXPECT_EQ(stats.edges, 2);
  EXPECT_EQ(stats.communities, 2);
  // Shares 2/3 and 1/3 of the three labelled roots.
  EXPECT_NEAR(stats.label_entropy_bits, std::log2(3.0) - 2.0 / 3.0, 1e-12);
}

TEST(Describe, GivesNoEntropyWithoutLabelsOrWithOneClass) {
  const Communities communities(10);
  EXPECT_EQ(describe(example(), communities, {}).label_entropy_bits, 0);
  EXPECT_EQ(describe(example(), communities, std::vector<std::int32_t>(10, 3)).label_entropy_bits, 0);
  EXPECT_EQ(describe(example(), communities, std::vector<std::int32_t>(10, kNoLabel)).label_entropy_bits, 0);
}

TEST(Describe, RefusesLabelsOfAnotherGraph) {
  EXPECT_THROW(describe(example(), Communities(10), std::vector<std::int32_t>(9, 0)), InvalidArgument);
}

TEST(BatchStats, AddsUp) {
  BatchStats sum{
      .batches = 1, .roots = 2, .input_nodes = 3, .edges = 4, .communities = 5, .label_entropy_bits = 0.5};
  sum += {.batches = 10,
          .roots = 20,
          .input_nodes = 30,
          .edges = 40,
          .communities = 50,
          .label_entropy_bits = 0.25};
  EXPECT_EQ(sum.batches, 11);
  EXPECT_EQ(sum.roots, 22);
  EXPECT_EQ(sum.input_nodes, 33);
  EXPECT_EQ(sum.edges, 44);
  EXPECT_EQ(sum.communities, 55);
  EXPECT_EQ(sum.label_entropy_bits, 0.75);
}

}  // namespace
}  // namespace kith
