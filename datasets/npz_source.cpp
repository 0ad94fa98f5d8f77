#include "datasets/npz_source.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>
#include <utility>

#include "datasets/npy_reader.h"
#include "datasets/source_parts.h"
#include "graph/errors.h"

namespace kith {

namespace {

constexpr std::int64_t kChunk = 1 << 16;
// Columns of sparse features and labels that are believed without as many values.
constexpr std::int64_t kUsualFeatures = 1 << 16;
constexpr std::int64_t kUsualClasses = 1024;
// A multi-label table takes a byte for every node and class.
constexpr std::int64_t kMaxIndicatorBytes = std::int64_t{1} << 34;

// The first of `keys` that the archive has, or "".
std::string first_key(const NpzArchive& archive, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (archive.has(key)) {
      return key;
    }
  }
  return "";
}

// [rows, columns] of a *_shape array.
std::pair<std::int64_t, std::int64_t> read_shape(const NpzArchive& archive, const std::string& key) {
  const std::vector<std::int64_t> shape = archive.integers(key);
  KITH_CHECK(shape.size() == 2 && shape[0] >= 0 && shape[1] >= 0, IoError, archive.path(), ": ", key,
             ": expected two sizes");
  return {shape[0], shape[1]};
}

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

// Reads the bounds of CSR rows one after the other and checks that they start at 0, never fall and end at
// `num_values`.
class RowBounds {
 public:
  RowBounds(NpyReader reader, std::int64_t num_values)
      : reader_(std::move(reader)), num_values_(num_values), rest_(reader_.header().num_items()) {
    KITH_CHECK(next() == 0, IoError, reader_.name(), ": must start at 0");
  }

  // Number of values in the next row.
  std::int64_t next_length() {
    const std::int64_t before = last_;
    const std::int64_t now = next();
    KITH_CHECK(now >= before && now <= num_values_, IoError, reader_.name(), ": bounds must rise from 0 to ",
               num_values_, ", got ", now, " after ", before);
    return now - before;
  }

  void finish() {
    KITH_CHECK(last_ == num_values_, IoError, reader_.name(), ": must end at ", num_values_, ", got ", last_);
    reader_.finish();
  }

 private:
  std::int64_t next() {
    if (place_ == buffer_.size()) {
      buffer_.resize(static_cast<std::size_t>(std::min(rest_, kChunk)));
      KITH_CHECK(!buffer_.empty(), IoError, reader_.name(), ": is empty");
      reader_.read(std::span(buffer_));
      rest_ -= static_cast<std::int64_t>(buffer_.size());
      place_ = 0;
    }
    last_ = buffer_[place_++];
    return last_;
  }

