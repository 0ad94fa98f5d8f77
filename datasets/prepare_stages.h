// What the stages of prepare hand on, and how it is kept in the work folder.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "datasets/build_graph.h"
#include "datasets/file_graph.h"
#include "datasets/source.h"
#include "datasets/work_folder.h"
#include "partition/hierarchy.h"

namespace kith {

/// A graph between two stages, its edges in memory or in files.
using StageGraph = std::variant<BuiltGraph, FileGraph>;

NodeId num_nodes(const StageGraph& graph);
EdgeOffset num_edges(const StageGraph& graph);

/// After import and cleaning, in the order of the source.
struct CleanStage {
  StageGraph graph;
  BuildCounts counts;
  bool is_directed = false;
  NodeData nodes;
};

/// After the communities were found.
struct CommunityStage {
  std::string method;
  std::int64_t metis_bytes = 0;
  Hierarchy hierarchy;
};

/// After renumbering, in the order of the communities.
struct RenumberStage {
  StageGraph graph;
  std::vector<LevelQuality> levels;  ///< finest first
};

/// Files for the graph of a stage.
GraphPaths graph_paths(const WorkFolder& folder, const std::string& stage, bool has_edge_ids);

/// Edges that lie in files, read into memory.
BuiltGraph load_graph(const FileGraph& graph, const BuildCounts& counts);

/// Each keeps a stage and returns its record, whose seals name the content. Throws IoError, EnvironmentError.
StageRecord save_stage(WorkFolder& folder, const nlohmann::ordered_json& identity, const CleanStage& stage);
StageRecord save_stage(WorkFolder& folder, const nlohmann::ordered_json& identity, const CommunityStage& stage);
StageRecord save_stage(WorkFolder& folder, const nlohmann::ordered_json& identity, const RenumberStage& stage);

/// Each returns what was kept under this identity, if WorkFolder::load has it; graphs are FileGraphs. `record`
/// receives its record.
std::optional<CleanStage> load_clean(WorkFolder& folder, const nlohmann::ordered_json& identity,
                                     StageRecord& record);
std::optional<CommunityStage> load_communities(WorkFolder& folder, const nlohmann::ordered_json& identity,
                                               StageRecord& record);
std::optional<RenumberStage> load_renumbered(WorkFolder& folder, const nlohmann::ordered_json& identity,
                                             StageRecord& record);

/// The seals of a record, as part of the identity of a later stage.
nlohmann::ordered_json content_of(const StageRecord& record);

}  // namespace kith
