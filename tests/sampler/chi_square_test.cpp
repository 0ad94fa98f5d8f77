// The yardstick itself: z values and powers against numbers known otherwise.
#include "tests/sampler/chi_square.h"

#include <gtest/gtest.h>

#include "tests/sampler/law.h"

namespace kith::test {
namespace {

// Tables of the chi-square distribution: the value that 5 % and 0.1 % exceed, and the normal z of those shares.
TEST(ChiSquare, GivesTheZOfTabulatedValues) {
  struct Row {
    double freedom, at_5_percent, at_01_percent;
  };
  for (const Row& row : {Row{3, 7.815, 16.266}, Row{10, 18.307, 29.588}, Row{100, 124.342, 149.449}}) {
    EXPECT_NEAR(chi_square_z(row.at_5_percent, row.freedom), 1.645, 0.05) << row.freedom;
    EXPECT_NEAR(chi_square_z(row.at_01_percent, row.freedom), 3.090, 0.05) << row.freedom;
  }
}

TEST(ChiSquare, FindsTheValueOfAZ) {
  for (const double freedom : {1.0, 7.0, 99.0}) {
    for (const double z : {-1.0, 0.0, 4.0}) {
      EXPECT_NEAR(chi_square_z(chi_square_at(z, freedom), freedom), z, 1e-9);
    }
  }
}

// Tables for planning experiments: the non-centrality that a test at 5 % sees with a chance of 80 %.
TEST(ChiSquare, GivesTheTabulatedPower) {
  struct Row {
    double freedom, noncentrality;
  };
  for (const Row& row : {Row{1, 7.849}, Row{2, 9.635}, Row{4, 11.935}, Row{10, 16.241}}) {
    EXPECT_NEAR(chi_square_power(row.noncentrality, row.freedom, 1.645), 0.8, 0.025) << row.freedom;
  }
  EXPECT_NEAR(chi_square_power(0, 50, 4), normal_tail(4), 1e-6) << "without a deviation only false alarms";
}

TEST(ChiSquare, AlarmsAsSeldomAsStated) {
  EXPECT_NEAR(2 * normal_tail(kAlarmZ), kFalseAlarm, 1e-6);
  EXPECT_TRUE(obeys({.z = 3.9, .power = 0.995}));
  EXPECT_FALSE(obeys({.z = 3.9, .power = 0.98})) << "a test that is too weak";
  EXPECT_FALSE(obeys({.z = -4.1, .power = 1})) << "a fit that is too good";
  EXPECT_FALSE(obeys({.z = std::nan(""), .power = 1}));
}

}  // namespace
}  // namespace kith::test