  NpyReader reader_;
  std::int64_t num_values_;
  std::int64_t rest_;
  std::vector<std::int64_t> buffer_;
  std::size_t place_ = 0;
  std::int64_t last_ = 0;
};

// Throws unless `key`_indptr has num_rows + 1 entries and all parts are flat.
void check_csr_parts(const NpzArchive& archive, const std::string& key, std::int64_t num_rows) {
  const NpyReader bounds = archive.open(key + "_indptr");
  const NpyReader columns = archive.open(key + "_indices");
  KITH_CHECK(bounds.header().shape == std::vector<std::int64_t>{num_rows + 1}, IoError, bounds.name(),
             ": expected ", num_rows + 1, " bounds for ", num_rows, " rows");
  KITH_CHECK(columns.header().shape.size() == 1, IoError, columns.name(), ": expected one dimension, got ",
             columns.header().shape.size());
  if (archive.has(key + "_data")) {
    const NpyReader data = archive.open(key + "_data");
    KITH_CHECK(data.header().shape == columns.header().shape, IoError, data.name(), ": must be as long as ",
               key, "_indices, which has ", columns.header().shape[0]);
  }
}

// Calls visit(row, columns, values) for each CSR row; values is empty if there is no data array.
template <typename Visit>
void for_each_csr_row(const NpzArchive& archive, const std::string& key, std::int64_t num_rows,
                      std::int64_t num_columns, const Visit& visit) {
  NpyReader columns = archive.open(key + "_indices");
  RowBounds bounds(archive.open(key + "_indptr"), columns.header().num_items());
  std::optional<NpyReader> data;
  if (archive.has(key + "_data")) {
    data.emplace(archive.open(key + "_data"));
  }
  std::vector<std::int64_t> row_columns;
  std::vector<float> row_values;
  for (std::int64_t row = 0; row < num_rows; ++row) {
    row_columns.resize(static_cast<std::size_t>(bounds.next_length()));
    columns.read(std::span(row_columns));
    for (const std::int64_t column : row_columns) {
      KITH_CHECK(column >= 0 && column < num_columns, IoError, columns.name(), ": row ", row,
                 ": a column must lie in 0..", num_columns - 1, ", got ", column);
    }
    if (data) {
      row_values.resize(row_columns.size());
      data->read(std::span(row_values));
    }
    visit(row, row_columns, row_values);
  }
  bounds.finish();
  columns.finish();
  if (data) {
    data->finish();
  }
}

// One row of a bool table [N] or [S, N]: the ids that are set.
std::vector<NodeId> read_mask(const NpzArchive& archive, const std::string& name, NodeId num_nodes) {
  const std::string key = first_key(archive, {(name + "_mask").c_str(), (name + "_masks").c_str()});
  std::vector<NodeId> ids;
  if (key.empty()) {
    return ids;
  }
  NpyReader reader = archive.open(key);
  const NpyHeader& header = reader.header();
  KITH_CHECK(header.is_integer() && header.item_bytes == 1, IoError, reader.name(),
             ": expected bools, got type '", header.kind, header.item_bytes, "'");
  const bool is_table = header.shape.size() == 2 && header.shape[0] > 0 && !header.is_fortran_order;
  KITH_CHECK((header.shape.size() == 1 || is_table) && header.shape.back() == num_nodes, IoError, reader.name(),
             ": expected a bool for each of ", num_nodes, " nodes");
  std::vector<std::byte> mask(static_cast<std::size_t>(num_nodes));
  reader.read_bytes(mask);
  reader.skip(header.num_items() - num_nodes);
  reader.finish();
  for (NodeId v = 0; v < num_nodes; ++v) {
    if (mask[static_cast<std::size_t>(v)] != std::byte{0}) {
      ids.push_back(v);
    }
  }
  return ids;
}

class NpzSource final : public StoredSource {
 public:
  explicit NpzSource(const std::string& path) : archive_(path) {
    open_edges();
    features_key_ = first_key(archive_, {"x", "node_features", "x_indptr"});
    labels_key_ = first_key(archive_, {"y", "node_labels", "y_indptr"});
    num_nodes_ = find_num_nodes();
    open_features();
    read_labels();
    data_.splits.train = read_mask(archive_, "train", num_nodes_);
    data_.splits.valid = read_mask(archive_, "val", num_nodes_);
    data_.splits.test = read_mask(archive_, "test", num_nodes_);
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
    std::vector<float> dense(static_cast<std::size_t>(data_.feature_dim));
    if (data_.feature_dim == 0) {
      return;
    }
    if (features_key_ == "x_indptr") {
      for_each_csr_row(
          archive_, "x", num_nodes_, data_.feature_dim,
          [&](std::int64_t row, std::span<const std::int64_t> columns, std::span<const float> values) {
            std::fill(dense.begin(), dense.end(), 0.0F);
            for (std::size_t i = 0; i < columns.size(); ++i) {
              dense[static_cast<std::size_t>(columns[i])] += values.empty() ? 1.0F : values[i];
            }
            visit(static_cast<NodeId>(row), dense);
          });
      return;
    }
    NpyReader reader = archive_.open(features_key_);
    for (NodeId v = 0; v < num_nodes_; ++v) {
      reader.read(std::span(dense));
      visit(v, dense);
    }
    reader.finish();
  }

  bool is_undirected() const override { return is_undirected_; }

 private:
  bool is_node(std::int64_t id) const { return id >= 0 && id < num_nodes_; }

  void open_edges() {
    edges_key_ = first_key(archive_, {"edge_index", "edges"});
    KITH_CHECK(!edges_key_.empty(), IoError, archive_.path(), ": has no array 'edge_index'");
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
    if (archive_.has("num_nodes")) {
      const std::vector<std::int64_t> count = archive_.integers("num_nodes");
      KITH_CHECK(count.size() == 1, IoError, archive_.path(), ": num_nodes: expected one number");
      return checked_num_nodes(count[0], archive_.file_bytes(), archive_.path() + ": num_nodes");
    }
    for (const std::string& key : {features_key_, labels_key_}) {
      if (!key.empty()) {
        const NpyReader reader = archive_.open(key);
        KITH_CHECK(!reader.header().shape.empty(), IoError, reader.name(), ": expected an array, got a scalar");
        return checked_num_nodes(reader.header().shape[0] - (key.ends_with("_indptr") ? 1 : 0),
                                 archive_.file_bytes(), reader.name());
      }
    }
    std::int64_t largest = -1;
    for_each_id_pairs(
        [&](std::span<const std::int64_t> sources, std::span<const std::int64_t> targets, std::size_t) {
          largest = std::max({largest, *std::max_element(sources.begin(), sources.end()),
                              *std::max_element(targets.begin(), targets.end())});
        });
    KITH_CHECK(largest < kMaxNodes, IoError, archive_.path(), ": node id ", largest, " is too large");
    return checked_num_nodes(largest + 1, archive_.file_bytes(), archive_.path());
  }

