// The training loop and its clock.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/dataset.h"
#include "graph/errors.h"
#include "train/adam.h"
#include "train/checkpoint/host_tensor.h"
#include "train/device_data.h"
#include "train/loader.h"
#include "train/metric.h"
#include "train/model.h"
#include "train/staging.h"
#include "train/staging/feature_pieces.h"

namespace kith {

class Profile;

/// Wall-clock seconds of one epoch, but cpu: that is processor time of all threads of the process, in the same
/// part as total, which leaves out evaluate. sample and stage are spent on prefetch threads and overlap with
/// compute; stall is what the training thread waited for them.
struct EpochSeconds {
  double total = 0, cpu = 0, sample = 0, stage = 0, compute = 0, evaluate = 0, stall = 0;
};

/// What one epoch did.
struct EpochReport {
  std::int32_t epoch = 0;
  double train_loss = 0;      ///< mean over the labelled roots, in nats
  double valid_accuracy = 0;  ///< of the chosen metric, 0..1; NaN if not evaluated
  EpochSeconds seconds;
  BatchStats stats;      ///< sums over the batches
  StageTraffic traffic;  ///< the same; nothing if features are read in place
  bool has_locality =
      true;  ///< whether stats.pages and stats.reused_input_nodes were counted: where the host knows the rows
};

/// Where batches are sampled.
enum class SampleOn : std::uint8_t {
  automatic,  ///< on the device if it has a sampler for the model and the options, else on the host
  host,
  device,
};

/// "auto", "host" or "device". Throws InvalidArgument for another name.
SampleOn parse_sample_on(std::string_view name);
std::string_view name_of(SampleOn where);

/// How training steps are made.
struct TrainerOptions {
  AdamOptions adam;
  Metric metric = Metric::accuracy;
  SampleOn sample_on = SampleOn::automatic;
  StagingOptions staging = {};  ///< policy `none`: features are read in place
  /// With policy `none`: device, or pinned, to leave a device's memory to others (bench/gpu.sh measures it).
  FeatureHome features = FeatureHome::device;
};

/// The loss or a parameter is NaN or infinite: the run will not recover.
class Divergence : public InvalidArgument {
 public:
  using InvalidArgument::InvalidArgument;
};

/// An epoch between two of its batches.
struct EpochProgress {
  EpochReport report;           ///< report.epoch says which; sums over the batches so far
  std::size_t next_batch = 0;   ///< batches before it are done
  std::size_t num_checked = 0;  ///< batches whose loss is known to be finite
  Tensor loss_totals;           ///< of the backend; see softmax_cross_entropy. Empty = no batch yet
  Tensor new_hits;  ///< [1 x 1] f64 of the backend: hits that are not in report.traffic yet, or empty
};

EpochProgress begin_epoch(std::int32_t epoch);

/// What training changes, besides an EpochProgress.
struct TrainerState {
  std::int64_t step = 0;  ///< batches trained on; numbers the dropout masks
  std::int64_t num_optimizer_steps = 0;
  std::vector<HostTensor> parameters;  ///< in the model's order
  std::vector<HostTensor> optimizer;   ///< Adam::state()
};

/// Owns the optimiser. Keeps references to model and dataset, which must outlive it.
class Trainer {
 public:
  /// Throws InvalidArgument if the dataset has no features or labels, or is multi-label.
  Trainer(Model& model, const Dataset& dataset, const TrainerOptions& options);

  /// Trains on every batch of `loader`'s epoch. on_batch is told the batches done; it may be empty. Throws
  /// Divergence if the loss is not finite: after the batch on the CPU, at the end of the epoch elsewhere, where
  /// a look at the loss is a wait for the device.
  EpochReport run_epoch(const Loader& loader, std::int32_t epoch,
                        const std::function<void(std::size_t done, std::size_t of)>& on_batch = {});

  /// Where spans go from now on; null (the default): nowhere. It must outlive the trainer.
  void set_profile(Profile* profile) { profile_ = profile; }

  /// The same from epoch.next_batch on. on_batch returns whether to go on; between two batches, epoch and
  /// save() are all that a later call needs to go on to the same bits. (Tiers of features start cold, which
  /// only shows in their traffic.) Returns whether the epoch is done.
  bool advance(const Loader& loader, EpochProgress& epoch,
               const std::function<bool(std::size_t done, std::size_t of)>& on_batch = {});

  /// What the epoch's loss sums up to so far, and completes the report's traffic. Throws Divergence. Waits for
  /// the device.
  LossResult check_loss(const Loader& loader, EpochProgress& epoch);

  /// Throws Divergence if a parameter is not finite. Waits for the device.
  TrainerState save();
  /// Throws InvalidArgument unless the state is of a model of the same shape.
  void load(const TrainerState& state);

  /// Exchanges the parameters with their averages (AdamOptions::average_decay); nothing if there are none. See
  /// AveragedParameters.
  void swap_averages() { optimizer_.swap_averages(); }

  /// The metric over `nodes`, from layer-wise full-neighbour inference. 0 if none of them has a label.
  double evaluate(std::span<const NodeId> nodes);

  /// The metric over the roots of each of the first `count` batches of `loader`'s epoch 0 (of all, if it has
  /// fewer), from their sampled neighbourhoods: for comparisons, at a fraction of the cost.
  std::vector<double> evaluate_batches(const Loader& loader, std::size_t count);

 private:
  bool samples_on_device(const Loader& loader) const;
  Staging& staging_for(const Loader& loader);
  Staging& tiers_for(const Loader& loader, bool is_on_device);
  StagedBatch make_batch(const Loader& loader, const Plan& plan, std::int32_t epoch, std::size_t index);
  void train_on(StagedBatch& staged, EpochProgress& epoch);
  void count_hits(const Tensor& hits, EpochProgress& epoch);

  Model& model_;
  const Dataset& dataset_;
  TrainerOptions options_;
  Adam optimizer_;
  DeviceData data_;
  std::optional<FeaturePieces> pieces_;  ///< for evaluation, if the features are left in their file
  std::unique_ptr<Staging> staging_;     ///< made when an epoch first needs it, as the other
  std::unique_ptr<Staging> device_sampled_;
  bool is_drawing_on_device_ = false;  ///< for staging_, if that has tiers
  std::int64_t step_ = 0;
  Profile* profile_ = nullptr;
};

/// While it lives, the trainer's model has the averages of its parameters, if there are any. Nothing may be
/// trained.
class AveragedParameters {
 public:
  explicit AveragedParameters(Trainer& trainer) : trainer_(trainer) { trainer_.swap_averages(); }
  ~AveragedParameters() { trainer_.swap_averages(); }
  AveragedParameters(const AveragedParameters&) = delete;
  AveragedParameters& operator=(const AveragedParameters&) = delete;

 private:
  Trainer& trainer_;
};

}  // namespace kith
