#include "train/trainer.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <utility>

#include "graph/errors.h"
#include "sampler/locality_meter.h"
#include "train/stopwatch.h"

namespace kith {
namespace {

const Dataset& check_trainable(const Dataset& dataset) {
  KITH_CHECK(dataset.features.dim() > 0, InvalidArgument, "train: the dataset has no features");
  KITH_CHECK(!dataset.labels.is_multi_label(), InvalidArgument,
             "train: the dataset is multi-label; training supports one class a node");
  KITH_CHECK(!dataset.labels.empty(), InvalidArgument, "train: the dataset has no labels");
  return dataset;
}

}  // namespace

Trainer::Trainer(Model& model, const Dataset& dataset, const TrainerOptions& options)
    : model_(model),
      dataset_(check_trainable(dataset)),
      options_(options),
      optimizer_(model.backend(), model.parameters(), options.adam),
      data_(model.backend(), dataset, model.options().kind),
      staging_(options.staging.policy == StagePolicy::none
                   ? make_resident_staging(model.backend(), dataset, data_.features(), model.options().kind)
                   : nullptr) {
  KITH_CHECK(options.metric != Metric::roc_auc || dataset.labels.num_classes == 2, InvalidArgument,
             "train: metric roc-auc needs two classes, the dataset has ", dataset.labels.num_classes);
}

EpochReport Trainer::run_epoch(const Loader& loader, std::int32_t epoch,
                               const std::function<void(std::size_t, std::size_t)>& on_batch) {
  const Stopwatch epoch_watch;
  EpochReport report{.epoch = epoch,
                     .valid_accuracy = std::numeric_limits<double>::quiet_NaN(),
                     .seconds = {},
                     .stats = {},
                     .traffic = {}};
  const Plan plan = loader.plan(epoch);
  if (!staging_) {
    staging_ = make_tiered_staging(model_.backend(), dataset_, loader, model_.options().kind, options_.staging);
  }
  std::deque<SampledBatch> ahead;  // revealed and not staged; of the one thread that stages
  std::size_t num_sampled = 0;
  Prefetcher<StagedBatch> batches(
      0, plan.size(), static_cast<std::size_t>(loader.options().prefetch_depth), [&](std::size_t i) {
        const std::size_t end = std::min(plan.size(), i + 1 + static_cast<std::size_t>(staging_->lookahead()));
        for (; num_sampled < end; ++num_sampled) {
          ahead.push_back(loader.sample(plan, epoch, num_sampled));
          staging_->reveal(ahead.back());
        }
        SampledBatch sampled = std::move(ahead.front());
        ahead.pop_front();
        return staging_->stage(std::move(sampled));
      });
  LocalityMeter meter(dataset_.num_nodes(), dataset_.features.view().row_bytes());
  Backend& backend = model_.backend();
  Tensor totals = backend.zero_loss();
  while (true) {
    const Stopwatch stall_watch;
    std::optional<StagedBatch> staged = batches.next();
    report.seconds.stall += stall_watch.seconds();
    if (!staged) break;
    meter.add(std::span<const NodeId>(staged->input_nodes), staged->stats);
    const Stopwatch compute_watch;
    backend.wait_for(staged->batch.arrays);
    const ForwardPass pass = model_.forward(staged->batch, ++step_);
    model_.backward(pass, staged->batch, totals);
    if (staged->has_labels) optimizer_.step();
    backend.end_step();
    report.seconds.compute += compute_watch.seconds();
    report.seconds.sample += staged->sample_seconds;
    report.seconds.stage += staged->stage_seconds;
    report.stats += staged->stats;
    report.traffic += staged->traffic;
    if (on_batch) on_batch(static_cast<std::size_t>(report.stats.batches), plan.size());
  }
  const LossResult sum = backend.read_loss(totals);
  report.train_loss = sum.counted == 0 ? 0 : sum.loss / static_cast<double>(sum.counted);
  report.seconds.total = epoch_watch.seconds();
  return report;
}

double Trainer::evaluate(std::span<const NodeId> nodes) {
  const Tensor logits = model_.infer(data_.graph());
  return measure(options_.metric, model_.backend(), logits, dataset_.labels.of_node, nodes);
}

}  // namespace kith
