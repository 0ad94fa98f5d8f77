#include "train/knob_schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "graph/errors.h"

namespace kith {
namespace {

using testing::ElementsAre;
using Shape = KnobSchedule::Shape;

std::vector<double> values(const Knob& knob, const KnobSchedule& schedule, std::int32_t num_epochs) {
  std::vector<double> all;
  for (std::int32_t epoch = 0; epoch < num_epochs; ++epoch) all.push_back(schedule.at(knob, epoch));
  return all;
}

TEST(KnobSchedule, GoesFromTheFirstValueToTheLastAndStays) {
  EXPECT_THAT(values({0, 1}, {.epochs = 5}, 7), ElementsAre(0, 0.25, 0.5, 0.75, 1, 1, 1));
  EXPECT_THAT(values({1, 0.5}, {.epochs = 3}, 4), ElementsAre(1, 0.75, 0.5, 0.5));
  EXPECT_THAT(values({0, 1}, {.epochs = 2}, 3), ElementsAre(0, 1, 1));
}

TEST(KnobSchedule, StepsAfterHalfOfTheEpochs) {
  EXPECT_THAT(values({0, 1}, {.shape = Shape::step, .epochs = 4}, 6), ElementsAre(0, 0, 1, 1, 1, 1));
  EXPECT_THAT(values({0, 1}, {.shape = Shape::step, .epochs = 5}, 6), ElementsAre(0, 0, 0, 1, 1, 1));
}

TEST(KnobSchedule, NeverLeavesTheRangeBetweenItsEnds) {
  for (const Knob knob : {Knob{0, 1}, Knob{1, 0.5}, Knob{0.1, 0.7}, Knob{0.9999999, 1}}) {
    for (const std::int32_t epochs : {2, 3, 7, 49, 1000}) {
      for (const double value : values(knob, {.epochs = epochs}, epochs + 1)) {
        EXPECT_GE(value, std::min(knob.first, knob.last));
        EXPECT_LE(value, std::max(knob.first, knob.last));
      }
    }
  }
}

TEST(KnobSchedule, AConstantNeedsNoEpochs) {
  EXPECT_EQ(KnobSchedule{}.at({0.3, 0.3}, 0), 0.3);
  EXPECT_EQ(KnobSchedule{}.at({0.3, 0.3}, 100), 0.3);
}

TEST(Knob, IsReadAndWritten) {
  EXPECT_TRUE(Knob::parse("0.125", "--mix").is_constant());
  EXPECT_EQ(Knob::parse("0.125", "--mix").first, 0.125);
  const Knob knob = Knob::parse("1:0.6", "--p-intra");
  EXPECT_EQ(knob.first, 1);
  EXPECT_EQ(knob.last, 0.6);
  for (const char* text : {"0", "0.5", "0:0.5", "1:0.6", "0.30000000000000004", "1e-10:0"}) {
    EXPECT_EQ(Knob::parse(text, "--mix").name(), text);
  }
  EXPECT_EQ(Knob::parse("0.5:0.50", "--mix").name(), "0.5");
}

TEST(Knob, RefusesOtherText) {
  for (const char* text : {"", ":", "0:", ":1", "0:1:2", "half", "0,1", "0.5 ", "nan", "0:inf", "1e999"}) {
    EXPECT_THROW(Knob::parse(text, "--mix"), InvalidArgument) << text;
  }
}

TEST(KnobSchedule, EveryShapeHasAName) {
  for (const char* name : {"linear", "step"}) EXPECT_EQ(name_of(parse_schedule_shape(name)), name);
  EXPECT_THROW(parse_schedule_shape("cosine"), InvalidArgument);
}

}  // namespace
}  // namespace kith
