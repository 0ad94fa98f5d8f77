#include "datasets/generate_command.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "datasets/generate.h"
#include "datasets/quality_json.h"
#include "train/report.h"

namespace kith {
namespace {

struct GenerateFlags {
  std::string output;
  std::string json;
  std::string feature_type = "f32";
  GenerateOptions options;
};

nlohmann::ordered_json describe(const GenerateFlags& flags, const Dataset& dataset,
                                const std::vector<LevelQuality>& levels, double seconds) {
  nlohmann::ordered_json level_list = nlohmann::ordered_json::array();
  for (const LevelQuality& level : levels) level_list.push_back(to_json(level));
  return {{"output", flags.output},
          {"nodes", dataset.num_nodes()},
          {"edges", dataset.graph.num_edges()},
          {"features", flags.options.feature_dim},
          {"classes", dataset.labels.num_classes},
          {"splits",
           {{"train", dataset.splits.train.size()},
            {"valid", dataset.splits.valid.size()},
            {"test", dataset.splits.test.size()}}},
          {"levels", std::move(level_list)},
          {"seed", flags.options.seed},
          {"seconds", seconds},
          {"peak_rss_bytes", peak_rss_bytes()},
          {"version", kVersion}};
}

void run(const GenerateFlags& flags) {
  const auto start = std::chrono::steady_clock::now();
  GenerateOptions options = flags.options;
  options.feature_type = parse_feature_type(flags.feature_type);
  const Dataset dataset = generate_dataset(flags.output, options, [](const std::string& line) {
    std::fprintf(stderr, "kith generate: %s\n", line.c_str());
  });
  std::vector<LevelQuality> levels;
  for (const Communities& level : dataset.levels)
    levels.push_back(measure_quality(dataset.graph.view(), level));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!flags.json.empty()) write_text(flags.json, json_text(describe(flags, dataset, levels, seconds)));
  if (flags.json == "-") return;
  std::printf("%s: %d nodes, %lld edges (%.1f s)\n%s", flags.output.c_str(), dataset.num_nodes(),
              static_cast<long long>(dataset.graph.num_edges()), seconds, to_text(levels).c_str());
}

void add_graph_options(CLI::App& command, GenerateOptions& options) {
  command.add_option("--nodes", options.num_nodes, "Nodes")->required();
  command
      .add_option("--edges", options.num_edges,
                  "Directed edges of the result, even: an undirected edge is stored in both directions and "
                  "counts twice")
      ->required();
  command.add_option("--communities", options.num_communities, "Fine communities; 0 = one per 250 nodes");
  command.add_option("--coarse-communities", options.num_coarse,
                     "Coarse communities; 0 = one per 16 fine ones");
  command
      .add_option("--intra", options.intra,
                  "Share of the edges inside a fine community; half of the others stay inside the coarse one")
      ->capture_default_str();
  command.add_option("--degree-exponent", options.degree_exponent, "Exponent of the degree distribution, > 1")
      ->capture_default_str();
}

void add_node_options(CLI::App& command, GenerateFlags& flags) {
  GenerateOptions& options = flags.options;
  command.add_option("--features", options.feature_dim, "Features a node; 0 = none")->capture_default_str();
  command.add_option("--feature-dtype", flags.feature_type, "f32, f16 or bf16")->capture_default_str();
  command.add_option("--classes", options.num_classes, "Classes")->capture_default_str();
  command
      .add_option("--feature-noise", options.feature_noise,
                  "Standard deviation of each feature; the means of two classes are about 1.4 apart")
      ->capture_default_str();
  command.add_option("--label-noise", options.label_noise, "Share of the nodes with a random label")
      ->capture_default_str();
  command.add_option("--train-share", options.train_share, "Share of training nodes; the rest is halved")
      ->capture_default_str();
  command.add_option("--seed", options.seed, "The same seed gives the same file")->capture_default_str();
}

}  // namespace

void add_generate_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("generate", "Make a graph with communities, features and labels");
  auto flags = std::make_shared<GenerateFlags>();
  command->add_option("-o,--output", flags->output, "Dataset to write (*.kith.h5)")->required();
  add_graph_options(*command, flags->options);
  add_node_options(*command, *flags);
  command->add_option("--json", flags->json, "Write the report here; '-' = stdout");
  command->footer(
      "Example: a graph on which neighbours tell much more than a node's own features\n"
      "  kith generate -o demo.kith.h5 --nodes 100000 --edges 2000000 --communities 400");
  command->callback([flags] { run(*flags); });
}

}  // namespace kith
