// What an importer hands to prepare: edges that can be streamed as often as wanted, and node data in source
// order.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/dataset.h"
#include "graph/feature_store.h"
#include "graph/types.h"

namespace kith {

/// One edge, source -> target, in source ids [0, num_nodes).
struct Edge {
  NodeId source;
  NodeId target;
};

/// Node data of a source, in source order.
struct NodeData {
  std::vector<std::int64_t> original_id;  ///< [num_nodes], or empty: the id is the position
  Labels labels;
  Splits splits;                                ///< source ids, ascending
  std::int32_t feature_dim = 0;                 ///< 0 = no features
  FeatureType feature_type = FeatureType::f32;  ///< as the source stores them: f32 or f16
};

/// A graph in some foreign format. Reading is bounded in memory: edges and features come in chunks.
/// Every method throws IoError naming the file and the place for damaged input, ids out of range included.
class Source {
 public:
  virtual ~Source() = default;

  virtual NodeId num_nodes() const = 0;
  virtual NodeData& node_data() = 0;  ///< may be moved from, once

  /// Streams every edge as stored, in chunks, in the same order on every call.
  virtual void for_each_edges(const std::function<void(std::span<const Edge>)>& visit) = 0;

  /// How many edges for_each_edges will hand out, at most; 0 if that is not known.
  virtual EdgeOffset num_stored_edges() const { return 0; }

  /// Says that for_each_edges will not be called again, so that what it reads from can be given back.
  virtual void release_edges() {}

  /// Streams feature rows 0..num_nodes-1 in order, feature_dim floats each.
  virtual void for_each_feature_row(const std::function<void(NodeId, std::span<const float>)>& visit) = 0;

  /// False if the format lists edges only, so that nodes without any are not in it.
  virtual bool has_all_nodes() const { return true; }

  /// True if the format itself says that every stored edge stands for both directions (METIS, symmetric mtx,
  /// npz of an undirected graph): prepare then symmetrises without being asked.
  virtual bool is_undirected() const = 0;
};

enum class SourceFormat : std::uint8_t { automatic, npz, ogb, planetoid, edgelist, metis, mtx, kith };

/// "auto", "npz", ... Throws InvalidArgument for another name.
SourceFormat parse_source_format(std::string_view name);

/// Opens `path` (a file or, for ogb and planetoid, a folder). `automatic` looks at the name, then at the first
/// bytes. Throws IoError if the file is missing or of no known format.
std::unique_ptr<Source> open_source(const std::string& path, SourceFormat format);

}  // namespace kith
