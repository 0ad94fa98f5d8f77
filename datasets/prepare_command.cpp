#include "datasets/prepare_command.h"

#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "datasets/prepare.h"
#include "datasets/quality_json.h"
#include "graph/errors.h"
#include "train/report.h"
#include "train/staging/byte_size.h"

namespace kith {
namespace {

struct PrepareFlags {
  PrepareOptions options;
  std::string format = "auto";
  std::string method = "metis";
  std::string feature_type;
  std::string random_split;
  std::string normalize = "none";
  std::string cache;
  std::string memory;
  std::string keep_stages = "auto";
  std::string json;
};

void say(const std::string& line) { std::fprintf(stderr, "kith prepare: %s\n", line.c_str()); }

std::string default_cache_dir() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache != '\0') return std::string(cache) + "/kith";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home != '\0') return std::string(home) + "/.cache/kith";
  return {};
}

// A cache that cannot be had is no reason not to prepare.
std::string usable_cache_dir(const std::string& wish) {
  if (wish == "none") return {};
  const std::string dir = wish.empty() ? default_cache_dir() : wish;
  if (dir.empty()) return dir;
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (!error) return dir;
  say(concat("no partition cache: ", dir, ": ", error.message()));
  return {};
}

std::int64_t physical_memory() {
  return static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGESIZE);
}

PrepareOptions resolve(const PrepareFlags& flags) {
  PrepareOptions options = flags.options;
  options.format = parse_source_format(flags.format);
  options.partition.method = parse_partition_method(flags.method);
  if (!flags.feature_type.empty()) options.feature_type = parse_feature_type(flags.feature_type);
  if (!flags.random_split.empty()) options.random_split = SplitShares::parse(flags.random_split);
  KITH_CHECK(flags.normalize == "none" || flags.normalize == "rows", InvalidArgument,
             "--normalize-features: none or rows is expected, got '", flags.normalize, "'");
  options.normalize_rows = flags.normalize == "rows";
  options.keep_stages = parse_keep_stages(flags.keep_stages);
  if (!flags.memory.empty()) {
    options.memory_bytes = parse_bytes(flags.memory, physical_memory(), "--memory");
    KITH_CHECK(options.memory_bytes > 0, InvalidArgument, "--memory: more than 0 bytes are expected, got '",
               flags.memory, "'");
  }
  options.partition.cache_dir = usable_cache_dir(flags.cache);
  options.progress = say;
  options.partition.progress = say;
  return options;
}

void print(const PrepareReport& report) {
  const BuildCounts& counts = report.counts;
  const PrepareSeconds& seconds = report.seconds;
  std::printf("%s: %d nodes, %lld edges\n", report.output.c_str(), report.num_nodes,
              static_cast<long long>(report.num_edges));
  std::printf(
      "edges        %lld read, %lld duplicates dropped, %lld of %lld self-loops dropped, %lld added as "
      "reverse\n",
      static_cast<long long>(counts.source_edges), static_cast<long long>(counts.duplicates_dropped),
      static_cast<long long>(counts.self_loops_dropped), static_cast<long long>(counts.self_loops),
      static_cast<long long>(counts.edges_added));
  std::fputs(to_text(report.levels).c_str(), stdout);
  std::printf("seconds      import %.2f, clean %.2f, partition %.2f, renumber %.2f, write %.2f\n",
              seconds.import, seconds.clean, seconds.partition, seconds.renumber, seconds.write);
  const auto mebibytes = [](std::int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); };
  std::printf("memory       %.0f MiB at the peak, %.0f MiB of temporary files%s\n",
              mebibytes(report.peak_rss_bytes), mebibytes(report.temporary_bytes),
              report.are_edges_in_files ? "; the edges were sorted in files" : "");
}

void run(const PrepareFlags& flags) {
  const PrepareReport report = prepare(resolve(flags));
  if (!flags.json.empty()) write_text(flags.json, json_text(to_json(report)));
  if (flags.json != "-") print(report);
}

