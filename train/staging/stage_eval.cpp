#include "train/staging/stage_eval.h"

#include <algorithm>
#include <utility>

#include "graph/errors.h"
#include "train/stopwatch.h"

namespace kith {
namespace {

double ratio(double part, double whole) { return whole == 0 ? 0 : part / whole; }

double amplification_of(const StageAccount& account, std::size_t row_bytes) {
  return ratio(static_cast<double>(account.moved()),
               static_cast<double>(account.rows - account.hits) * static_cast<double>(row_bytes));
}

bool is_paged(StagePolicy policy) {
  return policy == StagePolicy::lru || policy == StagePolicy::sieve || policy == StagePolicy::lookahead;
}

/// Everything that the policies of one evaluation share.
struct Evaluation {
  const Dataset& dataset;
  Backend& backend;
  const StageEvalOptions& options;
  AccessTrace sample, measured, rehearsal;

  StagingOptions staging(std::int64_t stage_bytes) const {
    StagingOptions staging = options.staging;
    staging.stage_bytes = stage_bytes;
    return staging;
  }

  PolicyReport run(const PolicyFactory& factory, StagePolicy policy, const BoundReport& bound) const {
    PolicyReport report;
    report.policy = policy;
    report.stage_bytes = bound.stage_bytes;
    MadePolicy made = factory.make(policy);
    double before = 0;
    if (made.learned != nullptr) {
      const Stopwatch watch;
      made.learned->predictor().train(options.pretraining);
      before = made.learned->seconds();
      report.pretraining_seconds = before + watch.seconds();
      made.learned->predictor().reset_metrics();
    }
    report.account = run_policy(*made.replay, measured, made.lookahead);
    report.row_share = made.row_share;
    const std::size_t row_bytes = factory.geometry().row_bytes();
    report.amplification = amplification_of(report.account, row_bytes);
    report.distance_to_bound = ratio(static_cast<double>(report.account.moved() - bound.moved),
                                     static_cast<double>(report.account.rows) * static_cast<double>(row_bytes));
    if (made.learned != nullptr) {
      report.predictor = made.learned->predictor().metrics();
      report.predictor_seconds = made.learned->seconds() - before;
    }
    if (const auto* automatic = dynamic_cast<const AutoReplay*>(made.replay.get())) {
      report.followed = automatic->followed_name();
    }
    return report;
  }

  double run_whole_pages(StagePolicy policy, std::int64_t stage_bytes) const {
    StagingOptions whole = staging(stage_bytes);
    whole.isolation = Isolation::none;
    whole.row_share = 0;
    const PolicyFactory factory(dataset, sample, rehearsal, backend, whole);
    MadePolicy made = factory.make(policy);
    return amplification_of(run_policy(*made.replay, measured, made.lookahead), factory.geometry().row_bytes());
  }
};

PlacementReport place(const PolicyFactory& factory, const StagingOptions& staging, const AccessTrace& measured,
                      std::int32_t epochs) {
  const auto row_bytes = static_cast<std::int64_t>(factory.geometry().row_bytes());
  const std::int64_t host_rows =
      staging.host_bytes < 0 ? factory.geometry().num_rows() : staging.host_bytes / row_bytes;
  const Placement placement(factory.accesses(), staging.stage_bytes / row_bytes, host_rows);
  PlacementReport report;
  report.stage_bytes = staging.stage_bytes;
  report.predicted = placement.traffic(factory.accesses(), factory.geometry().row_bytes());
  report.measured = placement.traffic(count_accesses(measured, factory.geometry().num_rows()),
                                      factory.geometry().row_bytes());
  for (std::int64_t* bytes : {&report.measured.fast, &report.measured.host, &report.measured.disk})
    *bytes /= epochs;
  return report;
}

}  // namespace

BoundReport exact_bound(const AccessTrace& trace, const PageGeometry& geometry, std::int64_t stage_bytes) {
  const auto row_bytes = static_cast<std::int64_t>(geometry.row_bytes());
  const auto rows = make_lookahead(static_cast<Item>(geometry.num_rows()), stage_bytes / row_bytes, true);
  for (std::size_t i = 0; i < trace.num_batches(); ++i) rows->reveal(trace.rows(i));
  std::int64_t missed = 0;
  Changes changes;
  for (std::size_t i = 0; i < trace.num_batches(); ++i) {
    rows->serve({.items = trace.rows(i)}, changes);
    missed += static_cast<std::int64_t>(changes.missed.size());
  }
  return {.stage_bytes = stage_bytes,
          .hit_rate = 1 - ratio(static_cast<double>(missed), static_cast<double>(trace.num_rows_read())),
          .moved = missed * row_bytes};
}

StageEvalReport evaluate_staging(const Dataset& dataset, Backend& backend, const StageEvalOptions& options,
                                 const std::function<void(const PolicyReport&)>& on_policy) {
  KITH_CHECK(options.epochs > 0, InvalidArgument, "stage-eval: epochs must be > 0, got ", options.epochs);
  KITH_CHECK(!options.stage_bytes.empty() && !options.policies.empty(), InvalidArgument,
             "stage-eval: at least one size and one policy are needed");
  KITH_CHECK(!dataset.splits.train.empty(), InvalidArgument, "stage-eval: the dataset has no training nodes");
  const Loader loader(dataset, dataset.splits.train, options.loader);
  const Evaluation evaluation{.dataset = dataset,
                              .backend = backend,
                              .options = options,
                              .sample = record_trace(loader, 0, 1),
                              .measured = record_trace(loader, 1, options.epochs),
                              .rehearsal = record_trace(loader, 1 + options.epochs, 1)};
  const AccessTrace& measured = evaluation.measured;

  StageEvalReport report;
  report.options = options;
  report.options.loader = loader.options();
  report.batches = static_cast<std::int64_t>(measured.num_batches());
  report.rows = measured.num_rows_read();
  report.row_bytes = dataset.features.view().row_bytes();
  report.table_bytes = dataset.num_nodes() * static_cast<std::int64_t>(report.row_bytes);
  report.dedup = count_dedup(measured, dataset.num_nodes(),
                             static_cast<std::size_t>(std::max(options.staging.lookahead, 1)));
  for (const std::int64_t stage_bytes : options.stage_bytes) {
    const PolicyFactory factory(dataset, evaluation.sample, evaluation.rehearsal, backend,
                                evaluation.staging(stage_bytes));
    report.bounds.push_back(exact_bound(measured, factory.geometry(), stage_bytes));
    report.placements.push_back(place(factory, evaluation.staging(stage_bytes), measured, options.epochs));
    for (const StagePolicy policy : options.policies) {
      PolicyReport done = evaluation.run(factory, policy, report.bounds.back());
      if (is_paged(policy)) done.whole_amplification = evaluation.run_whole_pages(policy, stage_bytes);
      if (on_policy) on_policy(done);
      report.policies.push_back(std::move(done));
    }
  }
  return report;
}

}  // namespace kith
