#include "train/staging/policy.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "graph/errors.h"

namespace kith {
namespace {

constexpr std::array<std::pair<StagePolicy, std::string_view>, 8> kNames{{{StagePolicy::none, "none"},
                                                                          {StagePolicy::degree, "degree"},
                                                                          {StagePolicy::presample, "presample"},
                                                                          {StagePolicy::lru, "lru"},
                                                                          {StagePolicy::sieve, "sieve"},
                                                                          {StagePolicy::lookahead, "lookahead"},
                                                                          {StagePolicy::lstm, "lstm"},
                                                                          {StagePolicy::automatic, "auto"}}};
/// Shares of the fast tier tried for isolated rows.
constexpr std::array kRowShares{0.0, 0.25, 0.5, 0.75, 1.0};

/// What `auto` chooses from. Not `lstm`: bench/results say that it never stalled less than all of these.
constexpr std::array kAutoCandidates{StagePolicy::presample, StagePolicy::degree, StagePolicy::lru,
                                     StagePolicy::sieve, StagePolicy::lookahead};

std::int32_t context_of(const AccessTrace& trace, std::size_t batch) {
  const auto communities = trace.root_communities(batch);
  return communities.empty() ? 0 : communities.front();
}

}  // namespace

StagePolicy parse_stage_policy(std::string_view name) {
  for (const auto& [policy, known] : kNames) {
    if (name == known) return policy;
  }
  throw InvalidArgument(concat(
      "--stage: none, degree, presample, lru, sieve, lookahead, lstm or auto is expected, got '", name, "'"));
}

std::string_view name_of(StagePolicy policy) {
  return std::find_if(kNames.begin(), kNames.end(), [&](const auto& entry) { return entry.first == policy; })
      ->second;
}

void check_staging_options(const StagingOptions& options) {
  KITH_CHECK(options.stage_bytes >= 0, InvalidArgument,
             "staging: the fast tier must have 0 bytes or more, got ", options.stage_bytes);
  KITH_CHECK(options.host_bytes >= -1, InvalidArgument,
             "staging: the host tier must have 0 bytes or more, or -1 for the whole table, got ",
             options.host_bytes);
  KITH_CHECK(options.lookahead >= 0, InvalidArgument, "staging: lookahead must be 0 batches or more, got ",
             options.lookahead);
  KITH_CHECK(options.row_share == -1 || (options.row_share >= 0 && options.row_share <= 1), InvalidArgument,
             "staging: the share of rows must be in [0, 1], or -1 to be tried, got ", options.row_share);
  KITH_CHECK(options.predictor_percent > 0 && options.predictor_percent <= 100, InvalidArgument,
             "staging: the predictor's share of a processor must be in (0, 100] percent, got ",
             options.predictor_percent);
  KITH_CHECK(options.model.step_seconds >= 0 && options.model.prefetch_depth >= 0, InvalidArgument,
             "staging: seconds of a step and prefetch depth must be >= 0");
}

PolicyFactory::PolicyFactory(const Dataset& dataset, const AccessTrace& sample, const AccessTrace& rehearsal,
                             Backend& backend, const StagingOptions& options)
    : dataset_(dataset),
      sample_(sample),
      rehearsal_(rehearsal),
      backend_(backend),
      options_(options),
      geometry_(dataset.num_nodes(), dataset.features.view().row_bytes(), options.page_bytes),
      accesses_(count_accesses(sample, dataset.num_nodes())) {
  check_staging_options(options);
  if (options.host_bytes >= 0) {
    host_pages_ = choose_best(count_page_touches(sample, geometry_),
                              options.host_bytes / static_cast<std::int64_t>(geometry_.page_bytes()));
  }
  BatchSplitter whole = splitter();
  isolated_ = count_isolated(sample, whole);
}

MadePolicy PolicyFactory::make(StagePolicy policy) const {
  MadePolicy made = make_cold(policy);
  run_policy(*made.replay, sample_, made.lookahead);
  if (auto* automatic = dynamic_cast<AutoReplay*>(made.replay.get())) {
    assert(rehearsal_.num_batches() > 0);
    automatic->settle();
    run_policy(*automatic, rehearsal_, made.lookahead);
    automatic->settle();
  }
  return made;
}

MadePolicy PolicyFactory::make_cold(StagePolicy policy) const {
  switch (policy) {
    case StagePolicy::none:
      return {.replay = std::make_unique<PolicyReplay>(splitter(), IdSet(), make_no_replacement()),
              .is_static = true};
    case StagePolicy::degree:
      return make_rows(count_list_entries(dataset_.graph.view()));
    case StagePolicy::presample:
      return make_rows(accesses_);
    case StagePolicy::automatic:
      return make_auto();
    default:
      return make_paged(policy, options_.row_share >= 0 ? options_.row_share : best_row_share(policy));
  }
}

MadePolicy PolicyFactory::make_rows(std::span<const std::int32_t> scores) const {
  const auto row_bytes = static_cast<std::int64_t>(geometry_.row_bytes());
  return {.replay = std::make_unique<PolicyReplay>(
              splitter(), choose_best(scores, options_.stage_bytes / row_bytes), make_no_replacement()),
          .row_share = 1,
          .is_static = true};
}

MadePolicy PolicyFactory::make_paged(StagePolicy policy, double row_share) const {
  const auto row_bytes = static_cast<std::int64_t>(geometry_.row_bytes());
  const auto num_stored =
      static_cast<std::int64_t>(row_share * static_cast<double>(options_.stage_bytes)) / row_bytes;
  const std::int64_t num_frames =
      (options_.stage_bytes - num_stored * row_bytes) / static_cast<std::int64_t>(geometry_.page_bytes());
  const PageId num_pages = geometry_.num_pages();
  MadePolicy made;
  std::unique_ptr<Replacement> replacement;
  if (policy == StagePolicy::lru) {
    replacement = make_lru(num_pages, num_frames);
  } else if (policy == StagePolicy::sieve) {
    replacement = make_sieve(num_pages, num_frames);
  } else if (policy == StagePolicy::lookahead) {
    replacement = make_lookahead(num_pages, num_frames);
    made.lookahead = options_.lookahead;
  } else {
    auto learned = std::make_unique<LearnedReplacement>(
        backend_, num_pages, num_frames,
        LearnedOptions{.predictor = options_.predictor,
                       .num_communities = dataset_.levels[0].num_communities(),
                       .training_steps = options_.training_steps});
    made.learned = learned.get();
    replacement = std::move(learned);
  }
  made.replay =
      std::make_unique<PolicyReplay>(splitter(), choose_best(isolated_, num_stored), std::move(replacement));
  made.row_share = row_share;
  made.is_static = num_frames == 0;
  return made;
}

double PolicyFactory::best_row_share(StagePolicy policy) const {
  // The predictor would have to be trained for every share; LRU is what it falls back to.
  const StagePolicy tried = policy == StagePolicy::lstm ? StagePolicy::lru : policy;
  double best = 0;
  std::pair<double, double> least{-1, 0};
  for (const double share : kRowShares) {
    const MadePolicy made = make_paged(tried, share);
    run_policy(*made.replay, sample_, made.lookahead);
    const StageAccount account = run_policy(*made.replay, sample_, made.lookahead);
    const std::pair cost{account.stall_seconds, account.fetch_seconds};
    if (least.first >= 0 && cost >= least) continue;
    least = cost;
    best = share;
  }
  return best;
}

MadePolicy PolicyFactory::make_auto() const {
  std::vector<Candidate> candidates;
  MadePolicy made;
  for (const StagePolicy policy : kAutoCandidates) {
    MadePolicy candidate = make_cold(policy);
    made.lookahead = std::max(made.lookahead, candidate.lookahead);
    candidates.push_back(
        {.name = std::string(name_of(policy)),
         .replay = std::unique_ptr<PolicyReplay>(static_cast<PolicyReplay*>(candidate.replay.release()))});
  }
  made.replay = std::make_unique<AutoReplay>(std::move(candidates), options_.seed);
  return made;
}

StageAccount run_policy(StageReplay& replay, const AccessTrace& trace, std::int32_t lookahead) {
  StageAccount sum;
  std::size_t revealed = 0;
  for (std::size_t batch = 0; batch < trace.num_batches(); ++batch) {
    const std::size_t known = std::min(trace.num_batches(), batch + 1 + static_cast<std::size_t>(lookahead));
    for (; revealed < known; ++revealed) replay.reveal(trace.rows(revealed), context_of(trace, revealed));
    sum += replay.step();
  }
  return sum;
}

}  // namespace kith
