// What a dataset file holds, for people and programs.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "graph/dataset.h"
#include "partition/hierarchy.h"

namespace kith {

struct DegreeSummary {
  NodeId smallest = 0, median = 0, p99 = 0, largest = 0;
  double mean = 0;
  std::int64_t num_isolated = 0;  ///< no in-neighbour
};

/// A dataset in numbers.
struct InfoReport {
  std::string path;
  bool is_verified = false;  ///< every checksum and every feature value was checked
  NodeId num_nodes = 0;
  EdgeOffset num_edges = 0;
  DegreeSummary in_degree;
  bool has_edge_ids = false;
  std::int32_t feature_dim = 0;
  FeatureType feature_type = FeatureType::f32;
  std::int32_t num_classes = 0;
  bool is_multi_label = false;
  std::vector<std::int64_t> label_counts;     ///< [num_classes] nodes with each class
  std::int64_t num_unlabelled = 0;            ///< nodes without any class
  std::array<std::int64_t, 3> split_sizes{};  ///< train, valid, test
  std::vector<LevelQuality> levels;           ///< finest first
  Provenance provenance;
};

/// Reads the file and counts. `verify` checks every checksum and refuses features that are not finite.
/// Throws IoError as read_dataset does.
InfoReport inspect_dataset(const std::string& path, bool verify);

nlohmann::ordered_json to_json(const InfoReport& report);
std::string to_text(const InfoReport& report);  ///< a table of lines, each ending in a newline

}  // namespace kith
