#include "train/staging/policy.h"

#include <gtest/gtest.h>

#include <limits>
#include <string_view>
#include <utility>

#include "graph/errors.h"
#include "tests/support/learnable.h"

namespace kith {
namespace {

constexpr StagePolicy kAll[] = {StagePolicy::none, StagePolicy::degree,   StagePolicy::presample,
                                StagePolicy::lru,  StagePolicy::sieve,    StagePolicy::lookahead,
                                StagePolicy::lstm, StagePolicy::automatic};

class Policies : public ::testing::Test {
 protected:
  Policies() {
    LoaderOptions options;
    options.plan.batch_size = 16;
    options.plan.mix = 0.25;
    options.sampler.fanouts = {4, 4};
    options.level = 0;
    const Loader loader(dataset_, dataset_.splits.train, options);
    sample_ = record_trace(loader, 0, 1);
    measured_ = record_trace(loader, 1, 2);
    rehearsal_ = record_trace(loader, 3, 1);
    options_.page_bytes = 8 * dataset_.features.view().row_bytes();
    options_.stage_bytes =
        static_cast<std::int64_t>(dataset_.features.view().row_bytes()) * dataset_.num_nodes() / 5;
    options_.host_bytes = options_.stage_bytes;
    options_.predictor = {.max_tokens = 32, .units = 8, .vocabulary_accesses = 20};
  }

  Dataset dataset_ = test::learnable_dataset();
  AccessTrace sample_, measured_, rehearsal_;
  StagingOptions options_;
  std::unique_ptr<Backend> backend_ = make_cpu_backend();
};

TEST_F(Policies, NamesAreReadBack) {
  for (const StagePolicy policy : kAll) EXPECT_EQ(parse_stage_policy(name_of(policy)), policy);
  EXPECT_THROW(parse_stage_policy("fifo"), InvalidArgument);
}

TEST_F(Policies, KeepTheirBudgetAndTheBound) {
  const auto row_bytes = static_cast<std::int64_t>(dataset_.features.view().row_bytes());
  const PolicyFactory factory(dataset_, sample_, rehearsal_, *backend_, options_);
  const auto bound = make_lookahead(dataset_.num_nodes(), options_.stage_bytes / row_bytes, true);
  for (std::size_t i = 0; i < measured_.num_batches(); ++i) bound->reveal(measured_.rows(i));
  std::int64_t fewest = 0;
  Changes changes;
  for (std::size_t i = 0; i < measured_.num_batches(); ++i) {
    bound->serve({.items = measured_.rows(i)}, changes);
    fewest += row_bytes * static_cast<std::int64_t>(changes.missed.size());
  }
  for (const StagePolicy policy : kAll) {
    const MadePolicy made = factory.make(policy);
    const StageAccount account = run_policy(*made.replay, measured_, made.lookahead);
    EXPECT_EQ(account.rows, measured_.num_rows_read()) << name_of(policy);
    EXPECT_GE(account.moved(), fewest) << name_of(policy);
    EXPECT_EQ(account.hits == 0, policy == StagePolicy::none) << name_of(policy);
    EXPECT_GT(account.demand.disk.total(), 0) << name_of(policy);
    EXPECT_EQ(made.learned != nullptr, policy == StagePolicy::lstm);
    std::int64_t held = 0;
    for (NodeId row = 0; row < dataset_.num_nodes(); ++row) held += made.replay->holds(row) ? 1 : 0;
    EXPECT_LE(held * row_bytes, options_.stage_bytes) << name_of(policy);
  }
}

TEST_F(Policies, GiveTheSameAccountsEveryTime) {
  const PolicyFactory factory(dataset_, sample_, rehearsal_, *backend_, options_);
  for (const StagePolicy policy : kAll) {
    const auto run = [&] {
      const MadePolicy made = factory.make(policy);
      const StageAccount account = run_policy(*made.replay, measured_, made.lookahead);
      return std::tuple(account.hits, account.moved(), account.stall_seconds);
    };
    EXPECT_EQ(run(), run()) << name_of(policy);
  }
}

TEST_F(Policies, AutoStartsWithWhoStallsLeastInTheRehearsal) {
  options_.model.step_seconds = 0;
  const PolicyFactory factory(dataset_, sample_, rehearsal_, *backend_, options_);
  std::pair<double, std::string_view> least{std::numeric_limits<double>::infinity(), ""};
  for (const StagePolicy policy : {StagePolicy::presample, StagePolicy::degree, StagePolicy::lru,
                                   StagePolicy::sieve, StagePolicy::lookahead}) {
    const MadePolicy made = factory.make(policy);
    const double stall = run_policy(*made.replay, rehearsal_, made.lookahead).stall_seconds;
    if (stall < least.first) least = {stall, name_of(policy)};
  }
  const MadePolicy made = factory.make(StagePolicy::automatic);
  EXPECT_EQ(dynamic_cast<const AutoReplay&>(*made.replay).followed_name(), least.second);
  EXPECT_NE(least.second,
            name_of(StagePolicy::presample));  // the first candidate, followed without a rehearsal
}

TEST_F(Policies, RefuseWhatIsOutOfRange) {
  const auto refuses = [&](auto change) {
    StagingOptions options = options_;
    change(options);
    EXPECT_THROW(PolicyFactory(dataset_, sample_, rehearsal_, *backend_, options), InvalidArgument);
  };
  refuses([](StagingOptions& options) { options.stage_bytes = -1; });
  refuses([](StagingOptions& options) { options.host_bytes = -2; });
  refuses([](StagingOptions& options) { options.lookahead = -1; });
  refuses([](StagingOptions& options) { options.row_share = 1.5; });
  refuses([](StagingOptions& options) { options.page_bytes = 0; });
}

}  // namespace
}  // namespace kith