void add_source_options(CLI::App& command, PrepareFlags& flags) {
  PrepareOptions& options = flags.options;
  command.add_option("SRC", options.source, "File or folder to import")->required();
  command.add_option("-o,--output", options.output, "Dataset to write (*.kith.h5)")->required();
  command.add_option("--from", flags.format, "auto, npz, ogb, planetoid, edgelist, metis, mtx or kith")
      ->capture_default_str();
  command.add_option(
      "--node-data", options.node_data,
      "Features, labels and masks of the nodes: .npz with x, y, train_mask, val_mask, test_mask, where "
      "row v is the node with the id v");
  command.add_option(
      "--random-split", flags.random_split,
      "Shares of the labelled nodes for training and validation, where the data have no split: 0.6,0.2");
  command.add_flag("--symmetrize", options.build.symmetrize, "Add the reverse of every edge that has none");
  command.add_flag("--drop-self-loops", options.build.drop_self_loops, "Leave edges from a node to itself out");
  command.add_flag("--edge-ids", options.build.keep_edge_ids, "Keep each edge's position in the source");
  command.add_option("--feature-dtype", flags.feature_type, "f32, f16 or bf16; otherwise as in the source");
  command
      .add_option("--normalize-features", flags.normalize,
                  "none, or rows: divide each row by its sum of absolute values")
      ->capture_default_str();
}

void add_partition_options(CLI::App& command, PrepareFlags& flags) {
  PartitionOptions& partition = flags.options.partition;
  CLI::Option* count =
      command.add_option("--communities", partition.num_communities, "Communities of the finest level");
  command
      .add_option("--community-size", partition.community_size, "Mean nodes a community at the finest level")
      ->capture_default_str()
      ->excludes(count);
  command.add_option("--levels", partition.num_levels, "Nested levels, each about 16 times coarser")
      ->capture_default_str();
  command.add_option("--imbalance", partition.imbalance, "The largest part may be (1 + X) times the mean")
      ->capture_default_str();
  command.add_option("--method", flags.method, "metis or lpa (size-bounded label propagation, faster)")
      ->capture_default_str();
  command.add_flag("!--no-memory-check", partition.checks_memory,
                   "Start METIS even if there seems to be too little memory for it");
  command.add_option("--communities-from", flags.options.communities_from,
                     "Text file with the community of each node, a line each, in the source's order");
  command.add_option(
      "--partition-cache", flags.cache,
      "Folder that keeps partitions; 'none' = keep none (default $XDG_CACHE_HOME/kith or ~/.cache/kith)");
  command.add_option("--seed", partition.seed, "Seed of the partitioner and of --random-split")
      ->capture_default_str();
}

void add_memory_options(CLI::App& command, PrepareFlags& flags) {
  command.add_option(
      "--memory", flags.memory,
      "What may be used (4GiB, 10% of the RAM; default: what is available). Where the edges take more "
      "they are sorted in files in OUT.prepare, to the same result. In memory are then 80 bytes a "
      "node, labels, the graph of communities, and buffers for the rest. METIS needs the whole graph "
      "in memory and is refused where it does not fit: --method lpa and --communities-from do not. "
      "A .kith.h5 or Planetoid source holds its own edges in memory");
  command
      .add_option(
          "--keep-stages", flags.keep_stages,
          "auto, always or never: finished stages (clean, communities, renumber) stay in OUT.prepare until "
          "OUT stands, and a run that was killed goes on from them. auto: from 10 million stored edges on, "
          "and where the edges are sorted in files")
      ->capture_default_str();
}

}  // namespace

void add_prepare_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("prepare", "Import a graph, find its communities and write a dataset");
  auto flags = std::make_shared<PrepareFlags>();
  add_source_options(*command, *flags);
  add_partition_options(*command, *flags);
  add_memory_options(*command, *flags);
  command->add_option("--json", flags->json, "Write the report here; '-' = stdout");
  command->footer(
      "Example: an edge list, both directions, in communities of 256 nodes\n"
      "  kith prepare web-graph.txt.gz -o web.kith.h5 --symmetrize --community-size 256\n"
      "The same, with what NumPy knows of its nodes: numpy.savez(\"nodes.npz\", x=x, y=y)\n"
      "  kith prepare web-graph.txt.gz --node-data nodes.npz --random-split 0.6,0.2 -o web.kith.h5\n"
      "An edge list in 2 GiB, with a cheaper search for communities\n"
      "  kith prepare web-graph.txt.gz -o web.kith.h5 --symmetrize --method lpa --memory 2GiB");
  command->callback([flags] { run(*flags); });
}

}  // namespace kith
