#include "graph/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/errors.h"
#include "tests/support/errors.h"
#include "tests/support/graphs.h"

namespace kith {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <typename Change>
std::string refusal_after(Change&& change) {
  Dataset dataset = test::tiny_dataset();
  EXPECT_NO_THROW(check_dataset(dataset, "here"));
  change(dataset);
  return test::error_of<InvalidArgument>([&] { check_dataset(dataset, "here"); });
}

TEST(Dataset, GivesSplitsByName) {
  const Dataset dataset = test::tiny_dataset();
  EXPECT_THAT(dataset.splits.named("train"), ElementsAre(0, 3, 6));
  EXPECT_THAT(dataset.splits.named("valid"), ElementsAre(1, 4));
  EXPECT_THAT(dataset.splits.named("val"), ElementsAre(1, 4));
  EXPECT_THAT(dataset.splits.named("test"), ElementsAre(2, 5));
  EXPECT_THAT(test::error_of<InvalidArgument>([&] { dataset.splits.named("dev"); }), HasSubstr("got dev"));
}

TEST(Dataset, GivesCommunitiesByLevel) {
  const Dataset dataset = test::tiny_dataset();
  EXPECT_EQ(dataset.communities(0).num_communities(), 3);
  EXPECT_EQ(dataset.communities(1).num_communities(), 2);
  EXPECT_THAT(test::error_of<InvalidArgument>([&] { dataset.communities(2); }),
              HasSubstr("expected 0 to 1, got 2"));
  EXPECT_THAT(test::error_of<InvalidArgument>([&] { dataset.communities(-1); }), HasSubstr("got -1"));
}

TEST(CheckDataset, AcceptsADatasetWithoutFeaturesLabelsAndSplits) {
  Dataset dataset = test::tiny_dataset();
  dataset.features = FeatureStore();
  dataset.labels = Labels();
  dataset.splits = Splits();
  EXPECT_NO_THROW(check_dataset(dataset, "here"));
}

TEST(CheckDataset, RefusesPartsOfDifferentSizes) {
  EXPECT_THAT(refusal_after([](Dataset& d) { d.original_id.pop_back(); }),
              HasSubstr("here: expected 8 original ids (one a node), got 7"));
  EXPECT_THAT(refusal_after([](Dataset& d) { d.edge_id.resize(3); }), HasSubstr("expected 16 edge ids"));
  EXPECT_THAT(refusal_after([](Dataset& d) { d.labels.of_node.push_back(0); }), HasSubstr("expected 8 labels"));
  EXPECT_THAT(refusal_after([](Dataset& d) { d.features = test::make_features(std::vector<float>(7), 7, 1); }),
              HasSubstr("expected 8 feature rows (one a node), got 7"));
  EXPECT_THAT(refusal_after([](Dataset& d) { d.levels.assign(1, Communities(9)); }),
              HasSubstr("the communities cover 9 nodes, the graph has 8"));
  EXPECT_THAT(refusal_after([](Dataset& d) { d.levels.clear(); }), HasSubstr("at least one community level"));
}

TEST(CheckDataset, RefusesLabelsOutOfRange) {
  EXPECT_THAT(refusal_after([](Dataset& d) { d.labels.of_node[4] = 3; }),
              HasSubstr("the label of node 4 must be in [-1, 3), got 3"));
  EXPECT_THAT(refusal_after([](Dataset& d) { d.labels.of_node[5] = -2; }), HasSubstr("node 5"));
  EXPECT_THAT(refusal_after([](Dataset& d) { d.labels.num_classes = -1; }), HasSubstr("number of classes"));
}

TEST(CheckDataset, RefusesMultiLabelsThatAreNotZeroOrOne) {
  const auto make_multi = [](Dataset& d) {
    d.labels.of_node.clear();
    d.labels.indicator.assign(24, 1);
  };
  Dataset good = test::tiny_dataset();
  make_multi(good);
  EXPECT_NO_THROW(check_dataset(good, "here"));
  EXPECT_THAT(refusal_after([&](Dataset& d) {
                make_multi(d);
                d.labels.indicator[7] = 2;
              }),
              HasSubstr("the labels of node 2 must be 0 or 1, got 2"));
  EXPECT_THAT(refusal_after([&](Dataset& d) {
                make_multi(d);
                d.labels.indicator.pop_back();
              }),
              HasSubstr("expected 24 multi-label values"));
  EXPECT_THAT(refusal_after([](Dataset& d) { d.labels.indicator.assign(24, 1); }), HasSubstr("not both"));
  EXPECT_THAT(refusal_after([&](Dataset& d) {
                make_multi(d);
                d.labels.num_classes = 0;
              }),
              HasSubstr("expected 0 multi-label values"));
}

TEST(CheckDataset, RefusesSplitsThatAreNotAscendingIdsInRange) {
  EXPECT_THAT(refusal_after([](Dataset& d) { d.splits.train = {3, 0}; }),
              HasSubstr("split train must be ascending"));
  EXPECT_THAT(refusal_after([](Dataset& d) { d.splits.valid = {1, 1}; }),
              HasSubstr("split valid must be ascending"));
  EXPECT_THAT(refusal_after([](Dataset& d) { d.splits.test = {2, 8}; }), HasSubstr("in [0, 8), got 8"));
  EXPECT_THAT(refusal_after([](Dataset& d) { d.splits.test = {-1, 2}; }), HasSubstr("in [0, 8), got -1"));
}

}  // namespace
}  // namespace kith
