#include "datasets/kith_source.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>

#include "datasets/npy_reader.h"
#include "datasets/source_parts.h"
#include "graph/dataset_file.h"
#include "graph/errors.h"

namespace kith {

namespace {

float load_feature(const std::byte* row, std::int32_t i, FeatureType type) {
  if (type == FeatureType::f32) {
    float value;
    std::memcpy(&value, row + static_cast<std::size_t>(i) * sizeof(value), sizeof(value));
    return value;
  }
  std::uint16_t bits;
  std::memcpy(&bits, row + static_cast<std::size_t>(i) * sizeof(bits), sizeof(bits));
  return type == FeatureType::f16 ? half_to_float(bits)
                                  : std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

class KithSource final : public StoredSource {
 public:
  explicit KithSource(const std::string& path) : dataset_(read_dataset(path)) {
    num_nodes_ = dataset_.num_nodes();
    data_.original_id = std::move(dataset_.original_id);
    data_.labels = std::move(dataset_.labels);
    data_.splits = std::move(dataset_.splits);
    const FeatureView features = dataset_.features.view();
    data_.feature_dim = features.num_rows > 0 ? features.dim : 0;
    data_.feature_type = features.type == FeatureType::f16 ? FeatureType::f16 : FeatureType::f32;
  }

  void for_each_edges(const std::function<void(std::span<const Edge>)>& visit) override {
    const CsrView graph = dataset_.graph.view();
    EdgeBuffer buffer(visit);
    for (NodeId target = 0; target < num_nodes_; ++target) {
      for (const NodeId source : graph.row(target)) {
        if (dataset_.provenance.directed || source <= target) {
          buffer.add({source, target});
        }
      }
    }
    buffer.flush();
  }

  EdgeOffset num_stored_edges() const override {
    const EdgeOffset both = dataset_.graph.num_edges();
    return dataset_.provenance.directed ? both : (both + num_nodes_) / 2;  // a self-loop is stored but once
  }

  void release_edges() override { dataset_.graph = CsrGraph(); }

  void for_each_feature_row(const std::function<void(NodeId, std::span<const float>)>& visit) override {
    if (data_.feature_dim == 0) {
      return;
    }
    const FeatureView features = dataset_.features.view();
    std::vector<float> row(static_cast<std::size_t>(features.dim));
    for (NodeId v = 0; v < num_nodes_; ++v) {
      for (std::int32_t i = 0; i < features.dim; ++i) {
        row[static_cast<std::size_t>(i)] = load_feature(features.row(v), i, features.type);
      }
      visit(v, row);
    }
  }

  bool is_undirected() const override { return !dataset_.provenance.directed; }

 private:
  Dataset dataset_;
};

}  // namespace

std::unique_ptr<Source> open_kith_source(const std::string& path) { return std::make_unique<KithSource>(path); }

}  // namespace kith
