#include "datasets/prepare_stages.h"

#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "graph/append_file.h"
#include "graph/errors.h"

namespace kith {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kClean = "clean";
constexpr const char* kCommunities = "communities";
constexpr const char* kRenumber = "renumber";

/// Writes the arrays of one stage; empty ones leave no file.
class ArraySaver {
 public:
  ArraySaver(const WorkFolder& folder, const char* stage) : folder_(folder), stage_(stage) {}

  template <typename T>
  void save(const std::string& name, std::span<const T> values) {
    if (!values.empty()) record.files[name] = write_values(folder_.file(stage_, name), values);
  }

  void save(const StageGraph& graph) {
    if (const auto* built = std::get_if<BuiltGraph>(&graph)) {
      const CsrView view = built->graph.view();
      save("offsets", view.offsets);
      record.files["neighbors"] = write_values(folder_.file(stage_, "neighbors"), view.neighbors);
      save("edge_id", std::span(built->edge_id));
      return;
    }
    const auto& files = std::get<FileGraph>(graph);
    save("offsets", std::span(files.offsets));
    record.files["neighbors"] = files.neighbors;
    if (!files.paths.edge_id.empty()) record.files["edge_id"] = files.edge_id;
  }

  StageRecord record;

 private:
  const WorkFolder& folder_;
  std::string stage_;
};

/// Reads them again.
class ArrayLoader {
 public:
  ArrayLoader(const WorkFolder& folder, const char* stage, const StageRecord& record)
      : folder_(folder), stage_(stage), record_(record) {}

  bool has(const std::string& name) const { return record_.files.contains(name); }

  template <typename T>
  std::vector<T> load(const std::string& name) const {
    const auto found = record_.files.find(name);
    if (found == record_.files.end()) return {};
    return read_values<T>(folder_.file(stage_, name), found->second);
  }

  FileGraph load_graph() const {
    FileGraph graph;
    graph.paths = graph_paths(folder_, stage_, has("edge_id"));
    graph.offsets = load<EdgeOffset>("offsets");
    graph.neighbors = record_.files.at("neighbors");
    if (has("edge_id")) graph.edge_id = record_.files.at("edge_id");
    return graph;
  }

 private:
  const WorkFolder& folder_;
  std::string stage_;
  const StageRecord& record_;
};

Json to_facts(const LevelQuality& level) {
  return {{"communities", level.num_communities},
          {"smallest", level.smallest},
          {"median", level.median},
          {"largest", level.largest},
          {"intra_edge_fraction", level.intra_edge_fraction},
          {"modularity", level.modularity}};
}

LevelQuality level_in(const Json& facts) {
  return {.num_communities = facts.at("communities"),
          .smallest = facts.at("smallest"),
          .median = facts.at("median"),
          .largest = facts.at("largest"),
          .intra_edge_fraction = facts.at("intra_edge_fraction"),
          .modularity = facts.at("modularity")};
}

Json to_facts(const CleanStage& stage) {
  const BuildCounts& counts = stage.counts;
  return {{"source_edges", counts.source_edges},
          {"self_loops", counts.self_loops},
          {"self_loops_dropped", counts.self_loops_dropped},
          {"duplicates_dropped", counts.duplicates_dropped},
          {"edges_added", counts.edges_added},
          {"directed", stage.is_directed},
          {"feature_dim", stage.nodes.feature_dim},
          {"feature_type", name_of(stage.nodes.feature_type)},
          {"classes", stage.nodes.labels.num_classes}};
}

}  // namespace

NodeId num_nodes(const StageGraph& graph) {
  const auto* built = std::get_if<BuiltGraph>(&graph);
  return built != nullptr ? built->graph.num_nodes() : std::get<FileGraph>(graph).num_nodes();
}

EdgeOffset num_edges(const StageGraph& graph) {
  const auto* built = std::get_if<BuiltGraph>(&graph);
  return built != nullptr ? built->graph.num_edges() : std::get<FileGraph>(graph).num_edges();
}

GraphPaths graph_paths(const WorkFolder& folder, const std::string& stage, bool has_edge_ids) {
  return {folder.file(stage, "neighbors"), has_edge_ids ? folder.file(stage, "edge_id") : std::string()};
}

BuiltGraph load_graph(const FileGraph& graph, const BuildCounts& counts) {
  BuiltGraph built;
  built.graph = CsrGraph(graph.offsets, read_values<NodeId>(graph.paths.neighbors, graph.neighbors), "prepare");
  if (!graph.paths.edge_id.empty()) built.edge_id = read_values<EdgeOffset>(graph.paths.edge_id, graph.edge_id);
  built.counts = counts;
  return built;
}

