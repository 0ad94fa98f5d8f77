#include "train/run.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "graph/errors.h"
#include "graph/memory_limit.h"
#include "train/blas_memory.h"
#include "train/profile.h"
#include "train/run_checkpoints.h"
#include "train/stopwatch.h"
#include "train/tune_candidates.h"

namespace kith {
namespace {

/// With several labels a node that is for the trainer to refuse.
bool can_learn(const Dataset& dataset) {
  const std::vector<std::int32_t>& labels = dataset.labels.of_node;
  return labels.empty() || std::ranges::any_of(dataset.splits.train, [&](NodeId v) {
           return labels[static_cast<std::size_t>(v)] != kNoLabel;
         });
}

}  // namespace

RunOptions resolve(RunOptions options, const Dataset& dataset) {
  KITH_CHECK(options.epochs > 0, InvalidArgument, "train: epochs must be > 0, got ", options.epochs);
  KITH_CHECK(options.patience >= 0, InvalidArgument, "train: patience must be >= 0, got ", options.patience);
  const auto num_fanouts = static_cast<std::int32_t>(options.loader.sampler.fanouts.size());
  KITH_CHECK(num_fanouts == options.model.num_layers, InvalidArgument,
             "train: one fanout a layer is needed, got ", num_fanouts, " fanouts for ",
             options.model.num_layers, " layers");
  KITH_CHECK(!dataset.splits.train.empty(), InvalidArgument,
             "train: the dataset has no training nodes (kith prepare --random-split draws some)");
  KITH_CHECK(options.finish_random >= 0 && options.finish_random < options.epochs, InvalidArgument,
             "train: finish_random must be in [0, epochs), got ", options.finish_random);
  KITH_CHECK(can_learn(dataset), InvalidArgument, "train: none of the ", dataset.splits.train.size(),
             " training nodes has a label");
  options.model.in_channels = dataset.features.dim();
  options.model.out_channels = dataset.labels.num_classes;
  options.model.seed = options.seed;
  options.loader.seed = options.seed;
  if (options.loader.schedule.epochs == 0) options.loader.schedule.epochs = options.epochs;
  return options;
}

namespace {

/// Evaluation holds a layer's input and output of every node, and what it aggregates where that is narrower
/// than the input, or where the input is read from a file. Says so before the first epoch, not after it.
void check_evaluation_memory(const ModelOptions& model, const Dataset& dataset, Backend& backend) {
  if (backend.name() != "cpu") return;  // a device says so itself
  std::int64_t widest = 0;
  for (std::int32_t i = 0; i < model.num_layers; ++i) {
    const std::int64_t in = i == 0 ? model.in_channels : model.hidden_channels;
    const std::int64_t out = i + 1 == model.num_layers ? model.out_channels : model.hidden_channels;
    const bool is_aggregated = !dataset.features.is_in_memory() && out >= in;
    const std::int64_t held = i > 0 || is_aggregated ? in : 0;  // features are not held for it
    widest = std::max(widest, held + out + (out < in ? out : 0));
  }
  require_memory(dataset.num_nodes() * widest * static_cast<std::int64_t>(sizeof(float)),
                 "train: evaluation over all nodes", "a smaller --hidden needs less");
}

const ModelOptions& check_trainable(const ModelOptions& model, const Dataset& dataset, Backend& backend) {
  KITH_CHECK(model.in_channels > 0, InvalidArgument, "train: the dataset has no features");
  KITH_CHECK(!dataset.labels.empty(), InvalidArgument, "train: the dataset has no labels");
  reserve_blas_memory(backend);
  check_evaluation_memory(model, dataset, backend);
  return model;
}

/// One run; its members but the first few are its state.
class Run {
 public:
  Run(const Dataset& dataset, Backend& backend, RunOptions options, const RunControl& control)
      : dataset_(dataset),
        backend_(backend),
        control_(control),
        options_(resolve(std::move(options), dataset)),
        // The loader first: it refuses bad knobs before any work is done.
        loader_(dataset, dataset.splits.train, options_.loader),
        model_(backend, check_trainable(options_.model, dataset, backend)),
        trainer_(model_, dataset, options_.trainer),
        epoch_(begin_epoch(0)) {
    options_.loader = loader_.options();
    trainer_.set_profile(control.profile);
  }

