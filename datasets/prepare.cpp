#include "datasets/prepare.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "datasets/attached_source.h"
#include "datasets/memory_plan.h"
#include "datasets/prepare_output.h"
#include "datasets/prepare_stages.h"
#include "datasets/work_folder.h"
#include "graph/dataset_file.h"
#include "graph/errors.h"
#include "graph/memory_limit.h"
#include "graph/printable.h"
#include "graph/row_blocks.h"
#include "partition/simple_graph.h"
#include "train/report.h"

namespace kith {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kStageFormat = 1;  ///< of the files in the work folder

// Says a line when a stage begins and adds the stage's seconds to where they belong when it ends.
class Stage {
 public:
  Stage(const PrepareOptions& options, const std::string& line, double& seconds) : seconds_(seconds) {
    if (options.progress) options.progress(line);
  }
  ~Stage() { seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

 private:
  double& seconds_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

NodeData take_nodes(NodeData& data) {
  return {.original_id = std::move(data.original_id),
          .labels = std::move(data.labels),
          .splits = std::move(data.splits),
          .feature_dim = data.feature_dim,
          .feature_type = data.feature_type};
}

std::int64_t bytes_of(const Labels& labels) {
  return static_cast<std::int64_t>(labels.indicator.size() + labels.of_node.size() * sizeof(std::int32_t));
}

std::unique_ptr<Source> open_with_node_data(const PrepareOptions& options) {
  std::unique_ptr<Source> source = open_source(options.source, options.format);
  if (!options.node_data.empty())
    source = attach_node_data(std::move(source), options.source, options.node_data);
  if (options.random_split) {
    NodeData& data = source->node_data();
    KITH_CHECK(data.splits.empty(), InvalidArgument, options.source,
               ": has a split, so --random-split would drop it");
    data.splits = random_split(data.labels, source->num_nodes(), *options.random_split, options.partition.seed);
  }
  return source;
}

/// One run, stage by stage; a stage that an earlier run finished is taken over.
class Preparation {
 public:
  explicit Preparation(const PrepareOptions& options)
      : options_(options), folder_(options.output, options.progress), writer_(options.output) {
    report_.output = options.output;
    report_.memory_bytes = options.memory_bytes;
    if (options.keep_stages == KeepStages::never) folder_.remove();
    has_stages_ = folder_.kept_bytes() > 0;
  }

  PrepareReport run() {
    try {
      run_stages();
    } catch (...) {
      if (const std::int64_t bytes = folder_.kept_bytes(); bytes > 0) {
        say(concat(folder_.path(), " keeps the finished stages (", (bytes + (1 << 20) - 1) >> 20,
                   " MiB): the same command goes on from there"));
      }
      throw;
    }
    folder_.remove();
    if (scratch_) report_.temporary_bytes += scratch_->written_bytes;
    report_.peak_rss_bytes = peak_rss_bytes();
    return report_;
  }

 private:
  void say(const std::string& line) const {
    if (options_.progress) options_.progress(line);
  }

  void run_stages() {
    CleanStage clean = import_and_clean();
    report_.counts = clean.counts;
    report_.is_directed = clean.is_directed;
    report_.num_nodes = num_nodes(clean.graph);
    report_.num_edges = num_edges(clean.graph);
    report_.feature_dim = clean.nodes.feature_dim;
    report_.feature_type = options_.feature_type.value_or(clean.nodes.feature_type);
    FinishedStages stages;
    stages.communities = find_communities(clean);
    report_.method = stages.communities.method;
    report_.metis_bytes = stages.communities.metis_bytes;
    RenumberStage renumbered = renumber_graph(std::move(clean.graph), stages.communities.hierarchy);
    report_.levels = std::move(renumbered.levels);
    stages.graph = std::move(renumbered.graph);
    stages.nodes = std::move(clean.nodes);
    write(std::move(stages));
  }

  /// Decides where the edges are.
  void plan(const GraphSize& size) {
    const std::optional<std::size_t> buffers = plan_buffers(size, options_.memory_bytes, available_memory());
    node_bytes_ = node_bytes(size);
    report_.are_edges_in_files = buffers.has_value();
    if (!buffers) return;
    scratch_ = Scratch{.folder = folder_.path(), .memory_bytes = *buffers};
    say(concat("the edges do not fit in memory: they are sorted in ", folder_.path(), ", with buffers of ",
               (*buffers + (1 << 20) - 1) >> 20, " MiB"));
  }

  bool keeps_stages() const {
    return options_.keep_stages == KeepStages::always ||
           (options_.keep_stages == KeepStages::automatic && (scratch_ || is_large_));
  }

  /// Keeps a finished stage, if stages are kept; returns its record.
  template <typename Identity, typename Finished>
  StageRecord keep(const Identity& identity, const Finished& stage) {
    if (!keeps_stages()) return {};
    const StageRecord record = save_stage(folder_, identity(), stage);
    for (const auto& [name, seal] : record.files) {
      report_.temporary_bytes += static_cast<std::int64_t>(seal.num_bytes);
    }
    return record;
  }

  void note_resumed(const char* stage) {
    report_.resumed.emplace_back(stage);
    say(concat("resumed: stage ", stage, " of an earlier run, from ", folder_.path()));
  }

  CleanStage import_and_clean() {
    std::optional<CleanStage> kept;
    if (has_stages_) kept = load_clean(folder_, clean_identity(), clean_record_);
    if (kept) {
      note_resumed("clean");
      is_large_ = true;
      plan({.num_nodes = num_nodes(kept->graph),
            .num_entries = num_edges(kept->graph),
            .has_edge_ids = options_.build.keep_edge_ids,
            .is_directed = kept->is_directed,
            .label_bytes = bytes_of(kept->nodes.labels)});
      return std::move(*kept);
    }
    CleanStage stage;
    {
      const Stage timed(options_, concat("opening ", options_.source), report_.seconds.import);
      source_ = open_with_node_data(options_);
      stage.nodes = take_nodes(source_->node_data());
    }
    const Stage timed(options_, "reading and cleaning the edges", report_.seconds.clean);
    BuildOptions build = options_.build;
    build.symmetrize = build.symmetrize || source_->is_undirected();
    stage.is_directed = !build.symmetrize;
    is_large_ = source_->num_stored_edges() >= kStagesFrom;
    plan({.num_nodes = source_->num_nodes(),
          .num_entries = (build.symmetrize ? 2 : 1) * source_->num_stored_edges(),
          .has_edge_ids = build.keep_edge_ids,
          .is_directed = stage.is_directed,
          .label_bytes = bytes_of(stage.nodes.labels)});
    if (scratch_) {
      stage.graph = clean_to_files(*source_, build, graph_paths(folder_, "clean", build.keep_edge_ids),
                                   *scratch_, stage.counts);
    } else {
      BuiltGraph built = build_graph(*source_, build);
      stage.counts = built.counts;
      stage.graph = std::move(built);
    }
    source_->release_edges();
    clean_record_ = keep([&] { return clean_identity(); }, stage);
    return stage;
  }

  Json clean_identity() const {
    const BuildOptions& build = options_.build;
    return {{"version", kVersion},
            {"stage format", kStageFormat},
            {"source", identity_of_files(options_.source)},
            {"--from", static_cast<int>(options_.format)},
            {"--node-data", options_.node_data.empty() ? Json() : identity_of_files(options_.node_data)},
            {"--random-split", split_identity()},
            {"--symmetrize", build.symmetrize},
            {"--drop-self-loops", build.drop_self_loops},
            {"--edge-ids", build.keep_edge_ids}};
  }

  Json split_identity() const {
    if (!options_.random_split) return {};
    return {options_.random_split->train, options_.random_split->valid, options_.partition.seed};
  }

  CommunityStage find_communities(CleanStage& clean) {
    if (has_stages_ && !clean_record_.files.empty()) {
      if (std::optional<CommunityStage> kept =
              load_communities(folder_, communities_identity(), communities_record_)) {
        note_resumed("communities");
        return std::move(*kept);
      }
    }
    const Stage timed(
        options_,
        concat("finding communities of ", report_.num_nodes, " nodes and ", report_.num_edges, " edges"),
        report_.seconds.partition);
    CommunityStage stage;
    describe_method(stage);
    stage.hierarchy = scratch_ ? hierarchy_in_files(std::get<FileGraph>(clean.graph), clean.counts)
                               : hierarchy_in_memory(in_memory(clean.graph).graph.view());
    communities_record_ = keep([&] { return communities_identity(); }, stage);
    return stage;
  }

  Json communities_identity() const {
    const PartitionOptions& partition = options_.partition;
    const bool are_given = !options_.communities_from.empty();
    return {{"version", kVersion},
            {"stage format", kStageFormat},
            {"cleaned graph", content_of(clean_record_)},
            {"--communities-from", are_given ? identity_of_files(options_.communities_from) : Json()},
            {"--method", static_cast<int>(partition.method)},
            {"--communities", partition.num_communities},
            {"--community-size", partition.community_size},
            {"--levels", partition.num_levels},
            {"--imbalance", partition.imbalance},
            {"--seed", partition.seed}};
  }

  void describe_method(CommunityStage& stage) const {
    const PartitionOptions& partition = options_.partition;
    stage.method = options_.communities_from.empty() ? "lpa" : "file";
    if (stage.method == "file" || partition.method != PartitionMethod::metis || report_.num_nodes == 0) return;
    stage.method = "metis";
    const auto by_size = static_cast<std::int32_t>(
        std::lround(report_.num_nodes / static_cast<double>(std::max(1, partition.community_size))));
    const std::int32_t count = partition.num_communities > 0 ? partition.num_communities : std::max(1, by_size);
    // METIS sees both directions of every edge.
    const EdgeOffset num_entries = report_.is_directed ? 2 * report_.num_edges : report_.num_edges;
    stage.metis_bytes = estimate_metis_bytes(report_.num_nodes, num_entries, count);
  }

  /// What METIS may take, beside bytes that are taken already.
  std::optional<std::int64_t> room_beside(std::int64_t taken_bytes) const {
    if (options_.memory_bytes == 0) return available_memory();
    return std::max<std::int64_t>(options_.memory_bytes - taken_bytes, 0);
  }

  Hierarchy find(const FoundGraph& graph, std::int64_t taken_bytes) const {
    if (options_.communities_from.empty()) {
      return find_hierarchy(graph, room_beside(taken_bytes), options_.partition);
    }
    return hierarchy_from(graph, read_communities(options_.communities_from, report_.num_nodes),
                          options_.partition);
  }

  Hierarchy hierarchy_in_memory(CsrView graph) const {
    const SimpleGraph simple(graph);
    const auto taken = static_cast<std::int64_t>(graph.offsets.size_bytes() + graph.neighbors.size_bytes() +
                                                 (simple.is_copy() ? simple.view().neighbors.size_bytes() : 0));
    return find({graph.offsets, simple.view()}, taken);
  }

  Hierarchy hierarchy_in_files(const FileGraph& graph, const BuildCounts& counts) {
    if (!report_.is_directed && counts.self_loops == counts.self_loops_dropped) {
      return find({graph.offsets, RowBlocks(graph.paths.neighbors, graph.offsets, *scratch_)}, node_bytes_);
    }
    const std::string path = folder_.file("runs", "simple");
    const FileGraph simple = simple_to_file(graph, !report_.is_directed, path, *scratch_);
    report_.temporary_bytes += static_cast<std::int64_t>(simple.neighbors.num_bytes);
    Hierarchy found = find({graph.offsets, RowBlocks(path, simple.offsets, *scratch_)}, node_bytes_);
    std::filesystem::remove(path);
    return found;
  }

  /// A graph that an earlier run left in files is read when it is needed.
  BuiltGraph& in_memory(StageGraph& graph) const {
    if (const auto* files = std::get_if<FileGraph>(&graph)) graph = load_graph(*files, report_.counts);
    return std::get<BuiltGraph>(graph);
  }

  RenumberStage renumber_graph(StageGraph graph, const Hierarchy& hierarchy) {
    if (has_stages_ && !communities_record_.files.empty()) {
      StageRecord record;
      if (std::optional<RenumberStage> kept = load_renumbered(folder_, renumber_identity(), record)) {
        note_resumed("renumber");
        if (!scratch_) in_memory(kept->graph);
        return std::move(*kept);
      }
    }
    const Stage timed(options_, "renumbering by community", report_.seconds.renumber);
    RenumberStage stage;
    if (scratch_) {
      stage.graph =
          renumber_to_files(std::get<FileGraph>(graph), hierarchy.old_of_new,
                            graph_paths(folder_, "renumber", options_.build.keep_edge_ids), *scratch_);
    } else {
      BuiltGraph& built = in_memory(graph);
      built.graph = renumber(built.graph.view(), hierarchy.old_of_new, built.edge_id);
      stage.graph = std::move(built);
    }
    measure(stage, hierarchy);
    keep([&] { return renumber_identity(); }, stage);
    return stage;
  }

  Json renumber_identity() const {
    return {{"version", kVersion},
            {"stage format", kStageFormat},
            {"cleaned graph", content_of(clean_record_)},
            {"communities", content_of(communities_record_)}};
  }

  void measure(RenumberStage& stage, const Hierarchy& hierarchy) {
    const auto add_levels = [&](const RowBlocks& rows) {
      for (const Communities& level : hierarchy.levels) stage.levels.push_back(measure_quality(rows, level));
    };
    if (const auto* built = std::get_if<BuiltGraph>(&stage.graph)) {
      add_levels(built->graph.view());
    } else {
      const auto& files = std::get<FileGraph>(stage.graph);
      add_levels(RowBlocks(files.paths.neighbors, files.offsets, *scratch_));
    }
  }

  void write(FinishedStages stages) {
    const Stage timed(options_, concat("writing ", options_.output), report_.seconds.write);
    if (report_.feature_dim > 0 && source_ == nullptr) {
      source_ = open_with_node_data(options_);
      const bool is_same =
          source_->num_nodes() == report_.num_nodes && source_->node_data().feature_dim == report_.feature_dim;
      KITH_CHECK(is_same, IoError, options_.source, ": the source changed since its edges were read");
    }
    write_output(writer_, std::move(stages), report_.feature_dim > 0 ? source_.get() : nullptr,
                 scratch_ ? &*scratch_ : nullptr, options_, report_);
  }

  const PrepareOptions& options_;
  PrepareReport report_;
  WorkFolder folder_;
  DatasetWriter writer_;  // made before the work, so that a place that cannot be written to is found at once
  std::unique_ptr<Source> source_;  // nullptr if all that it is needed for was kept
  std::optional<Scratch> scratch_;  // if the edges lie in files
  std::int64_t node_bytes_ = 0;
  bool is_large_ = false;
  bool has_stages_ = false;  // of an earlier run; without them and without keeping any, nothing is identified
  StageRecord clean_record_, communities_record_;  // without files if they are not kept
};

}  // namespace

KeepStages parse_keep_stages(std::string_view name) {
  if (name == "auto") return KeepStages::automatic;
  if (name == "always") return KeepStages::always;
  if (name == "never") return KeepStages::never;
  throw InvalidArgument(concat("--keep-stages: auto, always or never is expected, got '", name, "'"));
}

std::vector<std::int32_t> read_communities(const std::string& path, NodeId num_nodes) {
  std::ifstream in(path);
  KITH_CHECK(in && !std::filesystem::is_directory(path), IoError, path, ": cannot be read");
  std::vector<std::int32_t> communities;
  communities.reserve(static_cast<std::size_t>(num_nodes));
  std::string line;
  while (std::getline(in, line)) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    std::int32_t community = -1;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), community);
    KITH_CHECK(error == std::errc() && end == line.data() + line.size() && community >= 0, IoError, path,
               ": line ", communities.size() + 1, ": expected the number of a community, got '",
               printable(line.substr(0, 40)), "'");
    communities.push_back(community);
  }
  KITH_CHECK(!in.bad(), IoError, path, ": cannot be read");
  KITH_CHECK(communities.size() == static_cast<std::size_t>(num_nodes), IoError, path, ": expected ", num_nodes,
             " lines, one a node, got ", communities.size());
  return communities;
}

PrepareReport prepare(const PrepareOptions& options) { return Preparation(options).run(); }

}  // namespace kith
