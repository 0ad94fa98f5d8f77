#include "train/run.h"

#include <utility>

#include "graph/errors.h"
#include "train/stopwatch.h"

namespace kith {
namespace {

RunOptions resolve(RunOptions options, const Dataset& dataset) {
  KITH_CHECK(options.epochs > 0, InvalidArgument, "train: epochs must be > 0, got ", options.epochs);
  KITH_CHECK(options.patience >= 0, InvalidArgument, "train: patience must be >= 0, got ", options.patience);
  const auto num_fanouts = static_cast<std::int32_t>(options.loader.sampler.fanouts.size());
  KITH_CHECK(num_fanouts == options.model.num_layers, InvalidArgument,
             "train: one fanout a layer is needed, got ", num_fanouts, " fanouts for ",
             options.model.num_layers, " layers");
  KITH_CHECK(!dataset.splits.train.empty(), InvalidArgument, "train: the dataset has no training nodes");
  options.model.in_channels = dataset.features.dim();
  options.model.out_channels = dataset.labels.num_classes;
  options.model.seed = options.seed;
  options.loader.seed = options.seed;
  return options;
}

/// Keeps a copy of the parameters of the best epoch.
class BestParameters {
 public:
  explicit BestParameters(Model& model) : model_(model) {
    for (const Parameter* parameter : model.parameters())
      copies_.push_back(model.backend().clone(parameter->value));
  }

  void save() {
    std::size_t i = 0;
    for (const Parameter* parameter : model_.parameters())
      model_.backend().copy(parameter->value, copies_[i++]);
  }

  void restore() {
    std::size_t i = 0;
    for (Parameter* parameter : model_.parameters()) model_.backend().copy(copies_[i++], parameter->value);
  }

 private:
  Model& model_;
  std::vector<Tensor> copies_;
};

}  // namespace

RunReport run_training(const Dataset& dataset, Backend& backend, RunOptions options,
                       const std::function<void(const EpochReport&)>& on_epoch,
                       const std::function<void(std::size_t, std::size_t)>& on_batch) {
  const Stopwatch watch;
  RunReport report{.options = resolve(std::move(options), dataset), .epochs = {}};
  // The loader first: it refuses bad knobs before any work is done.
  const Loader loader(dataset, dataset.splits.train, report.options.loader);
  report.options.loader = loader.options();
  KITH_CHECK(report.options.model.in_channels > 0, InvalidArgument, "train: the dataset has no features");
  KITH_CHECK(!dataset.labels.empty(), InvalidArgument, "train: the dataset has no labels");
  Model model(backend, report.options.model);
  Trainer trainer(model, dataset, report.options.trainer);
  BestParameters best(model);
  double training_seconds = 0;
  for (std::int32_t epoch = 0; epoch < report.options.epochs; ++epoch) {
    EpochReport done = trainer.run_epoch(loader, epoch, on_batch);
    training_seconds += done.seconds.total;
    const Stopwatch evaluate_watch;
    done.valid_accuracy = trainer.evaluate(dataset.splits.valid);
    done.seconds.evaluate = evaluate_watch.seconds();
    const bool is_better = report.best_epoch < 0 || done.valid_accuracy > report.best_valid_accuracy;
    if (is_better || dataset.splits.valid.empty()) {
      report.best_epoch = epoch;
      report.best_valid_accuracy = done.valid_accuracy;
      report.seconds_to_best = training_seconds;
      best.save();
    }
    if (on_epoch) on_epoch(done);
    report.epochs.push_back(done);
    if (report.options.patience > 0 && epoch - report.best_epoch >= report.options.patience) break;
  }
  best.restore();
  report.test_accuracy = trainer.evaluate(dataset.splits.test);
  report.total_seconds = watch.seconds();
  return report;
}

}  // namespace kith