  RunReport run() {
    if (!control_.checkpoint.folder.empty()) begin_checkpoints();
    try {
      return go_on();
    } catch (const Divergence& error) {
      if (!checkpoints_) throw;
      throw Divergence(
          concat(error.what(), "; the checkpoints from before are in ", control_.checkpoint.folder));
    }
  }

 private:
  RunReport go_on() {
    while (!is_finished()) {
      if (!train_epoch()) return stop();
      finish_epoch();
      if (!is_finished() && is_told_to_stop()) return stop();
    }
    if (checkpoints_) checkpoints_->finish(snapshot_function());
    upload_parameters(best_parameters_, model_);
    const double test_accuracy = trainer_.evaluate(dataset_.splits.test);
    RunReport report = make_report();
    report.test_accuracy = test_accuracy;
    return report;
  }

  std::int32_t num_epochs() const { return static_cast<std::int32_t>(progress_.epochs.size()); }

  bool is_finishing() const { return progress_.first_random_epoch >= 0; }

  /// For random batches at the end, which need a while to make good what structure cost.
  std::int32_t reserved_epochs() const {
    return options_.finish_random == 0 ? 0 : std::max(options_.finish_random, options_.epochs / 4);
  }

  /// Whether the knobs have given what they can.
  bool are_knobs_done() const {
    const std::int32_t since_best = num_epochs() - 1 - progress_.best_epoch;
    return num_epochs() >= options_.epochs - reserved_epochs() ||
           (options_.patience > 0 && num_epochs() > 0 && since_best >= options_.patience);
  }

  bool is_finished() const {
    if (options_.finish_random == 0) return are_knobs_done();
    const std::int32_t since = std::max(progress_.best_epoch, progress_.first_random_epoch - 1);
    return is_finishing() &&
           (num_epochs() >= options_.epochs || num_epochs() - 1 - since >= options_.finish_random);
  }

  /// Goes on with random batches from the best parameters.
  void begin_finish() {
    progress_.first_random_epoch = num_epochs();
    upload_parameters(best_parameters_, model_);
    const AveragedParameters averaged(trainer_);
    upload_parameters(best_parameters_, model_);
  }

  const Loader& loader() {
    if (!is_finishing()) return loader_;
    if (!random_loader_) {
      random_loader_.emplace(dataset_, dataset_.splits.train, random_batches(options_.loader));
    }
    return *random_loader_;
  }

  bool is_told_to_stop() const { return control_.should_stop && control_.should_stop(); }

  /// Returns false if it was told to stop.
  bool train_epoch() {
    return trainer_.advance(loader(), epoch_, [&](std::size_t done, std::size_t of) {
      if (control_.on_batch) control_.on_batch(done, of);
      if (is_told_to_stop()) return false;
      if (checkpoints_) checkpoints_->after_batch(++num_batches_, snapshot_function());
      return true;
    });
  }

  void finish_epoch() {
    const EpochReport done = evaluate_epoch();
    epoch_ = begin_epoch(num_epochs());
    if (options_.finish_random > 0 && !is_finishing() && are_knobs_done()) begin_finish();
    if (control_.on_epoch) control_.on_epoch(done);
    if (checkpoints_ && !is_finished()) checkpoints_->after_epoch(snapshot_function());
  }

  /// Adds the epoch to the progress, evaluated.
  EpochReport evaluate_epoch() {
    EpochReport done = epoch_.report;
    const Stopwatch watch;
    const ProfileSpan span(control_.profile, Activity::evaluate, done.epoch);
    const AveragedParameters averaged(trainer_);
    done.valid_accuracy = trainer_.evaluate(dataset_.splits.valid);
    done.seconds.evaluate = watch.seconds();
    const bool is_better = progress_.best_epoch < 0 || done.valid_accuracy > progress_.best_valid_accuracy;
    progress_.epochs.push_back(done);
    if (is_better || dataset_.splits.valid.empty()) keep_as_best(done);
    return done;
  }

