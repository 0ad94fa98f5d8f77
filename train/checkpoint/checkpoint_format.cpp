#include "train/checkpoint/checkpoint_format.h"

#include <xxhash.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "graph/errors.h"

namespace kith {

// In the namespace of the types, where the JSON library looks for them.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(EpochSeconds, total, cpu, sample, stage, compute, evaluate, stall)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(BatchStats, batches, roots, input_nodes, reused_input_nodes, pages, edges,
                                   intra_edges, communities, label_entropy_bits)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(StageTraffic, rows, hits, host_bytes, disk_bytes, disk_reads,
                                                bus_bytes)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(EpochReport, epoch, train_loss, valid_accuracy, seconds, stats, traffic,
                                   has_locality)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CheckpointCosts, count, stall_seconds, write_seconds)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RunProgress, epochs, best_epoch, best_valid_accuracy, seconds_to_best,
                                   total_seconds, checkpoints, first_random_epoch)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(LossResult, loss, correct, counted)

namespace {

using Json = nlohmann::json;

constexpr std::string_view kMagic = "KITHCKPT";
constexpr std::int64_t kMaxSide = std::int64_t{1} << 31;  // of a tensor; the product of two fits 64 bits

struct Prefix {
  std::array<char, 8> magic{};
  std::uint32_t version = kCheckpointVersion;
  std::uint32_t zero = 0;
  std::uint64_t header_bytes = 0;
  std::uint64_t value_bytes = 0;
};
static_assert(sizeof(Prefix) == 32);
constexpr std::size_t kChecksumBytes = sizeof(std::uint64_t);

void append(std::vector<std::byte>& to, const void* data, std::size_t size) {
  const auto* const bytes = static_cast<const std::byte*>(data);
  to.insert(to.end(), bytes, bytes + size);
}

Json describe(const std::vector<HostTensor>& tensors) {
  Json all = Json::array();
  for (const HostTensor& tensor : tensors) {
    all.push_back({{"name", tensor.name},
                   {"rows", tensor.rows},
                   {"cols", tensor.cols},
                   {"scalar", tensor.scalar == Scalar::f32 ? "f32" : "f64"}});
  }
  return all;
}

std::array<const std::vector<HostTensor>*, 3> tensors_of(const Checkpoint& checkpoint) {
  return {&checkpoint.trainer.parameters, &checkpoint.trainer.optimizer, &checkpoint.best_parameters};
}

std::string header_of(const Checkpoint& checkpoint) {
  EpochReport running = checkpoint.running;
  running.valid_accuracy = 0;  // not evaluated yet, and JSON has no NaN
  return Json{{"request", Json::parse(checkpoint.request)},
              {"in_channels", checkpoint.in_channels},
              {"out_channels", checkpoint.out_channels},
              {"progress", checkpoint.progress},
              {"running", running},
              {"running_loss", checkpoint.running_loss},
              {"next_batch", checkpoint.next_batch},
              {"step", checkpoint.trainer.step},
              {"num_optimizer_steps", checkpoint.trainer.num_optimizer_steps},
              {"parameters", describe(checkpoint.trainer.parameters)},
              {"optimizer", describe(checkpoint.trainer.optimizer)},
              {"best_parameters", describe(checkpoint.best_parameters)}}
      .dump();
}

/// Takes the values of the listed tensors from the front of `values`.
std::vector<HostTensor> take_tensors(const Json& list, std::span<const std::byte>& values,
                                     const std::string& who) {
  KITH_CHECK(list.is_array(), IoError, who, ": damaged: a list of tensors is expected");
  std::vector<HostTensor> tensors;
  for (const Json& entry : list) {
    HostTensor tensor{
        .name = entry.at("name"), .rows = entry.at("rows"), .cols = entry.at("cols"), .bytes = {}};
    const std::string scalar = entry.at("scalar");
    KITH_CHECK(scalar == "f32" || scalar == "f64", IoError, who, ": damaged: ", tensor.name,
               ": f32 or f64 is expected, got ", scalar);
    tensor.scalar = scalar == "f32" ? Scalar::f32 : Scalar::f64;
    KITH_CHECK(tensor.rows >= 0 && tensor.rows < kMaxSide && tensor.cols >= 0 && tensor.cols < kMaxSide,
               IoError, who, ": damaged: ", tensor.name, " has the shape ", tensor.rows, " x ", tensor.cols);
    const std::uint64_t num_bytes = static_cast<std::uint64_t>(tensor.rows * tensor.cols);
    KITH_CHECK(num_bytes <= values.size() / size_of(tensor.scalar), IoError, who, ": damaged: ", tensor.name,
               " has more values than the file");
    const std::span<const std::byte> own = values.first(num_bytes * size_of(tensor.scalar));
    tensor.bytes.assign(own.begin(), own.end());
    values = values.subspan(own.size());
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

bool has_shape_of(const HostTensor& a, const HostTensor& b) {
  return a.rows == b.rows && a.cols == b.cols && a.scalar == b.scalar;
}

/// What the fields must agree in, so that whoever uses them need not look.
void check(const Checkpoint& checkpoint, const std::string& who) {
  const auto require = [&](bool condition, const char* what) {
    KITH_CHECK(condition, IoError, who, ": damaged: ", what);
  };
  const RunProgress& progress = checkpoint.progress;
  const TrainerState& trainer = checkpoint.trainer;
  require(progress.epochs.size() < std::numeric_limits<std::int32_t>::max(), "too many epochs");
  require(checkpoint.running.epoch == checkpoint.epoch(), "the running epoch does not follow the last one");
  require(progress.first_random_epoch >= -1 && progress.first_random_epoch <= checkpoint.epoch(),
          "first_random_epoch is out of range");
  require(progress.best_epoch >= -1 && progress.best_epoch < checkpoint.epoch(), "best_epoch is out of range");
  require(checkpoint.next_batch >= 0, "next_batch is negative");
  require(trainer.num_optimizer_steps >= 0 && trainer.num_optimizer_steps <= trainer.step,
          "the optimiser's steps are not among the trainer's");
  require(checkpoint.in_channels > 0 && checkpoint.out_channels > 0, "the model has no channels");
  const std::size_t per_parameter =
      trainer.parameters.empty() ? 0 : trainer.optimizer.size() / trainer.parameters.size();
  require((per_parameter == 2 || per_parameter == 3) &&
              trainer.optimizer.size() == per_parameter * trainer.parameters.size(),
          "two moments a parameter, and perhaps its average, are expected");
  require(checkpoint.best_parameters.size() == (progress.best_epoch < 0 ? 0 : trainer.parameters.size()),
          "the best parameters are incomplete");
  for (std::size_t i = 0; i < trainer.optimizer.size(); ++i) {
    require(has_shape_of(trainer.optimizer[i], trainer.parameters[i / per_parameter]),
            "a tensor of the optimiser has a shape of its own");
  }
  for (std::size_t i = 0; i < checkpoint.best_parameters.size(); ++i) {
    const HostTensor& best = checkpoint.best_parameters[i];
    require(has_shape_of(best, trainer.parameters[i]) && best.name == trainer.parameters[i].name,
            "a best parameter has a shape or a name of its own");
    require(is_finite(best), "a parameter is not finite");
  }
  for (const HostTensor& parameter : trainer.parameters)
    require(is_finite(parameter), "a parameter is not finite");
}

Checkpoint read_header(const Json& header, std::span<const std::byte> values, const std::string& who) {
  Checkpoint checkpoint{.request = header.at("request").dump(),
                        .in_channels = header.at("in_channels"),
                        .out_channels = header.at("out_channels"),
                        .progress = header.at("progress").get<RunProgress>(),
                        .running = header.at("running").get<EpochReport>(),
                        .running_loss = header.at("running_loss").get<LossResult>(),
                        .next_batch = header.at("next_batch")};
  checkpoint.running.valid_accuracy = std::numeric_limits<double>::quiet_NaN();
  checkpoint.trainer.step = header.at("step");
  checkpoint.trainer.num_optimizer_steps = header.at("num_optimizer_steps");
  checkpoint.trainer.parameters = take_tensors(header.at("parameters"), values, who);
  checkpoint.trainer.optimizer = take_tensors(header.at("optimizer"), values, who);
  checkpoint.best_parameters = take_tensors(header.at("best_parameters"), values, who);
  KITH_CHECK(values.empty(), IoError, who, ": damaged: ", values.size(), " bytes belong to no tensor");
  check(checkpoint, who);
  return checkpoint;
}

}  // namespace

std::vector<std::byte> encode(const Checkpoint& checkpoint) {
  const std::string header = header_of(checkpoint);
  Prefix prefix{.header_bytes = header.size()};
  kMagic.copy(prefix.magic.data(), kMagic.size());
  for (const auto* tensors : tensors_of(checkpoint)) {
    for (const HostTensor& tensor : *tensors) prefix.value_bytes += tensor.bytes.size();
  }
  std::vector<std::byte> bytes;
  bytes.reserve(sizeof prefix + header.size() + prefix.value_bytes + kChecksumBytes);
  append(bytes, &prefix, sizeof prefix);
  append(bytes, header.data(), header.size());
  for (const auto* tensors : tensors_of(checkpoint)) {
    for (const HostTensor& tensor : *tensors) append(bytes, tensor.bytes.data(), tensor.bytes.size());
  }
  const std::uint64_t checksum = XXH3_64bits(bytes.data(), bytes.size());
  append(bytes, &checksum, sizeof checksum);
  return bytes;
}

Checkpoint decode(std::span<const std::byte> bytes, const std::string& who) {
  Prefix prefix;
  KITH_CHECK(bytes.size() >= sizeof prefix + kChecksumBytes, IoError, who, ": not a checkpoint, or cut off");
  std::memcpy(&prefix, bytes.data(), sizeof prefix);
  KITH_CHECK(std::string_view(prefix.magic.data(), prefix.magic.size()) == kMagic, IoError, who,
             ": not a checkpoint");
  KITH_CHECK(prefix.version == kCheckpointVersion, IoError, who, ": format version ", kCheckpointVersion,
             " is expected, got ", prefix.version);
  const std::uint64_t rest = bytes.size() - sizeof prefix - kChecksumBytes;
  KITH_CHECK(prefix.header_bytes <= rest && prefix.value_bytes == rest - prefix.header_bytes, IoError, who,
             ": cut off or damaged: its sizes do not add up to the ", bytes.size(), " bytes of the file");
  std::uint64_t checksum = 0;
  std::memcpy(&checksum, bytes.data() + bytes.size() - kChecksumBytes, kChecksumBytes);
  KITH_CHECK(checksum == XXH3_64bits(bytes.data(), bytes.size() - kChecksumBytes), IoError, who,
             ": damaged: the checksum does not match");
  const auto* const text = reinterpret_cast<const char*>(bytes.data() + sizeof prefix);
  try {
    const Json header = Json::parse(std::string_view(text, prefix.header_bytes));
    return read_header(header, bytes.subspan(sizeof prefix + prefix.header_bytes, prefix.value_bytes), who);
  } catch (const Json::exception& error) {
    throw IoError(concat(who, ": damaged: ", error.what()));
  }
}

}  // namespace kith
