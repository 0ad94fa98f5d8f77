#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include "graph/errors.h"
#include "sampler/locality_meter.h"
#include "train/device_needs.h"
#include "train/profile.h"
#include "train/stopwatch.h"

namespace kith {
namespace {

constexpr std::size_t kNamedRoots = 8;

const Dataset& check_trainable(const Dataset& dataset) {
  KITH_CHECK(dataset.features.dim() > 0, InvalidArgument, "train: the dataset has no features");
  KITH_CHECK(!dataset.labels.is_multi_label(), InvalidArgument,
             "train: the dataset is multi-label; training supports one class a node");
  KITH_CHECK(!dataset.labels.empty(), InvalidArgument, "train: the dataset has no labels");
  return dataset;
}

/// Which batches may have spoilt the loss; of a single one, some roots as well, in the source's ids.
std::string describe_unchecked(const Dataset& dataset, const Loader& loader, const EpochProgress& epoch) {
  const std::size_t last = epoch.next_batch - 1;
  if (epoch.num_checked < last) return concat("in one of the batches ", epoch.num_checked, " to ", last);
  const Plan plan = loader.plan(epoch.report.epoch);
  const std::span<const NodeId> roots = plan[last];
  std::string text = concat("batch ", last, " (nodes");
  for (std::size_t i = 0; i < std::min(roots.size(), kNamedRoots); ++i) {
    text += concat(i == 0 ? " " : ", ", dataset.original_id[static_cast<std::size_t>(roots[i])]);
  }
  return text + (roots.size() > kNamedRoots ? ", ... of the source)" : " of the source)");
}

/// Says before any work is done if a device has too little memory for the fast tier.
FeatureHome home_of(Model& model, const Dataset& dataset, const TrainerOptions& options) {
  KITH_CHECK(options.features == FeatureHome::device ||
                 (model.backend().name() != "cpu" && options.staging.policy == StagePolicy::none),
             InvalidArgument, "--features pinned: expected --device cuda and --stage none, got ",
             model.backend().name(), " and ", name_of(options.staging.policy));
  const FeatureHome home = feature_home(model.backend(), dataset, options.staging);
  if (options.staging.policy == StagePolicy::none) return options.features;
  const auto whole = static_cast<std::int64_t>(dataset.features.num_bytes());
  require_device_memory(model.backend(), std::min(options.staging.stage_bytes, whole),
                        device_bytes_besides_batches(model.options(), dataset, home));
  return home;
}

}  // namespace

EpochProgress begin_epoch(std::int32_t epoch) {
  return {.report = {.epoch = epoch,
                     .valid_accuracy = std::numeric_limits<double>::quiet_NaN(),
                     .seconds = {},
                     .stats = {},
                     .traffic = {}},
          .loss_totals = {},
          .new_hits = {}};
}

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
      data_(model.backend(), dataset, model.options().kind, home_of(model, dataset, options)) {
  KITH_CHECK(options.metric != Metric::roc_auc || dataset.labels.num_classes == 2, InvalidArgument,
             "train: metric roc-auc needs two classes, the dataset has ", dataset.labels.num_classes);
  if (dataset.features.is_in_memory()) return;
  KITH_CHECK(options.staging.policy != StagePolicy::none && model.backend().name() == "cpu", InvalidArgument,
             "train: features that are left in their file need --stage and device cpu");
  pieces_.emplace(dataset.features);
}

bool Trainer::samples_on_device(const Loader& loader) const {
  const bool is_possible = model_.backend().name() != "cpu" && model_.options().kind == ModelKind::sage &&
                           loader.options().sampler.kind != SamplerKind::cluster;
  if (options_.sample_on == SampleOn::automatic) return is_possible;
  KITH_CHECK(options_.sample_on == SampleOn::host || is_possible, InvalidArgument,
             "--sample-on device: expected --device cuda, --model sage and a sampler other than cluster, got ",
             model_.backend().name(), ", ", name_of(model_.options().kind), " and ",
             name_of(loader.options().sampler.kind));
  return options_.sample_on == SampleOn::device;
}

Staging& Trainer::staging_for(const Loader& loader) {
  const bool is_on_device = samples_on_device(loader);
  if (options_.staging.policy != StagePolicy::none) return tiers_for(loader, is_on_device);
  std::unique_ptr<Staging>& made = is_on_device ? device_sampled_ : staging_;
  if (made) return *made;
  Backend& backend = model_.backend();
  const ModelKind kind = model_.options().kind;
  made = is_on_device ? make_device_sampled_staging(backend, dataset_, data_, kind)
                      : make_resident_staging(backend, dataset_, data_.features(), kind);
  return *made;
}

Staging& Trainer::tiers_for(const Loader& loader, bool is_on_device) {
  if (staging_ && is_on_device == is_drawing_on_device_) return *staging_;
  staging_.reset();  // there is room for one fast tier
  is_drawing_on_device_ = is_on_device;
  Backend& backend = model_.backend();
  const ModelOptions& model = model_.options();
  const FeatureHome home = options_.staging.host_bytes < 0 ? FeatureHome::pinned : FeatureHome::streamed;
  staging_ = make_tiered_staging(
      backend, dataset_, model.kind,
      {.loader = loader,
       .staging = options_.staging,
       .sampled_on = is_on_device ? &data_ : nullptr,
       .needs = {.pinned = data_.features(),
                 .training_bytes = device_bytes_besides_batches(model, dataset_, home),
                 .bytes_per_row = 2 * static_cast<std::int64_t>(sizeof(float)) * model.hidden_channels}});
  return *staging_;
}

EpochReport Trainer::run_epoch(const Loader& loader, std::int32_t epoch,
                               const std::function<void(std::size_t, std::size_t)>& on_batch) {
  EpochProgress progress = begin_epoch(epoch);
  advance(loader, progress, [&](std::size_t done, std::size_t of) {
    if (on_batch) on_batch(done, of);
    return true;
  });
  return progress.report;
}

bool Trainer::advance(const Loader& loader, EpochProgress& epoch,
                      const std::function<bool(std::size_t, std::size_t)>& on_batch) {
  EpochReport& report = epoch.report;
  const EpochSeconds earlier = report.seconds;
  const Stopwatch watch;
  const CpuStopwatch cpu_watch;
  const auto tick = [&] {
    report.seconds.total = earlier.total + watch.seconds();
    report.seconds.cpu = earlier.cpu + cpu_watch.seconds();
  };
  const Plan plan = loader.plan(report.epoch);
  KITH_CHECK(epoch.next_batch <= plan.size(), InvalidArgument, "train: epoch ", report.epoch, " has ",
             plan.size(), " batches, it cannot go on at batch ", epoch.next_batch);
  Backend& backend = model_.backend();
  if (epoch.loss_totals.empty()) epoch.loss_totals = backend.zero_loss();
  // Made here, not on the thread that makes batches.
  report.has_locality = staging_for(loader).has_input_nodes();
  LocalityMeter meter(dataset_.num_nodes(), dataset_.features.view().row_bytes());
  if (epoch.next_batch > 0 && report.has_locality) {  // what the next batch has in common with the one before
    const MiniBatch before = loader.sample(plan, report.epoch, epoch.next_batch - 1).batch;
    BatchStats unused;
    meter.add(std::span<const NodeId>(before.input_nodes), unused);
  }
  Prefetcher<StagedBatch> batches(epoch.next_batch, plan.size(),
                                  static_cast<std::size_t>(loader.options().prefetch_depth),
                                  [&](std::size_t i) { return make_batch(loader, plan, report.epoch, i); });
  while (true) {
    const Stopwatch stall_watch;
    std::optional<StagedBatch> staged = [&] {
      const ProfileSpan span(profile_, Activity::wait, report.epoch,
                             static_cast<std::int64_t>(epoch.next_batch));
      return batches.next();
    }();
    report.seconds.stall += stall_watch.seconds();
    tick();
    if (!staged) break;
    if (report.has_locality) meter.add(std::span<const NodeId>(staged->input_nodes), staged->stats);
    train_on(*staged, epoch);
    // On the CPU the loss is at hand.
    if (backend.name() == "cpu") check_loss(loader, epoch);
    tick();
    if (on_batch && !on_batch(epoch.next_batch, plan.size())) return false;
  }
  const LossResult sum = check_loss(loader, epoch);
  report.train_loss = sum.counted == 0 ? 0 : sum.loss / static_cast<double>(sum.counted);
  tick();
  return true;
}

StagedBatch Trainer::make_batch(const Loader& loader, const Plan& plan, std::int32_t epoch, std::size_t index) {
  Staging& staging = staging_for(loader);
  if (profile_ == nullptr) return staging.make(loader, plan, epoch, index);
  Profile::Span span{.activity = Activity::sample, .epoch = epoch, .batch = static_cast<std::int64_t>(index)};
  span.begin = profile_->now();
  StagedBatch made = staging.make(loader, plan, epoch, index);
  const double end = profile_->now();
  span.end =
      std::min(end, span.begin + made.sample_seconds);  // of a batch drawn earlier, for tiers: then it is all
  profile_->add(span);
  span.activity = Activity::stage;
  span.begin = span.end;
  span.end = end;
  profile_->add(span);
  return made;
}

void Trainer::train_on(StagedBatch& staged, EpochProgress& epoch) {
  EpochReport& report = epoch.report;
  Backend& backend = model_.backend();
  const Stopwatch watch;
  const auto batch = static_cast<std::int64_t>(epoch.next_batch);
  staged.batch.wait_on(backend);
  const ForwardPass pass = [&] {
    const ProfileSpan span(profile_, Activity::forward, report.epoch, batch);
    return model_.forward(staged.batch, ++step_);
  }();
  {
    const ProfileSpan span(profile_, Activity::backward, report.epoch, batch);
    model_.backward(pass, staged.batch, epoch.loss_totals);
  }
  {
    const ProfileSpan span(profile_, Activity::optimize, report.epoch, batch);
    if (staged.has_labels) optimizer_.step();
    backend.end_step();
  }
  report.seconds.compute += watch.seconds();
  report.seconds.sample += staged.sample_seconds;
  report.seconds.stage += staged.stage_seconds;
  report.stats += staged.stats;
  report.traffic += staged.traffic;
  if (!staged.hits.empty()) count_hits(staged.hits, epoch);
  ++epoch.next_batch;
}

void Trainer::count_hits(const Tensor& hits, EpochProgress& epoch) {
  Backend& backend = model_.backend();
  if (epoch.new_hits.empty()) epoch.new_hits = backend.zeros(1, 1, Scalar::f64);
  backend.add_bias(hits, epoch.new_hits);  // of one column: a sum
}

LossResult Trainer::check_loss(const Loader& loader, EpochProgress& epoch) {
  const LossResult sum = model_.backend().read_loss(epoch.loss_totals);
  if (!std::isfinite(sum.loss)) {
    throw Divergence(concat("train: the loss is not finite any more in epoch ", epoch.report.epoch, ", ",
                            describe_unchecked(dataset_, loader, epoch), "; a smaller --lr may help"));
  }
  epoch.num_checked = epoch.next_batch;
  if (!epoch.new_hits.empty()) {
    double hits = 0;
    model_.backend().download(epoch.new_hits, std::span(&hits, 1));
    epoch.report.traffic.find_hits(static_cast<std::int64_t>(hits),
                                   static_cast<std::int64_t>(dataset_.features.view().row_bytes()));
    epoch.new_hits = {};
  }
  return sum;
}

TrainerState Trainer::save() {
  Backend& backend = model_.backend();
  TrainerState state{.step = step_,
                     .num_optimizer_steps = optimizer_.num_steps(),
                     .parameters = download_parameters(model_),
                     .optimizer = {}};
  for (const HostTensor& parameter : state.parameters) {
    KITH_CHECK(is_finite(parameter), Divergence, "train: parameter ", parameter.name,
               " is not finite any more after ", step_, " batches; a smaller --lr may help");
  }
  for (std::size_t i = 0; i < optimizer_.state().size(); ++i) {
    const std::string& name = state.parameters[i / optimizer_.state_per_parameter()].name;
    state.optimizer.push_back(download(backend, name, optimizer_.state()[i]));
  }
  return state;
}

void Trainer::load(const TrainerState& state) {
  upload_parameters(state.parameters, model_);
  const std::span<Tensor> own = optimizer_.state();
  KITH_CHECK(state.optimizer.size() == own.size(), InvalidArgument, "Trainer: expected ", own.size(),
             " tensors of the optimiser, got ", state.optimizer.size());
  for (std::size_t i = 0; i < own.size(); ++i) upload(model_.backend(), state.optimizer[i], own[i]);
  step_ = state.step;
  optimizer_.set_num_steps(state.num_optimizer_steps);
}

double Trainer::evaluate(std::span<const NodeId> nodes) {
  DeviceGraph graph = data_.graph();
  if (pieces_) graph.pieces = &*pieces_;
  const Tensor logits = model_.infer(graph);
  return measure(options_.metric, model_.backend(), logits, dataset_.labels.of_node, nodes);
}

std::vector<double> Trainer::evaluate_batches(const Loader& loader, std::size_t count) {
  KITH_CHECK(options_.staging.policy == StagePolicy::none, InvalidArgument,
             "evaluate_batches: features must be read in place, not staged by ",
             name_of(options_.staging.policy));
  const Plan plan = loader.plan(0);
  Staging& staging = staging_for(loader);
  std::vector<double> out;
  for (std::size_t i = 0; i < std::min(count, plan.size()); ++i) {
    StagedBatch staged = staging.make(loader, plan, 0, i);
    staged.batch.wait_on(model_.backend());
    const Tensor logits = model_.infer(staged.batch);
    std::vector<NodeId> rows(staged.labels.size());
    std::iota(rows.begin(), rows.end(), NodeId{0});
    out.push_back(measure(options_.metric, model_.backend(), logits, staged.labels, rows));
  }
  return out;
}

}  // namespace kith
