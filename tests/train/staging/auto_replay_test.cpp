#include "train/staging/auto_replay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>

#include "graph/errors.h"
#include "tests/train/staging/staging_traces.h"

namespace kith {
namespace {

constexpr std::int64_t kRows = 64;
constexpr std::int64_t kCapacity = 20;

/// A row is a page, and reading one takes a second, so that a stall is a count of misses.
PolicyReplay make_candidate(IdSet stored, std::unique_ptr<Replacement> replacement) {
  const TierModel model{.host = {.page_bandwidth = 8, .row_bandwidth = 8, .row_unit = 8, .latency = 0},
                        .step_seconds = 0,
                        .prefetch_depth = 0};
  return {BatchSplitter({kRows, 8, 8}, model, {}, Isolation::none), std::move(stored), std::move(replacement)};
}

IdSet first_rows() {
  IdSet stored(kRows);
  std::fill_n(stored.begin(), kCapacity, true);
  return stored;
}

std::vector<Candidate> make_candidates() {
  std::vector<Candidate> candidates;
  candidates.push_back(
      {"stored", std::make_unique<PolicyReplay>(make_candidate(first_rows(), make_no_replacement()))});
  candidates.push_back({"lru", std::make_unique<PolicyReplay>(make_candidate({}, make_lru(kRows, kCapacity)))});
  candidates.push_back(
      {"sieve", std::make_unique<PolicyReplay>(make_candidate({}, make_sieve(kRows, kCapacity)))});
  return candidates;
}

/// Batches of five: in `loop` phases a loop over a quarter more rows than fit, of which the store holds most
/// and LRU none; in `drift` phases a set that the store holds nothing of and LRU soon all.
class PhasedTrace {
 public:
  std::vector<NodeId> loop() { return take(loop_at_, 0, kCapacity + kCapacity / 4); }
  std::vector<NodeId> drift() { return take(drift_at_, 40, kCapacity); }