  void keep_as_best(const EpochReport& done) {
    progress_.best_epoch = done.epoch;
    progress_.best_valid_accuracy = done.valid_accuracy;
    progress_.seconds_to_best = 0;
    for (const EpochReport& epoch : progress_.epochs) progress_.seconds_to_best += epoch.seconds.total;
    best_parameters_ = download_parameters(model_);
  }

  void begin_checkpoints() {
    checkpoints_.emplace(control_.checkpoint, control_.on_note);
    const std::optional<Checkpoint> found = checkpoints_->begin(options_, dataset_);
    if (!found) return;
    try {
      restore(*found);
    } catch (const InvalidArgument& error) {  // the options are the same, so the file is not what it says
      throw IoError(concat(checkpoints_->last_path(), ": does not fit its own options: ", error.what()));
    }
  }

  Checkpoint snapshot() {
    LossResult running_loss;  // first: this completes the report
    if (!epoch_.loss_totals.empty()) running_loss = trainer_.check_loss(loader(), epoch_);
    Checkpoint checkpoint{.request = checkpoints_->request(),
                          .in_channels = options_.model.in_channels,
                          .out_channels = options_.model.out_channels,
                          .progress = progress_,
                          .running = epoch_.report,
                          .next_batch = static_cast<std::int64_t>(epoch_.next_batch)};
    checkpoint.progress.total_seconds += watch_.seconds();
    checkpoint.running_loss = running_loss;
    checkpoint.trainer = trainer_.save();
    checkpoint.best_parameters = best_parameters_;
    return checkpoint;
  }

  std::function<Checkpoint()> snapshot_function() {
    return [this] { return snapshot(); };
  }

  void restore(const Checkpoint& checkpoint) {
    trainer_.load(checkpoint.trainer);
    progress_ = checkpoint.progress;
    best_parameters_ = checkpoint.best_parameters;
    epoch_.report = checkpoint.running;
    epoch_.next_batch = epoch_.num_checked = static_cast<std::size_t>(checkpoint.next_batch);
    const LossResult& loss = checkpoint.running_loss;
    const double totals[] = {loss.loss, static_cast<double>(loss.correct), static_cast<double>(loss.counted)};
    epoch_.loss_totals = backend_.zero_loss();
    backend_.upload(totals, epoch_.loss_totals);
    num_batches_ = checkpoint.trainer.step;
  }

  RunReport stop() {
    if (checkpoints_) checkpoints_->finish(snapshot_function());
    RunReport report = make_report();
    report.was_stopped = true;
    report.stopped_at = concat("in epoch ", num_epochs(), " before batch ", epoch_.next_batch);
    return report;
  }

  RunReport make_report() {
    RunReport report;
    static_cast<RunProgress&>(report) = progress_;
    report.options = options_;
    report.gathering = backend_.gathering_choices();
    report.total_seconds += watch_.seconds();
    if (!checkpoints_) return report;
    report.has_checkpoints = true;
    report.checkpoints = checkpoints_->costs();
    report.last_checkpoint = checkpoints_->last_path();
    return report;
  }

  const Stopwatch watch_;
  const Dataset& dataset_;
  Backend& backend_;
  const RunControl& control_;
  RunOptions options_;
  Loader loader_;
  std::optional<Loader> random_loader_;  ///< made when it is needed
  Model model_;
  Trainer trainer_;
  RunProgress progress_;                     ///< up to the last finished epoch
  EpochProgress epoch_;                      ///< the one after it
  std::int64_t num_batches_ = 0;             ///< trained on since the run began
  std::vector<HostTensor> best_parameters_;  ///< of progress_.best_epoch
  std::optional<RunCheckpoints> checkpoints_;
};

}  // namespace

RunReport run_training(const Dataset& dataset, Backend& backend, RunOptions options,
                       const RunControl& control) {
  return Run(dataset, backend, std::move(options), control).run();
}

}  // namespace kith
