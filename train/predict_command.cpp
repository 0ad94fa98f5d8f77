#include "train/predict_command.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/dataset_file.h"
#include "graph/errors.h"
#include "graph/memory_limit.h"
#include "train/checkpoint/checkpoint_folder.h"
#include "train/npy_file.h"
#include "train/predict.h"
#include "train/run_request.h"
#include "train/thread_limit.h"

namespace kith {
namespace {

struct PredictFlags {
  std::string file, folder, output;
  std::string split = "all";
  std::string device = "auto";
  bool with_logits = false;
  int threads = 0;
};

std::vector<NodeId> chosen_nodes(const Dataset& dataset, const std::string& split) {
  if (split != "all") return dataset.splits.named(split);
  std::vector<NodeId> nodes(static_cast<std::size_t>(dataset.num_nodes()));
  std::iota(nodes.begin(), nodes.end(), NodeId{0});
  return nodes;
}

/// Maps the features where they fit; else they are left in the file, and read a piece at a time.
Dataset open_to_predict(const std::string& file, std::string_view device) {
  Dataset dataset = read_dataset(file, {.leave_features = true, .check_features = true});
  const std::int64_t available = available_memory().value_or(std::numeric_limits<std::int64_t>::max());
  const bool fits = static_cast<std::int64_t>(dataset.features.num_bytes()) <= available;
  if (fits || device != "cpu") dataset.features = dataset.features.mapped();
  return dataset;
}

void run(const PredictFlags& flags) {
  KITH_CHECK(flags.threads >= 0, InvalidArgument, "--threads: 0 (all cores) or more is expected, got ",
             flags.threads);
  const ThreadLimit limit(flags.threads);
  const std::unique_ptr<Backend> backend = make_backend(flags.device);
  const std::optional<Checkpoint> checkpoint =
      CheckpointFolder(flags.folder).read_newest([](const std::string&, const std::string& problem) {
        std::fprintf(stderr, "kith predict: warning: %s\n", problem.c_str());
      });
  KITH_CHECK(checkpoint, IoError, flags.folder, ": there is no checkpoint");
  const Dataset dataset = open_to_predict(flags.file, backend->name());
  const std::vector<NodeId> nodes = chosen_nodes(dataset, flags.split);
  check_fits(*checkpoint, dataset, flags.folder);
  if (!is_same_dataset(checkpoint->request, dataset)) {
    std::fprintf(stderr, "kith predict: warning: the model was trained on another dataset\n");
  }
  Model model = restore_model(*checkpoint, *backend, flags.folder);
  const Predictions predictions = predict(model, dataset, nodes, flags.with_logits);
  if (flags.with_logits) {
    write_npy(flags.output, predictions.logits, dataset.num_nodes(), predictions.num_classes);
  } else {
    write_npy(flags.output, predictions.classes, dataset.num_nodes());
  }
  const RunProgress& progress = checkpoint->progress;
  const std::string which = progress.best_epoch < 0 ? concat("the latest of epoch ", checkpoint->epoch())
                                                    : concat("those of epoch ", progress.best_epoch);
  std::printf("%zu nodes in %s; parameters: %s\n", nodes.size(), flags.output.c_str(), which.c_str());
}

}  // namespace

void add_predict_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("predict", "Classify the nodes of a dataset with a trained model");
  auto flags = std::make_shared<PredictFlags>();
  command->add_option("file", flags->file, "Dataset made by kith prepare or kith generate")->required();
  command->option_defaults()->always_capture_default();
  command
      ->add_option("--checkpoint", flags->folder,
                   "Folder of kith train --checkpoint; its best epoch so far counts")
      ->required();
  command
      ->add_option("-o,--output", flags->output,
                   "int32 [nodes] in a .npy file, in ascending order of the ids in the source")
      ->required();
  command->add_option("--split", flags->split, "all, train, valid or test; the other nodes get -1");
  command->add_flag("--logits", flags->with_logits,
                    "float32 [nodes, classes] instead; NaN for the other nodes");
  command->add_option("--device", flags->device, "auto, cpu or cuda");
  command->add_option("--threads", flags->threads, "0 = all cores");
  command->footer(
      "Example: train, then classify every node\n"
      "  kith train products.kith.h5 --checkpoint run/\n"
      "  kith predict products.kith.h5 --checkpoint run/ -o classes.npy");
  command->callback([flags] { run(*flags); });
}

}  // namespace kith