 private:
  static std::vector<NodeId> take(NodeId& at, NodeId first, NodeId size) {
    std::vector<NodeId> rows;
    for (int i = 0; i < 5; ++i) rows.push_back(first + at++ % size);
    return rows;
  }
  NodeId loop_at_ = 0, drift_at_ = 0;
};

struct Outcome {
  double own = 0, best = 0;
  std::int64_t num_changes = 0;
};

Outcome run(const test::ItemBatches& batches, std::uint64_t seed = 1) {
  AutoReplay automatic(make_candidates(), seed);
  std::vector<Candidate> alone = make_candidates();
  std::vector<double> sums(alone.size());
  Outcome outcome;
  for (const auto& batch : batches) {
    automatic.reveal(batch, 0);
    outcome.own += automatic.step().stall_seconds;
    for (std::size_t i = 0; i < alone.size(); ++i) {
      alone[i].replay->reveal(batch, 0);
      sums[i] += alone[i].replay->step().stall_seconds;
    }
  }
  outcome.best = *std::min_element(sums.begin(), sums.end());
  outcome.num_changes = automatic.num_changes();
  return outcome;
}

/// lengths(i): batches of the i-th phase.
test::ItemBatches phases(std::size_t num_batches, const std::function<std::size_t(std::size_t)>& lengths) {
  PhasedTrace trace;
  test::ItemBatches batches;
  for (std::size_t phase = 0; batches.size() < num_batches; ++phase) {
    for (std::size_t i = 0; i < lengths(phase); ++i) {
      batches.push_back(phase % 2 == 0 ? trace.loop() : trace.drift());
    }
  }
  return batches;
}

/// Each phase lasts until a choice by plain sums that changes its mind at `margin` has just done so.
test::ItemBatches against_plain_sums(std::size_t num_batches, double margin) {
  PhasedTrace trace;
  test::ItemBatches batches;
  std::vector<Candidate> alone = make_candidates();
  std::vector<double> sums(alone.size());
  std::size_t followed = 0;
  while (batches.size() < num_batches) {
    batches.push_back(followed == 0 ? trace.drift() : trace.loop());  // what hurts it
    for (std::size_t i = 0; i < alone.size(); ++i) {
      alone[i].replay->reveal(batches.back(), 0);
      sums[i] += alone[i].replay->step().stall_seconds;
    }
    const auto best = static_cast<std::size_t>(std::min_element(sums.begin(), sums.end()) - sums.begin());
    if (sums[followed] - sums[best] > margin) followed = best;
  }
  return batches;
}

// Another candidate's content would cost 20 seconds to read, and leads by less.
TEST(AutoReplay, SettlesOnTheBestWithoutReadingAnything) {
  constexpr std::size_t kLru = 1;
  AutoReplay automatic(make_candidates(), 1);
  std::vector<Candidate> alone = make_candidates();
  PolicyReplay& lru = *alone[kLru].replay;
  PhasedTrace trace;
  double stall = 0, expected = 0;
  for (int i = 0; i < 24; ++i) {
    const std::vector<NodeId> rows = trace.drift();
    automatic.reveal(rows, 0);
    lru.reveal(rows, 0);
    automatic.step();
    lru.step();
    if (i == 5) {  // its frames held all of the last two batches
      EXPECT_EQ(automatic.followed_name(), "stored");
      automatic.settle();
    }
  }
  EXPECT_EQ(automatic.followed_name(), "lru");
  EXPECT_EQ(automatic.num_changes(), 0);
  for (int i = 0; i < 8; ++i) {
    const std::vector<NodeId> rows = trace.drift();
    automatic.reveal(rows, 0);
    lru.reveal(rows, 0);
    stall += automatic.step().stall_seconds;
    expected += lru.step().stall_seconds;
  }
  EXPECT_EQ(stall, expected);
  EXPECT_EQ(stall, 0);
}

TEST(AutoReplay, FollowsTheBestPolicyOfASteadyTrace) {
  PhasedTrace trace;
  test::ItemBatches loops, drifts;
  for (int i = 0; i < 2000; ++i) {
    loops.push_back(trace.loop());
    drifts.push_back(trace.drift());
  }
  for (const auto& batches : {loops, drifts}) {
    const Outcome outcome = run(batches);
    EXPECT_LE(outcome.own, 1.02 * outcome.best + 60);  // it has to find out, and to read the content anew
    EXPECT_LE(outcome.num_changes, 1);
  }
}

TEST(AutoReplay, EndsWithinTwoPercentOfTheBestOnPhasesOfAnyLength) {
  for (const std::size_t length : {1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 200, 1000}) {
    const Outcome outcome =
        run(phases(std::max<std::size_t>(20000, 100 * length), [&](std::size_t) { return length; }));
    EXPECT_LE(outcome.own, 1.02 * outcome.best) << "phases of " << length;
  }
  std::mt19937_64 random(3);
  const Outcome mixed = run(phases(20000, [&](std::size_t) { return 1 + random() % 60; }));
  EXPECT_LE(mixed.own, 1.02 * mixed.best);
  const Outcome growing = run(phases(20000, [](std::size_t i) { return i + 1; }));
  EXPECT_LE(growing.own, 1.02 * growing.best) << "growing phases";
}

TEST(AutoReplay, EndsWithinTwoPercentOfTheBestOnTracesMadeToFoolSums) {
  for (const double margin : {0.0, 5.0, 20.0, 50.0}) {
    const test::ItemBatches batches = against_plain_sums(20000, margin);
    for (const std::uint64_t seed : {1, 2, 3}) {
      const Outcome outcome = run(batches, seed);
      EXPECT_LE(outcome.own, 1.02 * outcome.best) << "margin " << margin << ", changes " << outcome.num_changes;
    }
  }
}

/// The content that is held really is what a batch can read: a change of mind moves nothing by itself.
TEST(AutoReplay, CountsAHitOnlyForRowsThatItHeld) {
  const auto batches = phases(600, [](std::size_t i) { return 10 + 7 * (i % 5); });
  AutoReplay automatic(make_candidates(), 1);
  std::vector<bool> can_be_held(kRows);  // was read at some time, or stood in the store at the start
  for (NodeId row = 0; row < kRows; ++row) can_be_held[row] = automatic.holds(row);
  std::int64_t changes_seen = 0;
  for (const auto& batch : batches) {
    std::int64_t hits = 0;
    for (const NodeId row : batch) hits += automatic.holds(row) ? 1 : 0;
    const std::vector<bool> held_before = [&] {
      std::vector<bool> held(kRows);
      for (NodeId row = 0; row < kRows; ++row) held[row] = automatic.holds(row);
      return held;
    }();
    automatic.reveal(batch, 0);
    const StageAccount account = automatic.step();
    EXPECT_EQ(account.hits, hits);
    EXPECT_EQ(account.demand.total(), 8 * (account.rows - account.hits));
    std::int64_t num_held = 0;
    for (NodeId row = 0; row < kRows; ++row) {
      const bool was_read = std::find(batch.begin(), batch.end(), row) != batch.end();
      EXPECT_TRUE(!automatic.holds(row) || held_before[row] || was_read) << row;
      num_held += automatic.holds(row) ? 1 : 0;
    }
    EXPECT_LE(num_held, kCapacity);
    changes_seen = automatic.num_changes();
  }
  EXPECT_GT(changes_seen, 0);
}

TEST(AutoReplay, NeedsACandidate) { EXPECT_THROW(AutoReplay({}, 0), InvalidArgument); }

}  // namespace
}  // namespace kith
