#include "train/tune.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "graph/errors.h"
#include "train/stopwatch.h"
#include "train/tune_candidates.h"

namespace kith {
namespace {

constexpr std::int32_t kProbeBatches = 8;  // of validation nodes, the same for every contender
constexpr std::int64_t kWarmUpBatches = 2;

/// Contenders on one model, whose state is exchanged.
class TrainingArena final : public TuneArena {
 public:
  TrainingArena(const Dataset& dataset, Backend& backend, const RunOptions& options,
                const std::function<void()>& on_batch)
      : dataset_(dataset),
        on_batch_(on_batch),
        model_(backend, options.model),
        trainer_(model_, dataset, in_place(options.trainer)),
        start_(trainer_.save()),
        probe_(make_probe(dataset, options.loader)) {
    add(random_batches(options.loader));
    for (const LoaderOptions& candidate : tune_candidates(dataset, options.loader)) add(candidate);
    train_to_batches(0, kWarmUpBatches);  // finds caches and the memory pool empty
    contenders_[0] = contend(options_of(0));
  }

  std::size_t size() const override { return contenders_.size(); }
  double batches_per_epoch() const override {
    return static_cast<double>(contenders_[0].loader->num_batches());
  }
  double seconds() const override { return watch_.seconds(); }

  TuneEffort train_to_batches(std::size_t i, std::int64_t batches) override {
    return train(contenders_[i], [&](const Contender& c) { return c.batches >= batches; });
  }

  TuneEffort train_to_seconds(std::size_t i, double seconds) override {
    return train(contenders_[i], [&](const Contender& c) { return c.seconds >= seconds; });
  }

  std::vector<double> score(std::size_t i) override {
    trainer_.load(contenders_[i].state);
    const AveragedParameters averaged(trainer_);
    return trainer_.evaluate_batches(*probe_, kProbeBatches);
  }

  const LoaderOptions& options_of(std::size_t i) const { return contenders_[i].loader->options(); }

  double input_nodes_per_batch(std::size_t i) const {
    const Contender& contender = contenders_[i];
    const std::int64_t nodes = contender.input_nodes + contender.epoch.report.stats.input_nodes;
    return contender.batches == 0 ? 0 : static_cast<double>(nodes) / static_cast<double>(contender.batches);
  }

 private:
  /// All that training it further takes.
  struct Contender {
    std::unique_ptr<Loader> loader;
    TrainerState state;
    EpochProgress epoch;
    std::int64_t batches = 0;
    std::int64_t input_nodes = 0;  ///< of the epochs before this one
    double seconds = 0;
  };

  static TrainerOptions in_place(TrainerOptions options) {
    options.staging = {};
    return options;
  }

  static std::unique_ptr<Loader> make_probe(const Dataset& dataset, LoaderOptions options) {
    options = random_batches(std::move(options));
    const auto share = static_cast<std::int32_t>(dataset.splits.valid.size()) / kProbeBatches;
    options.plan.batch_size = std::clamp(share, 1, options.plan.batch_size);
    return std::make_unique<Loader>(dataset, dataset.splits.valid, options);
  }

  Contender contend(const LoaderOptions& options) const {
    return {.loader = std::make_unique<Loader>(dataset_, dataset_.splits.train, options),
            .state = start_,
            .epoch = begin_epoch(0)};
  }

  void add(const LoaderOptions& options) { contenders_.push_back(contend(options)); }

  /// is_enough is asked after every batch.
  template <typename IsEnough>
  TuneEffort train(Contender& contender, const IsEnough& is_enough) {
    trainer_.load(contender.state);
    const double seconds_before = contender.seconds;
    const Stopwatch watch;
    bool is_done = false;
    while (!is_done) {
      const auto count = [&](std::size_t, std::size_t) {
        if (on_batch_) on_batch_();
        ++contender.batches;
        contender.seconds = seconds_before + watch.seconds();
        is_done = is_enough(contender);
        return !is_done;
      };
      if (!trainer_.advance(*contender.loader, contender.epoch, count)) continue;
      contender.input_nodes += contender.epoch.report.stats.input_nodes;
      contender.epoch = begin_epoch(contender.epoch.report.epoch + 1);
    }
    contender.state = trainer_.save();
    return {.seconds = contender.seconds,
            .epochs =
                static_cast<double>(contender.batches) / static_cast<double>(contender.loader->num_batches())};
  }

