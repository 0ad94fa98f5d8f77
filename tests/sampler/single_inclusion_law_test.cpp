// Uniform sampling without replacement: every neighbour is drawn with the same chance, at every degree at which
// an integer or a code path might give way.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/sampler/law.h"
#include "tests/sampler/sampled_row.h"
#include "tests/sampler/wrong_samplers.h"

namespace kith {
namespace {

using test::Draw;
using test::Row;
using test::Verdict;

/// The deviation that a test has to notice: half of the row is drawn that much more often than the other half.
constexpr double kDeviation = 0.02;
constexpr double kLaborDeviation = 0.04;  // labor reads whole rows, so there are fewer draws of it

/// Counts how often each of up to 100 parts of the row is drawn. Draws without replacement vary less than
/// independent ones, by (degree - fanout) / (degree - 1).
Verdict single_inclusion(const Draw& draw, std::int32_t degree, std::int32_t fanout, std::int64_t num_draws,
                         double deviation) {
  const std::int64_t num_parts = std::min(degree, 100);
  const auto part_of = [&](std::int64_t position) { return position * num_parts / degree; };
  std::vector<std::int64_t> counts(static_cast<std::size_t>(num_parts)), sizes(counts.size());
  for (std::int32_t i = 0; i < degree; ++i) ++sizes[static_cast<std::size_t>(part_of(i))];
  const std::int64_t num_trials = num_draws / fanout;
  for (std::int64_t trial = 0; trial < num_trials; ++trial) {
    const auto positions = draw(trial).positions;
    EXPECT_EQ(positions.size(), static_cast<std::size_t>(fanout));
    for (const std::int32_t position : positions) ++counts[static_cast<std::size_t>(part_of(position))];
  }
  const auto total = static_cast<double>(num_trials * fanout);
  const double correction = (degree - 1.0) / (degree - fanout);
  double chi_square = 0;
  for (std::size_t part = 0; part < counts.size(); ++part) {
    const double mean = total * static_cast<double>(sizes[part]) / degree;
    const double difference = static_cast<double>(counts[part]) - mean;
    chi_square += correction * difference * difference / mean;
  }
  return test::chi_square_verdict(chi_square, static_cast<double>(num_parts) - 1,
                                  correction * total * deviation * deviation);
}

/// A third of the row is inside the community, which must not matter.
Row row_of(std::int32_t degree) {
  return {.degree = degree, .inside_begin = degree / 5, .num_inside = degree / 3};
}

Draw uniform(SamplerKind kind, std::int32_t degree, std::int32_t fanout) {
  return test::sampled(row_of(degree), {.kind = kind, .fanouts = {fanout}, .p_intra = 0.5, .seed = 11});
}

TEST(SingleInclusionLaw, TakesTheWholeRowUpToTheFanout) {
  for (const SamplerKind kind : {SamplerKind::neighbor, SamplerKind::labor}) {
    for (const std::int32_t fanout : {10, 100}) {
      for (const std::int32_t degree : {1, 2, fanout - 1, fanout}) {
        const Draw draw = uniform(kind, degree, fanout);
        for (std::int64_t trial = 0; trial < 200; ++trial) {
          const auto positions = draw(trial).positions;
          ASSERT_EQ(positions.size(), static_cast<std::size_t>(degree));
          for (std::int32_t i = 0; i < degree; ++i) ASSERT_EQ(positions[i], i);
        }
      }
    }
  }
}

TEST(SingleInclusionLaw, NeighborDrawsAllAlike) {
  for (const std::int32_t fanout : {10, 100}) {  // a linear scan and a hash set for what is taken
    for (const std::int32_t degree : {fanout + 1, 10 * fanout, 3000, 50'000, 65'535, 65'536, 100'000}) {
      const Draw draw = uniform(SamplerKind::neighbor, degree, fanout);
      EXPECT_TRUE(obeys(single_inclusion(draw, degree, fanout, 600'000, kDeviation)))
          << "fanout " << fanout << ", degree " << degree;
    }
  }
}

TEST(SingleInclusionLaw, LaborDrawsAllAlike) {
  struct Case {
    std::int32_t degree, fanout;
  };
  for (const Case& c : {Case{11, 10}, Case{100, 10}, Case{101, 100}, Case{3000, 300}, Case{50'000, 5000},
                        Case{65'535, 6553}, Case{65'536, 6553}, Case{100'000, 10'000}}) {
    const Draw draw = uniform(SamplerKind::labor, c.degree, c.fanout);
    EXPECT_TRUE(obeys(single_inclusion(draw, c.degree, c.fanout, 150'000, kLaborDeviation))) << c.degree;
  }
}

// The ten smallest variates of 20,000 have to be told apart. Half of the row a fifth more often than the other.
TEST(SingleInclusionLaw, LaborsVariatesAreFineEnoughForALongRow) {
  constexpr std::int32_t kDegree = 20'000, kFanout = 10;
  constexpr std::int64_t kDraws = 6000;
  const Draw draw = uniform(SamplerKind::labor, kDegree, kFanout);
  EXPECT_TRUE(obeys(single_inclusion(draw, kDegree, kFanout, kDraws, 0.2)));
  const Draw coarse = test::wrong::smallest_of_10_bits(row_of(kDegree), kFanout);
  EXPECT_TRUE(is_caught(single_inclusion(coarse, kDegree, kFanout, kDraws, 0.2)));
}

// With 65,535 or 65,536 neighbours 16 bits are nearly enough, and with a hundred their bias is 0.1 %.
TEST(SingleInclusionLaw, CatchesAModuloOf16Bits) {
  for (const std::int32_t degree : {3000, 50'000, 100'000}) {
    const Draw draw = test::wrong::modulo_of_16_bits(row_of(degree), 10);
    EXPECT_TRUE(is_caught(single_inclusion(draw, degree, 10, 600'000, kDeviation))) << degree;
  }
}

// In longer rows repeats are too rare to matter.
TEST(SingleInclusionLaw, CatchesRepeatsReplacedFromTheFront) {
  for (const std::int32_t degree : {11, 100, 3000}) {
    const Draw draw = test::wrong::topped_up_from_the_front(row_of(degree), 10);
    EXPECT_TRUE(is_caught(single_inclusion(draw, degree, 10, 600'000, kDeviation))) << degree;
  }
}

}  // namespace
}  // namespace kith