  void open_features() {
    if (features_key_.empty()) {
      return;
    }
    std::int64_t num_rows = 0;
    std::int64_t dim = 0;
    std::string values_key = features_key_;
    if (features_key_ == "x_indptr") {
      std::tie(num_rows, dim) = read_shape(archive_, "x_shape");
      check_csr_parts(archive_, "x", num_nodes_);
      check_sparse_width(dim, archive_.open("x_indices").header().num_items(), kUsualFeatures,
                         archive_.path() + ": x_shape");
      values_key = archive_.has("x_data") ? "x_data" : "";
    } else {
      const NpyReader reader = archive_.open(features_key_);
      const NpyHeader& header = reader.header();
      KITH_CHECK(header.shape.size() == 2, IoError, reader.name(), ": expected shape [nodes, features]");
      KITH_CHECK(!header.is_fortran_order || header.shape[1] == 1, IoError, reader.name(),
                 ": is in Fortran order; save numpy.ascontiguousarray(x) instead");
      num_rows = header.shape[0];
      dim = header.shape[1];
    }
    KITH_CHECK(num_rows == num_nodes_, IoError, archive_.path(), ": x has ", num_rows, " rows, but there are ",
               num_nodes_, " nodes");
    KITH_CHECK(dim <= kMaxFeatureDim, IoError, archive_.path(), ": at most ", kMaxFeatureDim,
               " features are possible, got ", dim);
    data_.feature_dim = static_cast<std::int32_t>(dim);
    if (!values_key.empty()) {
      const NpyHeader header = archive_.open(values_key).header();
      KITH_CHECK(header.kind != 'U', IoError, archive_.path(), ": ", values_key,
                 ": expected numbers, got text");
      data_.feature_type = header.kind == 'f' && header.item_bytes == 2 ? FeatureType::f16 : FeatureType::f32;
    }
  }

  void read_labels() {
    if (labels_key_.empty()) {
      return;
    }
    if (labels_key_ == "y_indptr") {
      read_sparse_labels();
      return;
    }
    const NpyHeader header = archive_.open(labels_key_).header();
    KITH_CHECK(!header.shape.empty() && header.shape[0] == num_nodes_, IoError, archive_.path(), ": ",
               labels_key_, ": expected a label for each of ", num_nodes_, " nodes");
    if (header.shape.size() == 2 && header.shape[1] > 1) {
      read_table_labels();
      return;
    }
    std::vector<std::int32_t> classes;  // grows with what is there: [nodes, 0] is a shape without bytes
    for (const std::int64_t value : archive_.integers(labels_key_)) {
      classes.push_back(checked_class(value, concat(archive_.path(), ": ", labels_key_)));
    }
    data_.labels = single_labels(std::move(classes));
  }

  void read_table_labels() {
    NpyReader reader = archive_.open(labels_key_);
    const NpyHeader& header = reader.header();
    KITH_CHECK(header.shape.size() == 2 && !header.is_fortran_order && header.is_integer(), IoError,
               reader.name(), ": expected integers [nodes, classes] in C order");
    allocate_indicator(header.shape[1], reader.name());
    std::vector<std::int64_t> row(static_cast<std::size_t>(header.shape[1]));
    auto out = data_.labels.indicator.begin();
    for (NodeId v = 0; v < num_nodes_; ++v) {
      reader.read(std::span(row));
      for (const std::int64_t value : row) {
        KITH_CHECK(value == 0 || value == 1, IoError, reader.name(), ": row ", v, ": expected 0 or 1, got ",
                   value);
        *out++ = static_cast<std::uint8_t>(value);
      }
    }
    reader.finish();
  }

  void read_sparse_labels() {
    const auto [num_rows, num_classes] = read_shape(archive_, "y_shape");
    KITH_CHECK(num_rows == num_nodes_, IoError, archive_.path(), ": y has ", num_rows, " rows, but there are ",
               num_nodes_, " nodes");
    check_csr_parts(archive_, "y", num_nodes_);
    check_sparse_width(num_classes, archive_.open("y_indices").header().num_items(), kUsualClasses,
                       archive_.path() + ": y_shape");
    allocate_indicator(num_classes, concat(archive_.path(), ": y_shape"));
    for_each_csr_row(archive_, "y", num_nodes_, num_classes,
                     [&, width = num_classes](std::int64_t row, std::span<const std::int64_t> columns,
                                              std::span<const float> values) {
                       for (std::size_t i = 0; i < columns.size(); ++i) {
                         const bool is_set = values.empty() || values[i] != 0;
                         data_.labels.indicator[static_cast<std::size_t>(row * width + columns[i])] |=
                             is_set ? 1 : 0;
                       }
                     });
  }

  void allocate_indicator(std::int64_t num_classes, const std::string& where) {
    KITH_CHECK(num_classes < kMaxClasses && num_nodes_ * num_classes <= kMaxIndicatorBytes, IoError, where,
               ": a label table of ", num_nodes_, " x ", num_classes, " is too large");
    data_.labels.num_classes = static_cast<std::int32_t>(num_classes);
    data_.labels.indicator.resize(static_cast<std::size_t>(num_nodes_ * num_classes));
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
  std::string edges_key_;
  std::string features_key_;
  std::string labels_key_;
  std::int64_t num_edges_ = 0;
  bool are_pairs_adjacent_ = false;  ///< source and target of an edge lie side by side
  bool is_undirected_ = true;
};

}  // namespace

std::unique_ptr<Source> open_npz_source(const std::string& path) { return std::make_unique<NpzSource>(path); }

}  // namespace kith
