// What a NumPy .npz file says of the nodes of a graph: features, labels, splits.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "datasets/npy_reader.h"
#include "datasets/source.h"

namespace kith {

/// The keys are those of open_npz_source. Every method throws IoError, naming file and array, for what does not
/// fit.
class NpzNodeData {
 public:
  /// archive: kept.
  explicit NpzNodeData(const NpzArchive& archive);

  /// From num_nodes, or else the length of features or labels; nothing if there is none of them.
  std::optional<NodeId> num_nodes() const;

  /// All but the values of the features. num_nodes: that every array must have rows for.
  NodeData read(NodeId num_nodes);

  /// Streams rows 0..num_nodes-1; none before read().
  void for_each_feature_row(const std::function<void(NodeId, std::span<const float>)>& visit) const;

 private:
  void open_features();
  void read_labels();
  void read_table_labels();
  void read_sparse_labels();
  void allocate_indicator(std::int64_t num_classes, const std::string& where);

  const NpzArchive& archive_;
  std::string features_key_, labels_key_;
  NodeId num_nodes_ = 0;
  std::int32_t dim_ = 0;
  NodeData data_;  ///< while it is being read
};

}  // namespace kith
