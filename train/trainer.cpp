#include "train/trainer.h"

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

SampleOn parse_sample_on(std::string_view name) {
  if (name == "auto") return SampleOn::automatic;
  if (name == "host") return SampleOn::host;
  if (name == "device") return SampleOn::device;
  throw InvalidArgument(concat("--sample-on: expected auto, host or device, got '", name, "'"));
}

std::string_view name_of(SampleOn where) {
  return where == SampleOn::automatic ? "auto" : where == SampleOn::host ? "host" : "device";
}

Trainer::Trainer(Model& model, const Dataset& dataset, const TrainerOptions& options)
    : model_(model),
      dataset_(check_trainable(dataset)),
      options_(options),
      optimizer_(model.backend(), model.parameters(), options.adam),
      data_(model.backend(), dataset, model.options().kind) {
  KITH_CHECK(options.metric != Metric::roc_auc || dataset.labels.num_classes == 2, InvalidArgument,
             "train: metric roc-auc needs two classes, the dataset has ", dataset.labels.num_classes);
}

bool Trainer::samples_on_device(const Loader& loader) const {
  const bool is_possible = model_.backend().name() != "cpu" && model_.options().kind == ModelKind::sage &&
                           options_.staging.policy == StagePolicy::none &&
                           loader.options().sampler.kind != SamplerKind::cluster;
  if (options_.sample_on == SampleOn::automatic) return is_possible;
  KITH_CHECK(options_.sample_on == SampleOn::host || is_possible, InvalidArgument,
             "--sample-on device: expected --device cuda, --model sage, --stage none and a sampler other than "
             "cluster, got ",
             model_.backend().name(), ", ", name_of(model_.options().kind), ", ",
             name_of(options_.staging.policy), " and ", name_of(loader.options().sampler.kind));
  return options_.sample_on == SampleOn::device;
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
  Backend& backend = model_.backend();
  const ModelKind kind = model_.options().kind;
  const bool is_on_device = samples_on_device(loader);
  std::unique_ptr<Staging>& made = is_on_device ? device_sampled_ : staging_;
  if (!made) {
    if (options_.staging.policy != StagePolicy::none) {
      made = make_tiered_staging(backend, dataset_, loader, kind, options_.staging);
    } else {
      made = is_on_device ? make_device_sampled_staging(backend, dataset_, data_.features(), kind)
                          : make_resident_staging(backend, dataset_, data_.features(), kind);
    }
  }
  Staging& staging = *made;
  report.has_locality = !is_on_device;
  Prefetcher<StagedBatch> batches(0, plan.size(), static_cast<std::size_t>(loader.options().prefetch_depth),
                                  [&](std::size_t i) { return staging.make(loader, plan, epoch, i); });
  LocalityMeter meter(dataset_.num_nodes(), dataset_.features.view().row_bytes());
  Tensor totals = backend.zero_loss();
  while (true) {
    const Stopwatch stall_watch;
    std::optional<StagedBatch> staged = batches.next();
    report.seconds.stall += stall_watch.seconds();
    if (!staged) break;
    if (!is_on_device) meter.add(std::span<const NodeId>(staged->input_nodes), staged->stats);
    const Stopwatch compute_watch;
    staged->batch.wait_on(backend);
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
