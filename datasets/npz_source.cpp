#include "datasets/npz_source.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "datasets/npy_reader.h"
#include "datasets/npz_node_data.h"
#include "datasets/source_parts.h"
#include "graph/errors.h"

namespace kith {

namespace {

constexpr std::int64_t kChunk = 1 << 16;

// The bool `directed` of the JSON text in `meta`, if there is one.
std::optional<bool> directed_in_meta(const NpzArchive& archive) {
  NpyReader reader = archive.open("meta");
  if (reader.header().kind != 'U' || reader.header().num_items() != 1) {
    return std::nullopt;
  }
  std::vector<std::byte> raw(static_cast<std::size_t>(reader.header().item_bytes));
  reader.read_bytes(raw);
  reader.finish();
  std::string text;
  for (std::size_t i = 0; i + 3 < raw.size(); i += 4) {
    const bool is_ascii = raw[i + 1] == std::byte{0} && raw[i + 2] == std::byte{0} && raw[i] < std::byte{128};
    text.push_back(is_ascii ? static_cast<char>(raw[i]) : '?');  // the key that is wanted is ASCII
  }
  text.erase(std::find(text.begin(), text.end(), '\0'), text.end());
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_object() && json.contains("directed") && json["directed"].is_boolean()) {
    return json["directed"].get<bool>();
  }
  return std::nullopt;
}

class NpzSource final : public StoredSource {
 public:
  explicit NpzSource(const std::string& path) : archive_(path), nodes_(archive_) {
    open_edges();
    num_nodes_ = find_num_nodes();
    data_ = nodes_.read(num_nodes_);
    read_direction();
  }

  void for_each_edges(const std::function<void(std::span<const Edge>)>& visit) override {
    std::vector<Edge> chunk;
    std::int64_t first = 0;
    for_each_id_pairs(
        [&](std::span<const std::int64_t> sources, std::span<const std::int64_t> targets, std::size_t stride) {
          chunk.clear();
          for (std::size_t i = 0; i < sources.size(); i += stride) {
            KITH_CHECK(is_node(sources[i]) && is_node(targets[i]), IoError, archive_.path(), ": edge ",
                       first + static_cast<std::int64_t>(i / stride), " (", sources[i], " -> ", targets[i],
                       "): ids must lie in 0..", num_nodes_ - 1);
            chunk.push_back({static_cast<NodeId>(sources[i]), static_cast<NodeId>(targets[i])});
          }
          first += static_cast<std::int64_t>(chunk.size());
          visit(chunk);
        });
  }

  void for_each_feature_row(const std::function<void(NodeId, std::span<const float>)>& visit) override {
    nodes_.for_each_feature_row(visit);
  }

  EdgeOffset num_stored_edges() const override { return num_edges_; }
  bool is_undirected() const override { return is_undirected_; }

 private:
  bool is_node(std::int64_t id) const { return id >= 0 && id < num_nodes_; }

  void open_edges() {
    edges_key_ = archive_.has("edge_index") ? "edge_index" : "edges";
    KITH_CHECK(archive_.has(edges_key_), IoError, archive_.path(), ": has no array 'edge_index'");
    const NpyReader reader = archive_.open(edges_key_);
    const NpyHeader& header = reader.header();
    const std::size_t pair_axis = edges_key_ == "edges" ? 1 : 0;
    KITH_CHECK(header.is_integer() && header.item_bytes > 1, IoError, reader.name(),
               ": expected integer ids, got type '", header.kind, header.item_bytes, "'");
    KITH_CHECK(header.shape.size() == 2 && header.shape[pair_axis] == 2, IoError, reader.name(),
               ": expected shape ", pair_axis == 1 ? "[edges, 2]" : "[2, edges]");
    num_edges_ = header.shape[1 - pair_axis];
    check_num_edges(num_edges_, archive_.file_bytes(), reader.name());
    are_pairs_adjacent_ = header.is_fortran_order == (pair_axis == 0);
  }

  // Calls visit(sources, targets, stride) for stretches of the stored ids: every stride-th entry is an edge's.
  template <typename Visit>
  void for_each_id_pairs(const Visit& visit) const {
    NpyReader sources = archive_.open(edges_key_);
    std::vector<std::int64_t> first;
    if (are_pairs_adjacent_) {
      for (std::int64_t rest = 2 * num_edges_; rest > 0; rest -= static_cast<std::int64_t>(first.size())) {
        first.resize(static_cast<std::size_t>(std::min(rest, kChunk)));
        sources.read(std::span(first));
        visit(std::span<const std::int64_t>(first).first(first.size() - 1),
              std::span<const std::int64_t>(first).subspan(1), std::size_t{2});
      }
      sources.finish();
      return;
    }
    NpyReader targets = archive_.open(edges_key_);
    targets.skip(num_edges_);
    std::vector<std::int64_t> second;
    for (std::int64_t rest = num_edges_; rest > 0; rest -= static_cast<std::int64_t>(first.size())) {
      first.resize(static_cast<std::size_t>(std::min(rest, kChunk)));
      second.resize(first.size());
      sources.read(std::span(first));
      targets.read(std::span(second));
      visit(std::span<const std::int64_t>(first), std::span<const std::int64_t>(second), std::size_t{1});
    }
    targets.finish();
  }

  NodeId find_num_nodes() const {
    if (const std::optional<NodeId> count = nodes_.num_nodes()) return *count;
    std::int64_t largest = -1;
    for_each_id_pairs(
        [&](std::span<const std::int64_t> sources, std::span<const std::int64_t> targets, std::size_t) {
          largest = std::max({largest, *std::max_element(sources.begin(), sources.end()),
                              *std::max_element(targets.begin(), targets.end())});
        });
    KITH_CHECK(largest < kMaxNodes, IoError, archive_.path(), ": node id ", largest, " is too large");
    return checked_num_nodes(largest + 1, archive_.file_bytes(), archive_.path());
  }

  void read_direction() {
    if (archive_.has("directed")) {
      const std::vector<std::int64_t> directed = archive_.integers("directed");
      KITH_CHECK(directed.size() == 1, IoError, archive_.path(), ": directed: expected one bool");
      is_undirected_ = directed[0] == 0;
    } else if (archive_.has("meta")) {
      is_undirected_ = !directed_in_meta(archive_).value_or(false);
    }
  }

  NpzArchive archive_;
  NpzNodeData nodes_;
  std::string edges_key_;
  std::int64_t num_edges_ = 0;
  bool are_pairs_adjacent_ = false;  ///< source and target of an edge lie side by side
  bool is_undirected_ = true;
};

}  // namespace

std::unique_ptr<Source> open_npz_source(const std::string& path) { return std::make_unique<NpzSource>(path); }

}  // namespace kith