StageRecord save_stage(WorkFolder& folder, const Json& identity, const CleanStage& stage) {
  ArraySaver saver(folder, kClean);
  saver.save(stage.graph);
  saver.save("original_id", std::span(stage.nodes.original_id));
  saver.save("label", std::span(stage.nodes.labels.of_node));
  saver.save("indicator", std::span(stage.nodes.labels.indicator));
  saver.save("train", std::span(stage.nodes.splits.train));
  saver.save("valid", std::span(stage.nodes.splits.valid));
  saver.save("test", std::span(stage.nodes.splits.test));
  saver.record.facts = to_facts(stage);
  folder.save(kClean, identity, saver.record);
  return saver.record;
}

std::optional<CleanStage> load_clean(WorkFolder& folder, const Json& identity, StageRecord& record) {
  std::optional<StageRecord> found = folder.load(kClean, identity);
  if (!found) return std::nullopt;
  record = std::move(*found);
  const ArrayLoader loader(folder, kClean, record);
  const Json& facts = record.facts;
  CleanStage stage;
  stage.graph = loader.load_graph();
  stage.counts = {.source_edges = facts.at("source_edges"),
                  .self_loops = facts.at("self_loops"),
                  .self_loops_dropped = facts.at("self_loops_dropped"),
                  .duplicates_dropped = facts.at("duplicates_dropped"),
                  .edges_added = facts.at("edges_added")};
  stage.is_directed = facts.at("directed");
  NodeData& nodes = stage.nodes;
  nodes.original_id = loader.load<std::int64_t>("original_id");
  nodes.labels = {.of_node = loader.load<std::int32_t>("label"),
                  .indicator = loader.load<std::uint8_t>("indicator"),
                  .num_classes = facts.at("classes")};
  nodes.splits = {.train = loader.load<NodeId>("train"),
                  .valid = loader.load<NodeId>("valid"),
                  .test = loader.load<NodeId>("test")};
  nodes.feature_dim = facts.at("feature_dim");
  nodes.feature_type = parse_feature_type(facts.at("feature_type").get<std::string>());
  return stage;
}

StageRecord save_stage(WorkFolder& folder, const Json& identity, const CommunityStage& stage) {
  ArraySaver saver(folder, kCommunities);
  saver.save("old_of_new", std::span(stage.hierarchy.old_of_new));
  for (std::size_t level = 0; level < stage.hierarchy.levels.size(); ++level) {
    saver.save(concat("level", level), stage.hierarchy.levels[level].offsets());
  }
  saver.record.facts = {
      {"method", stage.method}, {"metis_bytes", stage.metis_bytes}, {"levels", stage.hierarchy.levels.size()}};
  folder.save(kCommunities, identity, saver.record);
  return saver.record;
}

std::optional<CommunityStage> load_communities(WorkFolder& folder, const Json& identity, StageRecord& record) {
  std::optional<StageRecord> found = folder.load(kCommunities, identity);
  if (!found) return std::nullopt;
  record = std::move(*found);
  const ArrayLoader loader(folder, kCommunities, record);
  CommunityStage stage;
  stage.method = record.facts.at("method");
  stage.metis_bytes = record.facts.at("metis_bytes");
  stage.hierarchy.old_of_new = loader.load<NodeId>("old_of_new");
  const auto num_nodes = static_cast<NodeId>(stage.hierarchy.old_of_new.size());
  for (std::size_t level = 0; level < record.facts.at("levels").get<std::size_t>(); ++level) {
    stage.hierarchy.levels.emplace_back(loader.load<EdgeOffset>(concat("level", level)), num_nodes, "prepare");
  }
  return stage;
}

StageRecord save_stage(WorkFolder& folder, const Json& identity, const RenumberStage& stage) {
  ArraySaver saver(folder, kRenumber);
  saver.save(stage.graph);
  Json levels = Json::array();
  for (const LevelQuality& level : stage.levels) levels.push_back(to_facts(level));
  saver.record.facts = {{"levels", std::move(levels)}};
  folder.save(kRenumber, identity, saver.record);
  return saver.record;
}

std::optional<RenumberStage> load_renumbered(WorkFolder& folder, const Json& identity, StageRecord& record) {
  std::optional<StageRecord> found = folder.load(kRenumber, identity);
  if (!found) return std::nullopt;
  record = std::move(*found);
  RenumberStage stage;
  stage.graph = ArrayLoader(folder, kRenumber, record).load_graph();
  for (const Json& level : record.facts.at("levels")) stage.levels.push_back(level_in(level));
  return stage;
}

Json content_of(const StageRecord& record) {
  Json content = Json::object();
  for (const auto& [name, seal] : record.files) content[name] = seal.checksum;
  return content;
}

}  // namespace kith