  const Stopwatch watch_;
  const Dataset& dataset_;
  const std::function<void()>& on_batch_;
  Model model_;
  Trainer trainer_;
  const TrainerState start_;
  const std::unique_ptr<Loader> probe_;
  std::vector<Contender> contenders_;
};

/// That training is taken to last, which says what the search may cost: with early stopping twice the patience
/// and a little.
std::int32_t expected_epochs(const RunOptions& options) {
  return options.patience == 0 ? options.epochs : std::min(options.epochs, 2 * options.patience + 5);
}

std::string rounded(double value, int digits) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(digits) << value;
  return out.str();
}

std::string percent(double share) { return rounded(100 * share, 1); }

std::vector<std::string> explain(const TuneReport& report, const TuneOutcome& outcome) {
  const TuneTrial& random = report.trials.front();
  const TuneTrial& best = report.trials[outcome.best];
  std::vector<std::string> lines;
  if (!outcome.was_worthwhile) {
    lines.emplace_back("nothing was tried");
    lines.emplace_back("an epoch has so few batches that a search would take longer than it could save");
  } else {
    lines.push_back(concat("tried ", report.trials.size() - 1, " knobs beside random batches (",
                           rounded(random.result.effort.seconds_per_epoch(), 2), " s an epoch) in ",
                           rounded(report.seconds, 1), " s; ", outcome.num_slow, " were hardly faster"));
    if (outcome.best == 0) {
      lines.emplace_back("so there is nothing to gain on this graph, with this model and fanout");
    } else {
      lines.push_back(concat("after ", rounded(outcome.seconds, 1), " s of training each, ", best.knobs, " (",
                             rounded(best.result.effort.seconds_per_epoch(), 2), " s an epoch) stands at ",
                             percent(best.result.accuracy), " %, random batches at ",
                             percent(random.result.accuracy), " %; ahead by ", percent(best.result.difference),
                             ", at least ", percent(best.result.difference - best.result.difference_error),
                             " points with 95 % confidence"));
    }
  }
  lines.push_back(
      concat("chosen: ", outcome.chosen == 0 ? "random batches, " : "", report.trials[outcome.chosen].knobs));
  return lines;
}

}  // namespace

TuneReport tune(const Dataset& dataset, Backend& backend, const RunOptions& options,
                const TuneOptions& tune_options, const std::function<void()>& on_batch) {
  KITH_CHECK(tune_options.share > 0 && tune_options.share <= 1, InvalidArgument,
             "tune: share must be in (0, 1], got ", tune_options.share);
  KITH_CHECK(tune_options.accuracy_loss >= 0 && tune_options.accuracy_loss <= 1, InvalidArgument,
             "tune: accuracy_loss must be in [0, 1], got ", tune_options.accuracy_loss);
  const SamplerKind kind = options.loader.sampler.kind;
  KITH_CHECK(kind == SamplerKind::neighbor || kind == SamplerKind::labor, InvalidArgument,
             "tune: chooses mix and p_intra, which the sampler ", name_of(kind), " does not read");
  KITH_CHECK(dataset.splits.valid.size() >= kProbeBatches, InvalidArgument, "tune: at least ", kProbeBatches,
             " validation nodes are needed, the dataset has ", dataset.splits.valid.size());
  const RunOptions resolved = resolve(options, dataset);
  TrainingArena arena(dataset, backend, resolved, on_batch);
  const TuneOutcome outcome = search(arena, tune_options, expected_epochs(options));
  TuneReport report{.trials = {}, .chosen = outcome.chosen, .seconds = arena.seconds(), .explanation = {}};
  for (std::size_t i = 0; i < arena.size(); ++i) {
    report.trials.push_back({.loader = arena.options_of(i),
                             .knobs = knobs_of(arena.options_of(i)),
                             .input_nodes_per_batch = arena.input_nodes_per_batch(i),
                             .result = outcome.results[i]});
  }
  report.explanation = explain(report, outcome);
  return report;
}

nlohmann::ordered_json to_json(const TuneReport& report) {
  using Json = nlohmann::ordered_json;
  const auto number = [](double value) { return std::isnan(value) ? Json(nullptr) : Json(value); };
  Json trials = Json::array();
  for (const TuneTrial& trial : report.trials) {
    const TuneResult& result = trial.result;
    trials.push_back({{"knobs", trial.knobs},
                      {"seconds_per_epoch", number(result.effort.seconds_per_epoch())},
                      {"input_nodes_per_batch", trial.input_nodes_per_batch},
                      {"seconds", result.effort.seconds},
                      {"epochs", result.effort.epochs},
                      {"sampled_valid_accuracy", number(result.accuracy)},
                      {"difference", number(result.difference)},
                      {"difference_error", number(result.difference_error)},
                      {"verdict", result.verdict}});
  }
  return {{"chosen", report.trials[report.chosen].knobs},
          {"seconds", report.seconds},
          {"explanation", report.explanation},
          {"trials", std::move(trials)}};
}

}  // namespace kith
