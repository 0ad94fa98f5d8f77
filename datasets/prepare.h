// From a graph in a foreign format to a dataset file: import, clean, partition, renumber, write.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/build_graph.h"
#include "datasets/random_split.h"
#include "datasets/source.h"
#include "graph/feature_store.h"
#include "partition/hierarchy.h"
#include "partition/partition.h"

namespace kith {

/// Whether finished stages stay on disk until the output stands, so that a run that was killed goes on from
/// them.
enum class KeepStages : std::uint8_t {
  automatic,  ///< from kStagesFrom edges on, and wherever the edges lie in files anyway
  always,
  never
};

/// Below this many stored edges a run is shorter than it would be worth to go on with.
inline constexpr EdgeOffset kStagesFrom = 10'000'000;

/// "auto", "always" or "never". Throws InvalidArgument for another name.
KeepStages parse_keep_stages(std::string_view name);

/// What to prepare and how.
struct PrepareOptions {
  std::string source;  ///< file or folder
  std::string output;  ///< replaced only when the new file is complete; OUTPUT.prepare is used meanwhile
  SourceFormat format = SourceFormat::automatic;
  std::string node_data;  ///< .npz file with features, labels, splits; empty: the source has them
  std::optional<SplitShares> random_split;  ///< for data without a split; seed: that of the partition
  BuildOptions build;                       ///< a source that is undirected by itself is always symmetrised
  PartitionOptions partition;
  std::string communities_from;             ///< text file, the community of each node a line; empty = find them
  std::optional<FeatureType> feature_type;  ///< empty = as the source stores them
  bool normalize_rows = false;              ///< divide each feature row by its sum of absolute values
  std::int64_t memory_bytes = 0;            ///< what may be used; 0 = what is available
  KeepStages keep_stages = KeepStages::automatic;
  std::function<void(const std::string&)> progress;  ///< told one line a stage; may be empty
};

/// Wall clock of the stages. `import` is opening the source and its node data, `clean` reads the edges.
struct PrepareSeconds {
  double import = 0, clean = 0, partition = 0, renumber = 0, write = 0;
};

/// What came out.
struct PrepareReport {
  std::string output;
  BuildCounts counts;
  NodeId num_nodes = 0;
  EdgeOffset num_edges = 0;
  std::int32_t feature_dim = 0;
  FeatureType feature_type = FeatureType::f32;
  std::int32_t num_classes = 0;
  std::int64_t num_train = 0, num_valid = 0, num_test = 0;
  bool is_directed = false;
  std::string method;                ///< "metis", "lpa" or "file"
  std::int64_t metis_bytes = 0;      ///< what METIS was expected to need; 0 if it did not find the communities
  std::vector<LevelQuality> levels;  ///< finest first
  PrepareSeconds seconds;
  bool are_edges_in_files = false;   ///< they did not fit in memory
  std::int64_t memory_bytes = 0;     ///< the limit; 0 = none is known
  std::int64_t temporary_bytes = 0;  ///< written to files of sorted runs and to stages
  std::vector<std::string> resumed;  ///< stages of an earlier run: "clean", "communities", "renumber"
  std::int64_t peak_rss_bytes = 0;   ///< of this process
};

/// Runs the whole pipeline. Where the edges would take more than the limit, they lie in files beside the output
/// and are sorted there; the result is the same to the bit. In memory are then about 80 bytes a node, the graph
/// of communities, and buffers that fill the rest of the limit. Features pass through row by row. Throws
/// IoError (source, output), InvalidArgument (options, values that are not finite), EnvironmentError (disk
/// full, too little memory); a file that stood at `output` stays as it was then, and nothing but finished
/// stages is left.
PrepareReport prepare(const PrepareOptions& options);

/// The report as one object, quality and seconds included.
nlohmann::ordered_json to_json(const PrepareReport& report);

/// Communities by line: one non-negative number a node in the source's order, as METIS writes partitions.
/// Throws IoError if the file cannot be read, holds anything else or not num_nodes lines.
std::vector<std::int32_t> read_communities(const std::string& path, NodeId num_nodes);

}  // namespace kith
